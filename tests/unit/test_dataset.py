"""Folders of labelled pictures, good and bad."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from edgekit.dataset import find_labelled, find_pictures
from edgekit.errors import InputError

LABELS = ("background", "crane", "tench, Tinca tinca", "Crane")


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.png"):
        picture(tmp_path / "images" / name)
    return tmp_path / "images"


def write_labels(folder: Path, text: str) -> None:
    (folder / "labels.csv").write_text(text, "utf-8")


def test_labels_are_found_by_name_in_any_case_whatever_the_index(folder: Path, tmp_path: Path) -> None:
    write_labels(folder, 'file,index,label\na.jpg,0,"Tench, tinca tinca"\nb.png,7,background\n')
    assert [found.class_index for found in find_labelled(folder, LABELS, 4, tmp_path)] == [2, 0]


def test_a_name_that_is_there_twice_is_told_apart_by_the_index_with_or_without_a_background(folder: Path, tmp_path: Path) -> None:
    write_labels(folder, "file,index,label\na.jpg,0,crane\nb.png,2,crane\n")
    assert [found.class_index for found in find_labelled(folder, LABELS, 4, tmp_path)] == [1, 3]
    write_labels(folder, "file,label\na.jpg,crane\n")
    with pytest.raises(InputError, match="2 classes called 'crane'; give the index"):
        find_labelled(folder, LABELS, 4, tmp_path)


def test_without_names_the_index_counts(folder: Path, tmp_path: Path) -> None:
    write_labels(folder, "file,index,label\na.jpg,3,heron\nb.png,0,\n")
    assert [found.class_index for found in find_labelled(folder, (), 4, tmp_path)] == [3, 0]


def test_a_folder_per_class(tmp_path: Path) -> None:
    picture(tmp_path / "set" / "background" / "1.png")
    picture(tmp_path / "set" / "2" / "x.png")
    picture(tmp_path / "set" / "2" / "y.png")
    found = find_labelled(tmp_path / "set", LABELS[:3], 3, tmp_path)
    assert [(each.path.name, each.class_index) for each in found] == [("x.png", 2), ("y.png", 2), ("1.png", 0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.jpg,heron\n", r"labels\.csv, line 2: the model has no class 'heron'"),
        ("file,index\na.jpg,4\n", "'4' is no class of a model with 4"),
        ("file,index\na.jpg,-1\n", "'-1' is no class"),
        ("picture,index\na.jpg,1\n", "columns file, and label or index"),
        ("file\na.jpg\n", "columns file, and label or index"),
        ("", "columns file"),
        ('file,index\n"a.jpg,1\n', "cannot read"),
    ],
)
def test_bad_labels_are_named(folder: Path, tmp_path: Path, text: str, message: str) -> None:
    write_labels(folder, text)
    with pytest.raises(InputError, match=message):
        find_labelled(folder, LABELS, 4, tmp_path)


def test_labels_that_are_no_text(folder: Path, tmp_path: Path) -> None:
    (folder / "labels.csv").write_bytes(b"file,index\n\xff\xfe,1\n")
    with pytest.raises(InputError, match="cannot read"):
        find_labelled(folder, LABELS, 4, tmp_path)


def test_no_labels_at_all(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither a labels\.csv nor a folder of images per class"):
        find_labelled(folder, LABELS, 4, tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_labelled(tmp_path / "nowhere", LABELS, 4, tmp_path)


def test_pictures_of_a_folder_its_folders_and_a_list(folder: Path, tmp_path: Path) -> None:
    picture(folder / "deeper" / "c.webp")
    assert [path.name for path in find_pictures(folder, tmp_path)] == ["a.jpg", "b.png", "c.webp"]
    (tmp_path / "list.txt").write_text("# two of them\nimages/b.png\n\nimages/a.jpg\n")
    assert [path.name for path in find_pictures(tmp_path / "list.txt", tmp_path)] == ["b.png", "a.jpg"]
    (tmp_path / "list.txt").write_text("images/none.png\n")
    with pytest.raises(InputError, match="not there"):
        find_pictures(tmp_path / "list.txt", tmp_path)
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(InputError, match="lists no images"):
        find_pictures(tmp_path / "list.txt", tmp_path)


def test_an_empty_folder_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images in"):
        find_pictures(tmp_path, tmp_path)


def test_the_digits_for_calibrating_are_not_those_for_counting(tmp_path: Path) -> None:
    calibration = set(find_pictures(Path("digits"), tmp_path))
    labelled = find_labelled(Path("digits"), (), 10, tmp_path)
    assert len(calibration) == len(labelled) == 180
    assert not calibration & {found.path for found in labelled}
    assert {found.class_index for found in labelled} == set(range(10))
    with pytest.raises(InputError, match="10 classes, and the model has 1000"):
        find_labelled(Path("digits"), (), 1000, tmp_path)
