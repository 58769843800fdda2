"""ExportedProgram -> `model.xml` and `model.bin`."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import openvino
from torch.export import ExportedProgram

from edgekit.option import option_strings, parse_options
from edgekit.target import (
    FLOAT16_TOLERANCE,
    FLOAT32_TOLERANCE,
    Availability,
    Conversion,
    ConvertJob,
    LoadJob,
    Tolerance,
)
from edgekit_openvino.runner import DEVICE, OpenVINORunner


@dataclass(frozen=True, slots=True)
class OpenVINOOptions:
    """`--option` of this target.

    Attributes:
        inference_precision: arithmetic of the CPU plugin. "f32" whatever the precision of the weights, because few CPUs
            compute in float16 and the plugin silently takes bfloat16 instead.
    """

    inference_precision: Literal["f32", "bf16", "f16"] = "f32"


class OpenVINOTarget:
    """Makes and runs OpenVINO IR."""

    name = "openvino"
    packages = ("openvino",)
    tolerances: Mapping[str, Tolerance] = {"float32": FLOAT32_TOLERANCE, "float16": FLOAT16_TOLERANCE}

    def probe(self) -> Availability:
        """The SDK was imported with this module; its CPU plugin may still be missing."""
        if DEVICE in openvino.Core().available_devices:
            return Availability(can_convert=True, runs="native")
        return Availability(True, "no", "OpenVINO has no CPU plugin on this system: run `edgekit verify` where it has one")

    def convert(self, job: ConvertJob) -> Conversion:
        """Write `model.xml` and `model.bin`, the weights as float32 or as float16.

        Raises:
            edgekit.errors.UsageError: an unknown option or value.
        """
        options = parse_options(OpenVINOOptions, job.options, target=self.name)
        shapes = [list(tensor.shape) for tensor in job.program.inputs]
        exported = job.program.exported if job.precision == "float32" else _rounded(job.program.exported)
        model = openvino.convert_model(exported, input=shapes)
        for port, tensor in zip(model.inputs, job.program.inputs, strict=True):
            port.get_tensor().set_names({tensor.name})
        for port, tensor in zip(model.outputs, job.program.outputs, strict=True):
            port.get_tensor().set_names({tensor.name})
        path = job.out_dir / "model.xml"
        openvino.save_model(model, path, compress_to_fp16=job.precision == "float16")
        # The indentation of the XML is a tenth of a small model's artifact, and of no use to anybody.
        path.write_text(re.sub(r">\s+<", "><", path.read_text("utf-8")), "utf-8")
        return Conversion(path, "OpenVINO IR", option_strings(options))

    def load(self, job: LoadJob) -> OpenVINORunner:
        """Compile the saved model for the CPU."""
        options = parse_options(OpenVINOOptions, job.options, target=self.name)
        return OpenVINORunner(job, options.inference_precision)


def _rounded(exported: ExportedProgram) -> ExportedProgram:
    """Round every weight to a float16 value, held as float32, so that compression can neither change nor refuse it.

    OpenVINO keeps a constant in float32 when most of its values are too small for float16
    (transformations/common_optimizations/compress_float_constants). In a checkpoint with many dead weights those are nearly all
    constants, and a "float16" file is then 0.93 times the float32 size.
    """
    rounded = copy.deepcopy(exported)
    for tensor in rounded.state_dict.values():
        if tensor.is_floating_point():
            tensor.data = tensor.data.half().float()
    return rounded
