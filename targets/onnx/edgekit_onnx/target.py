"""ExportedProgram -> `model.onnx`: one self-contained file, float32 at its inputs and outputs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import onnx
import torch

from edgekit.errors import UsageError
from edgekit.mobilenet.capture import to_float16
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
from edgekit_onnx.runner import OnnxRunner

# torch.onnx registers torchvision's operators where torchvision is, and logs each that is not there.
logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)

MIN_OPSET, MAX_OPSET = 18, 23


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """`--option` of this target.

    Attributes:
        opset: version of ONNX's operator set; torch's exporter writes 18 at least.
    """

    opset: int = 20


class OnnxTarget:
    """Makes and runs `.onnx` files."""

    name = "onnx"
    packages = ("onnx", "onnxscript", "onnxruntime")
    tolerances: Mapping[str, Tolerance] = {"float32": FLOAT32_TOLERANCE, "float16": FLOAT16_TOLERANCE}

    def probe(self) -> Availability:
        """The SDK was imported with this module: it is here."""
        return Availability(can_convert=True, runs="native")

    def convert(self, job: ConvertJob) -> Conversion:
        """Write `model.onnx`.

        Raises:
            UsageError: an unknown option, or an opset the exporter does not write.
        """
        options = parse_options(OnnxOptions, job.options, target=self.name)
        if not MIN_OPSET <= options.opset <= MAX_OPSET:
            raise UsageError(f"opset must be between {MIN_OPSET} and {MAX_OPSET}, not {options.opset}")
        exported = torch.onnx.export(
            job.program.exported if job.precision == "float32" else to_float16(job.program),
            input_names=[tensor.name for tensor in job.program.inputs],
            output_names=[tensor.name for tensor in job.program.outputs],
            opset_version=options.opset,
            dynamo=True,
            verbose=False,
        )
        assert exported
        model = exported.model_proto
        onnx.checker.check_model(model)
        path = job.out_dir / "model.onnx"
        onnx.save(model, path)
        return Conversion(path, f"ONNX opset {options.opset}, IR {model.ir_version}", option_strings(options))

    def load(self, job: LoadJob) -> OnnxRunner:
        """Open a session on the file."""
        return OnnxRunner(job)
