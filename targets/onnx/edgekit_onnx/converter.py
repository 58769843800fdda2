"""ExportedProgram -> `model.onnx`: one self-contained file, float32 at its inputs and outputs."""

from __future__ import annotations

import logging
from pathlib import Path

import onnx
import torch

from edgekit.mobilenet.float16 import to_float16
from edgekit.target import ConvertJob

# torch.onnx registers torchvision's operators where torchvision is, and logs each that is not there.
logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)


def export(job: ConvertJob, *, opset: int) -> tuple[Path, int]:
    """Write `model.onnx` into the job's folder.

    Returns:
        Its path, and the version of ONNX's intermediate representation.
    """
    exported = torch.onnx.export(
        job.program.exported if job.precision == "float32" else to_float16(job.program),
        input_names=[tensor.name for tensor in job.program.inputs],
        output_names=[tensor.name for tensor in job.program.outputs],
        opset_version=opset,
        dynamo=True,
        verbose=False,
    )
    assert exported
    model = exported.model_proto
    onnx.checker.check_model(model)
    path = job.out_dir / "model.onnx"
    onnx.save(model, path)
    return path, model.ir_version
