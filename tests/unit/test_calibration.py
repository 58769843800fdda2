"""Which pictures an int8 program is made on, and what a reader is told of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.calibration import FEWEST, MOST, Calibration, choose, read_pictures, refuse_overlap
from edgekit.dataset import LabelledPicture
from edgekit.errors import InputError, UsageError
from edgekit.preprocessing import Preprocessing
from edgekit.sensitivity import Candidate, Search, Sensitivity

GREY = Preprocessing("L", (0.5,), (0.5,), resize=(8, 8))
SHAPE_HWC = (8, 8, 1)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for i, path in enumerate(paths):
        Image.fromarray(np.full((8, 8), 80 * i, np.uint8)).save(path)
    return paths


def search(*, reached: bool, kept: tuple[str, ...], drops: tuple[float, ...]) -> Search:
    units = tuple(Sensitivity(name, 10.0, 1) for name in ("stem", "head"))
    tried = tuple(Candidate(kept if i else (), points) for i, points in enumerate(drops))
    return Search(0.5, reached, kept, drops[-1], tried, units)


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (MOST, MOST), (MOST + 1, MOST), (10 * MOST, MOST)])
def test_at_most_so_many_are_taken(count: int, expected: int) -> None:
    paths = [Path(str(i)) for i in range(count)]
    chosen = choose(paths)
    assert len(set(chosen)) == expected
    assert list(chosen) == sorted(chosen, key=lambda path: int(path.name)), "in their order"


def test_they_are_spread_over_the_whole_folder() -> None:
    """A folder sorted by class must not calibrate on its first class alone."""
    chosen = [int(path.name) for path in choose([Path(str(i)) for i in range(10 * MOST)])]
    assert chosen[0] == 0
    assert chosen[-1] == 10 * (MOST - 1)
    assert set(np.diff(chosen)) == {10}


def test_pictures_go_through_the_models_own_preprocessing(pictures: list[Path]) -> None:
    images_nchw, skipped = read_pictures(pictures, GREY, SHAPE_HWC)
    assert not skipped
    for path, image_nchw in zip(pictures, images_nchw, strict=True):
        np.testing.assert_array_equal(image_nchw, GREY.tensor(path))


def test_one_bad_file_among_many_is_left_out_and_named(pictures: list[Path]) -> None:
    pictures[1].write_bytes(b"no picture")
    images_nchw, skipped = read_pictures(pictures, GREY, SHAPE_HWC)
    assert len(images_nchw) == 2
    assert len(skipped) == 1
    assert "1.png is not an image" in skipped[0]
    assert "skipped 1 files" in " ".join(Calibration(2, skipped).notes)


def test_a_picture_of_another_size_than_the_network_takes_is_left_out(pictures: list[Path]) -> None:
    with pytest.raises(InputError, match="none of the 3 calibration pictures can be used"):
        read_pictures(pictures, GREY, (16, 16, 1))


def test_all_bad_is_an_error(pictures: list[Path]) -> None:
    for path in pictures:
        path.write_bytes(b"")
    with pytest.raises(InputError, match="none of the 3 calibration pictures can be used"):
        read_pictures(pictures, GREY, SHAPE_HWC)


def test_counting_on_what_was_calibrated_on_is_refused(pictures: list[Path], tmp_path: Path) -> None:
    link = tmp_path / "link.png"
    link.symlink_to(pictures[2])
    counted = [LabelledPicture(path, 0, path.name) for path in (pictures[0], link)]
    refuse_overlap(pictures[1:2], counted)
    for calibrated in (pictures[:1], pictures[2:]):
        with pytest.raises(UsageError, match="1 pictures are in --calibration and in --evaluation"):
            refuse_overlap(calibrated, counted)


def test_few_pictures_are_said() -> None:
    assert Calibration(FEWEST).notes == ()
    (note,) = Calibration(FEWEST - 1).notes
    assert "99 pictures" in note


def test_a_search_is_told_in_a_sentence() -> None:
    plain = Calibration(FEWEST, search=search(reached=True, kept=(), drops=(0.2,)))
    assert plain.notes == ("no unit needs float32: 0.20 points of top-1 lost",)
    mixed = Calibration(FEWEST, search=search(reached=True, kept=("stem",), drops=(3.0, 0.5)))
    assert mixed.notes == ("for at most 0.5 points, 1 of 2 units stay float32: 0.50 points of top-1 lost instead of 3.00",)
    (told,) = Calibration(FEWEST, search=search(reached=False, kept=("stem",), drops=(3.0, 1.0))).notes
    assert told.startswith("the goal of 0.5 points is not reached, and this is the best of 2 tries: 1 of 2 units")
