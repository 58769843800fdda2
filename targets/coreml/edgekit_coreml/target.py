"""ExportedProgram -> `model.mlpackage`, an ML Program."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import numpy as np

from edgekit.option import option_strings, parse_options
from edgekit.target import (
    FLOAT16_TOLERANCE,
    FLOAT32_TOLERANCE,
    Availability,
    Conversion,
    ConvertJob,
    LoadJob,
    Runner,
    Tolerance,
)
from edgekit_coreml.sdk import import_coremltools

NO_CORE_ML = (
    "Core ML exists only on Apple systems; here a reference runtime executes the saved package instead, which shows whether its "
    "numbers are right, and not how a device rounds or how long it takes"
)


@dataclass(frozen=True, slots=True)
class CoreMLOptions:
    """`--option` of this target.

    Attributes:
        minimum_deployment_target: the oldest system that must run the package.
        compute_units: where Core ML may run it, on Apple systems.
    """

    minimum_deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18"] = "iOS16"
    compute_units: Literal["ALL", "CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE"] = "ALL"


class CoreMLTarget:
    """Makes `.mlpackage` folders, and runs them with Core ML or, where there is none, with the reference runtime."""

    name = "coreml"
    packages = ("coremltools",)
    tolerances: Mapping[str, Tolerance] = {"float32": FLOAT32_TOLERANCE, "float16": FLOAT16_TOLERANCE}

    def probe(self) -> Availability:
        """coremltools is looked up, not imported: running a package needs a part of it only, and its import takes seconds."""
        try:
            version("coremltools")
        except PackageNotFoundError:
            return Availability(False, "no", 'coremltools is not installed: pip install "edgekit[coreml]"')
        if sys.platform == "darwin":
            return Availability(can_convert=True, runs="native")
        return Availability(can_convert=True, runs="reference", reason=NO_CORE_ML)

    def convert(self, job: ConvertJob) -> Conversion:
        """Write `model.mlpackage`, float32 at its inputs and outputs whatever its precision.

        Raises:
            edgekit.errors.UsageError: an unknown option or value.
        """
        options = parse_options(CoreMLOptions, job.options, target=self.name)
        from edgekit.mobilenet.float16 import round_weights

        exported = job.program.exported if job.precision == "float32" else round_weights(job.program.exported)
        coremltools = import_coremltools()
        precision = {"float32": coremltools.precision.FLOAT32, "float16": coremltools.precision.FLOAT16}
        path = job.out_dir / "model.mlpackage"
        with _own_temporary_folder():
            model = coremltools.convert(
                # {}: decompose nothing. Without it hard-swish becomes clip, mul and add, with three times the float16 error.
                exported.run_decompositions({}),
                convert_to="mlprogram",
                compute_precision=precision[job.precision],
                minimum_deployment_target=getattr(coremltools.target, options.minimum_deployment_target),
                # Types by name: coremltools otherwise makes a float16 package's outputs float16.
                inputs=[coremltools.TensorType(tensor.name, tensor.shape, dtype=np.float32) for tensor in job.program.inputs],
                outputs=[coremltools.TensorType(tensor.name, dtype=np.float32) for tensor in job.program.outputs],
                skip_model_load=True,
            )
            model.save(str(path))
        # save() leaves a debugging aid that the package's own Manifest does not name.
        (path / "executorch_debug_handle_mapping.json").unlink(missing_ok=True)
        specification = model.get_spec().specificationVersion
        return Conversion(path, f"Core ML ML Program, specification {specification}", option_strings(options))

    def load(self, job: LoadJob) -> Runner:
        """Load the saved package into Core ML, or into the reference runtime where there is none."""
        if sys.platform == "darwin":
            from edgekit_coreml.native import CoreMLRunner

            options = parse_options(CoreMLOptions, job.options, target=self.name)
            return CoreMLRunner(job, options.compute_units)
        from edgekit_coreml.runner import ReferenceRunner

        return ReferenceRunner(job)


@contextlib.contextmanager
def _own_temporary_folder() -> Iterator[None]:
    """coremltools leaves a copy of every package it makes in the temporary folder: give it one that goes away."""
    before = tempfile.tempdir
    folder = Path(tempfile.mkdtemp(prefix="edgekit-coreml-"))
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)
