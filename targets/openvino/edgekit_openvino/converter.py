"""ExportedProgram -> `model.xml` and `model.bin`."""

from __future__ import annotations

import re
from pathlib import Path

import openvino

from edgekit.mobilenet.float16 import round_weights
from edgekit.target import ConvertJob


def convert(job: ConvertJob) -> Path:
    """Write `model.xml` and `model.bin` into the job's folder, the weights as float32 or as float16; return the former's path."""
    # Rounded here and not by OpenVINO, which besides keeps a constant in float32 when most of its values are too small for
    # float16 (transformations/common_optimizations/compress_float_constants): nearly all of them in a checkpoint with many dead
    # weights, whose "float16" file is then 0.93 times the float32 size.
    exported = job.program.exported if job.precision == "float32" else round_weights(job.program.exported)
    model = openvino.convert_model(exported, input=[list(tensor.shape) for tensor in job.program.inputs])
    for port, tensor in zip(model.inputs, job.program.inputs, strict=True):
        port.get_tensor().set_names({tensor.name})
    for port, tensor in zip(model.outputs, job.program.outputs, strict=True):
        port.get_tensor().set_names({tensor.name})
    path = job.out_dir / "model.xml"
    openvino.save_model(model, path, compress_to_fp16=job.precision == "float16")
    # The indentation of the XML is a tenth of a small model's artifact, and of no use to anybody.
    path.write_text(re.sub(r">\s+<", "><", path.read_text("utf-8")), "utf-8")
    return path
