"""Images as inputs and outputs: PIL pictures outside, [1, channels, height, width] inside, in the order that is described.

coremltools documents neither a scale nor a bias here: in an ML program these are operators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from edgekit_coreml.reference.feature import Sizes
from edgekit_coreml.reference.program import Variable

Color = Literal["RGB", "BGR", "GRAYSCALE", "GRAYSCALE_FLOAT16"]
MODES: dict[Color, str] = {"RGB": "RGB", "BGR": "RGB", "GRAYSCALE": "L", "GRAYSCALE_FLOAT16": "F"}
"""The mode of the picture that `coremltools.models.MLModel.predict` takes for each."""


@dataclass(frozen=True, slots=True)
class ImageFeature:
    """An image.

    Attributes:
        variable: of the program, float16 or float32: 0 to 255 in each channel, or any float16 for GRAYSCALE_FLOAT16.
        color: the channels.
        sizes: allowed heights and widths, in this order.
    """

    variable: Variable
    color: Color
    sizes: Sizes

    def hold(self, value: Any) -> Tensor:
        """Take a picture of an allowed size and of the mode that `MODES` says."""
        mode = MODES[self.color]
        if not isinstance(value, Image.Image) or value.mode != mode:
            found = f"mode {value.mode}" if isinstance(value, Image.Image) else type(value).__name__
            found = "nothing" if value is None else found
            raise ValueError(f"is a {self.color} image, which takes a PIL image of mode {mode}: it was given {found}")
        pixels = np.asarray(value, np.float32)
        if not self.sizes.accepts(pixels.shape[:2]) or not self.variable.accepts(self._shape(pixels)):
            raise ValueError(f"was given an image of height {value.height} and width {value.width}; allowed is {self.sizes}")
        if self.color == "GRAYSCALE_FLOAT16":
            pixels = pixels.astype(np.float16).astype(np.float32)  # a pixel buffer of halves is what Core ML is given
        if self.color == "BGR":
            pixels = pixels[:, :, ::-1]
        channels_last = pixels.reshape(*pixels.shape[:2], -1)
        return torch.from_numpy(np.ascontiguousarray(channels_last.transpose(2, 0, 1)[None]))

    def give(self, value: Tensor) -> Any:
        """Give a picture of mode RGBA, L or F, as coremltools does.

        Raises:
            ValueError: a value is not one of the integers from 0 to 255. What Core ML makes of it is not documented.
        """
        pixels = value[0].numpy()
        if self.color == "GRAYSCALE_FLOAT16":
            return Image.fromarray(np.array(pixels[0], np.float32))
        if not ((pixels == np.round(pixels)) & (pixels >= 0) & (pixels <= 255)).all():
            raise ValueError(
                "is an image with values that are no integers from 0 to 255, and how Core ML makes bytes of them is not "
                "documented: let the program round and clip them, or convert with an output of TensorType"
            )
        channels = pixels.astype(np.uint8)
        if self.color == "GRAYSCALE":
            return Image.fromarray(channels[0])
        rgb = channels[::-1] if self.color == "BGR" else channels
        return Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0))).convert("RGBA")

    def _shape(self, pixels: Any) -> tuple[int, ...]:
        return (1, 3 if self.color in ("RGB", "BGR") else 1, *pixels.shape[:2])
