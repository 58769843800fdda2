"""ExportedProgram -> `model.xml` and `model.bin`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from openvino import opset1 as ops

from edgekit.mobilenet.float16 import round_weights
from edgekit.target import ConvertJob

# The layer that turns a float16 constant back into float32 takes 430 bytes of XML; fewer values than these save less than that.
_FEWEST_COMPRESSED = 216


def convert(job: ConvertJob) -> Path:
    """Write `model.xml` and `model.bin` into the job's folder, the weights as float32 or as float16; return the former's path."""
    is_float16 = job.precision == "float16"
    exported = round_weights(job.program.exported) if is_float16 else job.program.exported
    model = openvino.convert_model(exported, input=[list(tensor.shape) for tensor in job.program.inputs])
    _shorten_names(model)
    for port, tensor in zip(model.inputs, job.program.inputs, strict=True):
        port.get_tensor().set_names({tensor.name})
    for port, tensor in zip(model.outputs, job.program.outputs, strict=True):
        port.get_tensor().set_names({tensor.name})
    if is_float16:
        _compress(model)
    path = job.out_dir / "model.xml"
    openvino.save_model(model, path, compress_to_fp16=False)
    # The indentation of the XML is a tenth of a small model's artifact, and of no use to anybody.
    path.write_text(re.sub(r">\s+<", "><", path.read_text("utf-8")), "utf-8")
    return path


def _compress(model: Any) -> None:
    """Store constants as float16, where that makes the artifact smaller.

    Not by `save_model(compress_to_fp16=True)`: it compresses the smallest constants too, and leaves one in float32 when most of
    its values are too small for float16 (transformations/common_optimizations/compress_float_constants), as nearly all are in
    a checkpoint with many dead weights, whose "float16" file is then 0.93 times the float32 size.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_element_type() != openvino.Type.f32:
            continue
        if node.data.size < _FEWEST_COMPRESSED:
            continue
        readers = node.output(0).get_target_inputs()
        widened = ops.convert(ops.constant(node.data.astype(np.float16)), "f32")
        widened.set_friendly_name(node.get_friendly_name())
        for reader in readers:
            reader.replace_source_output(widened.output(0))


def _shorten_names(model: Any) -> None:
    """`conv2d_3/aten.conv2d.default/Convolution` says `conv2d` thrice, and nobody asks for tensors between layers by name."""
    for node in model.get_ordered_ops():
        node.set_friendly_name(re.sub(r"/aten\.[\w.]+(?=/)", "", node.get_friendly_name()))
        for output in node.outputs():
            output.get_tensor().set_names(set())
