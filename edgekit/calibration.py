"""The pictures that an int8 program is made on, and the record of how it came to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import InputError, UsageError
from edgekit.sensitivity import Search

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgekit.dataset import LabelledPicture
    from edgekit.preprocessing import Preprocessing

FEWEST = 100
MOST = 256  # more hardly change the ranges, and each costs a pass through the network
MOST_SEARCHED = 1000  # labelled pictures that a search counts on, again and again


@dataclass(frozen=True, slots=True)
class Calibration:
    """How an int8 program came to be.

    Attributes:
        pictures: that its ranges were measured on.
        skipped: names of files that cannot be used as pictures, and why.
        search: for units to keep in float; None where no goal was set.
        weight_bits: 8, or 7, which no CPU's sums of products overflow.
    """

    pictures: int
    skipped: tuple[str, ...] = ()
    search: Search | None = None
    weight_bits: int = 8

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of it."""
        found = []
        if self.pictures < FEWEST:
            found.append(f"calibrated on {self.pictures} pictures: ranges are surer with {FEWEST} or more")
        if self.skipped:
            found.append(f"calibration skipped {len(self.skipped)} files: {'; '.join(self.skipped)}")
        if self.search:
            found.append(_told(self.search))
        return tuple(found)


def choose(pictures: Sequence[Path]) -> tuple[Path, ...]:
    """Take at most `MOST`, evenly spread: the first ones of a folder may all be of one class."""
    count = min(MOST, len(pictures))
    return tuple(pictures[i * len(pictures) // count] for i in range(count))


def refuse_overlap(calibration: Sequence[Path], evaluation: Sequence[LabelledPicture]) -> None:
    """See to it that no picture is both calibrated and counted on: such a count flatters.

    Raises:
        UsageError: some are, with the first of them.
    """
    counted = {picture.path.resolve() for picture in evaluation}
    both = [path for path in calibration if path.resolve() in counted]
    if both:
        raise UsageError(
            f"{len(both)} pictures are in --calibration and in --evaluation, {both[0].name} the first: an accuracy counted on "
            "what was calibrated on flatters. Give two lists of files, or --allow-overlap"
        )


def read_pictures(
    paths: Sequence[Path], preprocessing: Preprocessing, shape_hwc: tuple[int, int, int]
) -> tuple[list[NDArray[np.float32]], tuple[str, ...]]:
    """Read pictures through the model's own preprocessing; one that cannot be used is left out.

    Returns:
        Float32 NCHW, a batch of one each; and why the others are left out.

    Raises:
        InputError: none of them can be used.
    """
    from edgekit.dataset import read_pixels

    images_nchw, skipped = [], []
    for path in paths:
        pixels = read_pixels(path, preprocessing, shape_hwc)
        if isinstance(pixels, str):
            skipped.append(pixels)
        else:
            images_nchw.append(preprocessing.normalise(pixels))
    if not images_nchw:
        raise InputError(f"none of the {len(paths)} calibration pictures can be used: {skipped[0]}")
    return images_nchw, tuple(skipped)


def _told(search: Search) -> str:
    plain, kept, units = search.tried[0].drop_points, len(search.kept), len(search.units)
    found = f"{kept} of {units} units stay float32: {search.drop_points:.2f} points of top-1 lost instead of {plain:.2f}"
    if not search.reached:
        tries = len(search.tried)
        return f"the goal of {search.max_drop_points:g} points is not reached, and this is the best of {tries} tries: {found}"
    if not kept:
        return f"no unit needs float32: {plain:.2f} points of top-1 lost"
    return f"for at most {search.max_drop_points:g} points, {found}"
