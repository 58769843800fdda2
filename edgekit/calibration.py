"""The pictures that an int8 program's ranges are measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgekit.preprocessing import Preprocessing

FEWEST = 100
MOST = 256  # more change the ranges by less than a step: edgekit takes as many, evenly spread


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the ranges of an int8 program were measured on.

    Attributes:
        pictures: how many.
        skipped: names of files that cannot be read as pictures.
    """

    pictures: int
    skipped: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of them."""
        found = []
        if self.pictures < FEWEST:
            found.append(f"calibrated on {self.pictures} pictures: ranges are surer with {FEWEST} or more")
        if self.skipped:
            found.append(f"calibration skipped {len(self.skipped)} files that cannot be read: {', '.join(self.skipped)}")
        return tuple(found)


def spread(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Take as many as are used, evenly spread: the first ones of a folder may all be of one class."""
    step = max(1.0, len(paths) / MOST)
    return tuple(paths[int(i * step)] for i in range(min(len(paths), MOST)))


def read_pictures(paths: Sequence[Path], preprocessing: Preprocessing) -> tuple[list[NDArray[np.float32]], Calibration]:
    """Read pictures through the model's own preprocessing; one that cannot be read is left out.

    Returns:
        float32 NCHW, a batch of one each.

    Raises:
        InputError: none of them can be read.
    """
    images, skipped, last = [], [], ""
    for path in paths:
        try:
            images.append(preprocessing.tensor(path))
        except InputError as error:
            skipped.append(path.name)
            last = str(error)
    if not images:
        raise InputError(f"none of the {len(paths)} calibration pictures can be read; the last: {last}")
    return images, Calibration(len(images), tuple(skipped))
