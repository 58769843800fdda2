"""Folders of labelled pictures, good and bad."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from edgekit.dataset import LabelledPicture, decode, find_labelled, find_pictures, spread
from edgekit.errors import InputError, OutputError
from edgekit.preprocessing import Preprocessing, read_image

PREPROCESSING = Preprocessing(color="RGB", mean=(0, 0, 0), std=(1, 1, 1), resize=(8, 8))
SHAPE = (8, 8, 3)
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
        ("file;index\na.jpg;1\n", "columns file, and label or index"),
        ("file,index\n", "lists no images"),
        ("file,index\na.jpg,1\nb.png,2\na.jpg,2\n", "line 4: 'a.jpg' is there twice"),
        ("file,index\n,1\n", "line 2: no file is named"),
        ("file,label\na.jpg,tench, Tinca tinca\n", "line 2: more values than columns"),
        ("file,index\na.jpg\n", "'' is no class"),
        ("file,index\na.jpg," + "9" * 5000 + "\n", "is no class"),
        ("file,index\na.jpg,²\n", "'²' is no class"),
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


def test_a_table_as_spreadsheets_write_it(folder: Path, tmp_path: Path) -> None:
    """A byte-order mark, lines that end as on Windows, a line break within quotes."""
    (folder / "labels.csv").write_bytes('\ufefffile,note,label\r\na.jpg,"two\r\nlines",Background\r\nb.png,,heron\r\n'.encode())
    with pytest.raises(InputError, match="line 4: the model has no class 'heron'"):
        find_labelled(folder, LABELS, 4, tmp_path)


def test_a_set_that_is_split_by_two_tables(folder: Path, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png"):
        (folder / f"{name[0]}.csv").write_text(f"file,index\n{name},2\n")
    assert [each.name for each in find_labelled(folder / "a.csv", (), 4, tmp_path)] == ["a.jpg"]
    assert find_pictures(folder / "b.csv", tmp_path) == (folder / "b.png",)
    (folder / "b.csv").write_text("picture\nb.png\n")
    with pytest.raises(InputError, match=r"needs a first line with the columns file$"):
        find_pictures(folder / "b.csv", tmp_path)


def test_a_folders_name_is_a_label_before_it_is_an_index(tmp_path: Path) -> None:
    picture(tmp_path / "set" / "7" / "x.png")
    assert find_labelled(tmp_path / "set", ("1", "7", "9"), 3, tmp_path)[0].class_index == 1
    with pytest.raises(InputError, match="'7' is no class of a model with 3"):
        find_labelled(tmp_path / "set", ("a", "b", "c"), 3, tmp_path)


def test_hidden_files_and_empty_classes_are_no_pictures(tmp_path: Path) -> None:
    picture(tmp_path / "set" / "crane" / "deeper" / "x.png")
    (tmp_path / "set" / "crane" / "._x.png").write_bytes(b"what a Mac leaves")
    (tmp_path / "set" / "background").mkdir()
    (tmp_path / "set" / ".hidden").mkdir()
    (found,) = find_labelled(tmp_path / "set", LABELS[:3], 3, tmp_path)
    assert (found.name, found.class_index) == ("crane/deeper/x.png", 1)
    assert len(find_pictures(tmp_path / "set", tmp_path)) == 1


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


def test_a_folder_called_digits_does_not_take_the_place_of_the_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mine = picture(tmp_path / "digits" / "3" / "mine.png")
    assert len(find_pictures(Path("digits"), tmp_path)) == len(find_labelled(Path("digits"), (), 10, tmp_path)) == 180
    assert find_pictures(mine.parents[1], tmp_path) == (mine,)
    assert [found.path for found in find_labelled(mine.parents[1], (), 10, tmp_path)] == [mine]


def test_the_digits_for_calibrating_are_not_those_for_counting(tmp_path: Path) -> None:
    calibration = set(find_pictures(Path("digits"), tmp_path))
    labelled = find_labelled(Path("digits"), (), 10, tmp_path)
    assert len(calibration) == len(labelled) == 180
    assert not calibration & {found.path for found in labelled}
    assert {found.class_index for found in labelled} == set(range(10))
    with pytest.raises(InputError, match="10 classes, and the model has 1000"):
        find_labelled(Path("digits"), (), 1000, tmp_path)


def test_a_limit_is_spread_evenly() -> None:
    pictures = [LabelledPicture(Path(f"{i}"), i, f"{i}") for i in range(10)]
    assert [each.class_index for each in spread(pictures, 4)] == [0, 2, 5, 7]
    assert len(spread(pictures, 10)) == len(spread(pictures, 99)) == 10


def test_what_cannot_be_read_is_skipped_and_named(folder: Path, tmp_path: Path) -> None:
    names = ("a.jpg", "cut.png", "text.png", "none.png", "null\0.png", "b.png")
    (folder / "cut.png").write_bytes((folder / "b.png").read_bytes()[:40])
    (folder / "text.png").write_text("this is no picture")
    pictures = [LabelledPicture(folder / name, i, name) for i, name in enumerate(names)]
    told: list[tuple[int, int]] = []
    pixels = decode(
        pictures, PREPROCESSING, shape_hwc=SHAPE, path=tmp_path / "pixels", on_progress=lambda *done: told.append(done)
    )
    assert [each.name for each in pixels.skipped] == ["cut.png", "text.png", "none.png", "null\0.png"]
    assert "no such image" in pixels.skipped[2].reason
    assert list(pixels.classes) == [0, 5]
    assert told[-1] == (6, 6)
    for picture, stored in zip(pixels.pictures, pixels.open(), strict=True):
        assert (stored == PREPROCESSING.pixels(read_image(picture.path))).all()


def test_nothing_that_can_be_read(folder: Path, tmp_path: Path) -> None:
    (folder / "a.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"none of 1 images can be used: .*a\.jpg is not an image"):
        decode([LabelledPicture(folder / "a.jpg", 0, "a.jpg")], PREPROCESSING, shape_hwc=SHAPE, path=tmp_path / "pixels")


def test_a_picture_that_the_preprocessing_cannot_take(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (40_000, 2)).save(folder / "thin.png")
    pictures = [LabelledPicture(folder / name, 0, name) for name in ("thin.png", "a.jpg")]
    preprocessing = replace(PREPROCESSING, resize=None, shortest_edge=1024, crop=(8, 8))
    pixels = decode(pictures, preprocessing, shape_hwc=SHAPE, path=tmp_path / "pixels")
    assert "too thin" in pixels.skipped[0].reason
    with pytest.raises(InputError, match=r"the preprocessing makes \[8, 8, 3\] of .*, and the model takes \[9, 8, 3\]"):
        decode(pictures[1:], preprocessing, shape_hwc=(9, 8, 3), path=tmp_path / "pixels")


def test_no_room_for_the_pixels(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot keep the pixels of 1 images"):
        decode([LabelledPicture(folder / "a.jpg", 0, "a.jpg")], PREPROCESSING, shape_hwc=SHAPE, path=tmp_path / "none" / "pixels")
