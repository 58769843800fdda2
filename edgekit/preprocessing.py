"""An image file -> the numbers a network was trained on. Pillow and numpy, one rule for training, checking and predicting."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from edgekit.errors import InputError, UsageError

MAX_PIXELS = 2**27  # as Pillow's limit on a file: a thin picture must not become a gigantic one
MAX_PIXEL_ERROR = 0.01  # of 255 steps: float32 leaves 1e-5 of one, and a value between two pixels is half of one away
Resample = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
Color = Literal["RGB", "BGR", "L"]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The steps from a decoded picture to the input tensor, in the order of the attributes.

    Attributes:
        color: channel order of the tensor; "L" is one grey channel.
        resize: (height, width) in pixels to resize to, the shape changed if need be; or
        shortest_edge: pixels that the shorter side becomes, the shape kept; or neither.
        resample: Pillow's filter, antialiased.
        crop: (height, width) cut from the centre; zeros where the picture is smaller.
        scale: multiplies the 8-bit values, e.g. 1/255.
        mean: per channel, subtracted after the scaling.
        std: per channel, divided by after that.
    """

    color: Color
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: tuple[int, int] | None = None
    shortest_edge: int | None = None
    resample: Resample = "bilinear"
    crop: tuple[int, int] | None = None
    scale: float = 1 / 255

    def __post_init__(self) -> None:
        channels = 1 if self.color == "L" else 3
        if not len(self.mean) == len(self.std) == channels or 0 in self.std:
            raise UsageError(f"preprocessing of {self.color} needs {channels} means, and as many deviations other than 0")

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Convert, resize and crop a picture.

        Returns:
            uint8 HWC.
        """
        image = _eight_bit(_upright(image)).convert("L" if self.color == "L" else "RGB")
        width, height = image.size
        target = None
        if self.resize:
            target = (self.resize[1], self.resize[0])
        elif self.shortest_edge:
            # the longer side is truncated, as transformers and torchvision do
            short, long = self.shortest_edge, int(self.shortest_edge * max(image.size) / min(image.size))
            target = (short, long) if width <= height else (long, short)
            if short * long > MAX_PIXELS:
                raise InputError(f"a picture of {width} x {height} pixels is too thin to enlarge to {target[0]} x {target[1]}")
        if target and target != image.size:
            image = image.resize(target, Image.Resampling[self.resample.upper()])
        if self.crop:
            image = _centre_crop(image, *self.crop)
        pixels = np.asarray(image, dtype=np.uint8)
        pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
        return np.ascontiguousarray(pixels[:, :, ::-1] if self.color == "BGR" else pixels)

    def normalise(self, pixels_hwc: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Scale and normalise pixels.

        Args:
            pixels_hwc: uint8 HWC, as `pixels` returns.

        Returns:
            float32 NCHW, a batch of one, contiguous.
        """
        values = pixels_hwc.astype(np.float64) * self.scale
        values = (values - np.asarray(self.mean)) / np.asarray(self.std)
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None], dtype=np.float32)

    def restore(self, image_nchw: NDArray[np.float32]) -> NDArray[np.uint8] | None:
        """Find the pixels that `normalise` made an input tensor of.

        Args:
            image_nchw: float32 NCHW, a batch of one.

        Returns:
            uint8 HWC, as `pixels` returns; None where no picture gives these values.
        """
        values = image_nchw[0].astype(np.float64).transpose(1, 2, 0)
        values = (values * np.asarray(self.std) + np.asarray(self.mean)) / self.scale
        pixels = np.rint(values)
        whole = np.abs(values - pixels) <= MAX_PIXEL_ERROR
        return pixels.astype(np.uint8) if np.all(whole & (pixels >= 0) & (pixels <= 255)) else None

    def picture(self, pixels_hwc: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Arrange pixels for an artifact that normalises them itself.

        Args:
            pixels_hwc: uint8 HWC, as `pixels` returns.

        Returns:
            float32 NCHW, a batch of one, whole numbers from 0 to 255; R, G, B whatever order the network was trained on.
        """
        ordered = pixels_hwc[:, :, ::-1] if self.color == "BGR" else pixels_hwc
        return np.ascontiguousarray(ordered.transpose(2, 0, 1)[None], dtype=np.float32)

    def tensor(self, path: Path) -> NDArray[np.float32]:
        """Read an image file.

        Returns:
            float32 NCHW, a batch of one.

        Raises:
            InputError: missing, or not a picture Pillow can read.
        """
        return self.normalise(self.pixels(read_image(path)))


def read_image(path: Path) -> Image.Image:
    """Decode an image file completely.

    Raises:
        InputError: missing, truncated, too large to be believed, or not a picture.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return image.copy()
    except FileNotFoundError as error:
        raise InputError(f"no such image: {path}") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is not an image that can be read ({error})") from error


def _upright(image: Image.Image) -> Image.Image:
    """Photographs from phones lie on their side with a note about it."""
    return ImageOps.exif_transpose(image)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit values down. Pillow's convert() would cut them off at 255: a scan would be a white page."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint32) // 257).astype(np.uint8))
    return image


def _centre_crop(image: Image.Image, height: int, width: int) -> Image.Image:
    left = (image.width - width + 1) // 2 if image.width < width else (image.width - width) // 2
    top = (image.height - height + 1) // 2 if image.height < height else (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
