"""The inputs that every target of a run is judged on: real pictures, and what real pictures never show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgekit import digits, photographs
from edgekit.errors import InputError
from edgekit.preprocessing import Preprocessing, read_image

SEED = 20170417  # the day of arXiv:1704.04861
MAX_IMAGES = 64  # for parity: each costs three passes of PyTorch and its size in every reference file
IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
HELD_OUT_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Sample:
    """One input of the network.

    Attributes:
        name: for the report.
        kind: "image" for a real picture, "synthetic" for the others. Top-1 is counted on images alone.
        image_nchw: float32, a batch of one, normalised.
    """

    name: str
    kind: Literal["image", "synthetic"]
    image_nchw: NDArray[np.float32]


def make_samples(preprocessing: Preprocessing, *, size: int, images: Sequence[Path] = ()) -> tuple[Sample, ...]:
    """Make the fixed set of inputs: the same for every target, and for every run with the same arguments.

    Args:
        preprocessing: the model's own.
        size: height and width of the input in pixels.
        images: real pictures; without any, those that edgekit ships (photographs, or digits for a grey model).
    """
    pictures = [(path.name, read_image(path)) for path in images] or shipped_pictures(preprocessing)
    real = [Sample(name, "image", preprocessing.normalise(preprocessing.pixels(picture))) for name, picture in pictures]
    samples = (*real, *_synthetic(preprocessing, size))
    for sample in samples:
        if sample.image_nchw.shape != samples[-1].image_nchw.shape:
            raise InputError(
                f"the preprocessing makes {list(sample.image_nchw.shape)} of {sample.name}, and the network takes "
                f"{list(samples[-1].image_nchw.shape)}: its resize or crop does not match the resolution"
            )
    return samples


def find_images(folder: Path, *, limit: int | None = None) -> tuple[Path, ...]:
    """List a folder's pictures by name, or a single picture.

    Raises:
        InputError: nothing there, or no picture in it.
    """
    if folder.is_file():
        return (folder,)
    if not folder.is_dir():
        raise InputError(f"no such folder of images: {folder}")
    files = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    found = sorted(path for path in files if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise InputError(f"no images in {folder} (looked for {', '.join(IMAGE_SUFFIXES)})")
    return tuple(found[:limit])


def shipped_pictures(preprocessing: Preprocessing) -> list[tuple[str, Image.Image]]:
    """Name and picture of those that edgekit ships: photographs, or held-out digits for a grey model."""
    if preprocessing.color == "L":
        pictures, labels = digits.held_out()
        chosen = range(min(HELD_OUT_DIGITS, len(pictures)))
        return [(f"held-out digit {i} ({labels[i]})", Image.fromarray(pictures[i])) for i in chosen]
    return [(path.name, read_image(path)) for path in photographs.paths()]


def _synthetic(preprocessing: Preprocessing, size: int) -> Iterator[Sample]:
    shape = (size, size, len(preprocessing.mean))
    noise = np.random.default_rng(SEED).integers(0, 256, shape, dtype=np.uint8)
    rows, columns, _ = np.indices(shape)
    for name, pixels in {
        "noise": noise,
        "black": np.zeros(shape, np.uint8),
        "white": np.full(shape, 255, np.uint8),
        "checkerboard": ((rows + columns) % 2 * 255).astype(np.uint8),
    }.items():
        yield Sample(name, "synthetic", preprocessing.normalise(pixels))
    yield Sample("zeros", "synthetic", np.zeros((1, shape[2], size, size), np.float32))
