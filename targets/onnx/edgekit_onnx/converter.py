"""ExportedProgram -> `model.onnx`: one self-contained file, float32 at its inputs and outputs."""

from __future__ import annotations

import logging
from pathlib import Path

import onnx
import torch
from torch.export import ExportedProgram

from edgekit.mobilenet.compression import compress_weights
from edgekit.mobilenet.float16 import to_float16
from edgekit.precision import COMPRESSED, INT8
from edgekit.target import ConvertJob
from edgekit_onnx.names import name_products
from edgekit_onnx.qdq import fuse
from edgekit_onnx.size import strip
from edgekit_onnx.weights import store_integers

# torch.onnx registers torchvision's operators where torchvision is, and logs each that is not there.
logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)


def export(job: ConvertJob, *, opset: int) -> tuple[Path, int]:
    """Write `model.onnx` into the job's folder.

    Returns:
        Its path, and the version of ONNX's intermediate representation.
    """
    exported = torch.onnx.export(
        _network(job),
        input_names=[tensor.name for tensor in job.program.inputs],
        output_names=[tensor.name for tensor in job.program.outputs],
        opset_version=opset,
        dynamo=True,
        verbose=False,
    )
    assert exported
    name_products(exported.model, job.program.exported)
    if job.precision == INT8:
        fuse(exported.model)
        strip(exported.model)
    elif job.precision in COMPRESSED:
        store_integers(exported.model)
        strip(exported.model)
    model = exported.model_proto
    onnx.checker.check_model(model)
    path = job.out_dir / "model.onnx"
    onnx.save(model, path)
    return path, model.ir_version


def _network(job: ConvertJob) -> ExportedProgram | torch.nn.Module:
    if job.precision == "float16":
        return to_float16(job.program)
    if job.precision in COMPRESSED:
        return compress_weights(job.program.exported, job.precision)
    return job.program.exported
