"""What coremltools does not put into a graph: an image's own mean and deviation per channel, and a softmax.

Its `ImageType` has one scale for all channels, its `color_layout="BGR"` says what the app gives and swaps nothing, and its
`ClassifierConfig` calls any numbers probabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from coremltools.converters.mil.mil import Builder

if TYPE_CHECKING:
    from edgekit.preprocessing import Preprocessing


def take_pictures(program: Any, preprocessing: Preprocessing, *, swapped: bool) -> None:
    """Normalise the 8-bit pixels of an MIL program's one input inside the graph, in place: (pixel * scale - mean) / std.

    The mean is subtracted first, in units of a pixel: TensorFlow's 127.5 then costs float16 nothing, and other means leave 65 dB
    or more. It is not folded into the first convolution: the zeros that this pads with stand for the mean colour, and would be
    black before normalising.

    Args:
        program: one float32 input, NCHW.
        preprocessing: how the network was trained.
        swapped: the pixels come with their first and last channel exchanged; they are put back.
    """
    function = program.functions["main"]
    (image,) = function.inputs.values()
    first = function.operations[0]
    mean = np.array(preprocessing.mean) / preprocessing.scale
    factor = preprocessing.scale / np.array(preprocessing.std)
    channels = len(mean)
    with function:
        if swapped:
            mean = mean[::-1]
        x = Builder.sub(x=image, y=np.float32(mean).reshape(1, -1, 1, 1), name=f"{image.name}_centred", before_op=first)
        if swapped:  # a 1x1 convolution, which every compute unit takes, exchanges and scales in one step
            exchange = (np.eye(channels)[::-1] * factor[:, None]).reshape(channels, channels, 1, 1)
            x = Builder.conv(x=x, weight=np.float32(exchange), name=f"{image.name}_normalised", before_op=first)
        else:
            scale = np.float32(factor).reshape(1, -1, 1, 1)
            x = Builder.mul(x=x, y=scale, name=f"{image.name}_normalised", before_op=first)
    function.replace_uses_of_var_after_op(anchor_op=x.op, old_var=image, new_var=x)


def give_probabilities(program: Any, name: str) -> None:
    """Put a softmax after an MIL program's one output, logits of shape (1, classes), in place.

    Args:
        program: its output stops being one.
        name: of the new output.
    """
    function = program.functions["main"]
    (logits,) = function.outputs
    with function:
        probabilities = Builder.softmax(x=logits, axis=-1, name=name)
    function.set_outputs([probabilities])
