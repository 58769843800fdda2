"""ExportedProgram -> `model.xml` and `model.bin`."""

from __future__ import annotations

from pathlib import Path

import openvino
from torch.export import ExportedProgram

from edgekit.mobilenet.compression import compress_weights
from edgekit.mobilenet.float16 import round_weights
from edgekit.precision import APPROXIMATE, COMPRESSED, INT8
from edgekit.target import ConvertJob
from edgekit_openvino.names import name_products
from edgekit_openvino.overflow import may_overflow
from edgekit_openvino.rounding import ROUNDINGS, simplify
from edgekit_openvino.size import shorten_names, strip_details, strip_indentation
from edgekit_openvino.weights import store_float16, store_integers


def convert(job: ConvertJob) -> tuple[Path, bool]:
    """Write `model.xml` and `model.bin` into the job's folder, of the job's precision.

    Returns:
        The former's path, and whether int8 products may overflow on CPUs that have them in 16 bits.
    """
    sizes = [list(tensor.shape) for tensor in job.program.inputs]
    extension = ROUNDINGS if job.precision == INT8 else None
    model = openvino.convert_model(_program_of(job), input=sizes, extension=extension)
    if job.precision == "float16":
        store_float16(model)
    elif job.precision == INT8:
        simplify(model)
    elif job.precision in COMPRESSED:
        store_integers(model)
    shorten_names(model)
    name_products(model, job.program.exported)
    for port, tensor in zip(model.inputs, job.program.inputs, strict=True):
        port.get_tensor().set_names({tensor.name})
    for port, tensor in zip(model.outputs, job.program.outputs, strict=True):
        port.get_tensor().set_names({tensor.name})
    path = job.out_dir / "model.xml"
    openvino.save_model(model, path, compress_to_fp16=False)
    xml = strip_indentation(path.read_text("utf-8"))
    path.write_text(strip_details(xml) if job.precision in APPROXIMATE else xml, "utf-8")
    return path, job.precision == INT8 and may_overflow(model)


def _program_of(job: ConvertJob) -> ExportedProgram:
    if job.precision == "float16":
        return round_weights(job.program.exported)
    if job.precision in COMPRESSED:
        return compress_weights(job.program.exported, job.precision)
    return job.program.exported
