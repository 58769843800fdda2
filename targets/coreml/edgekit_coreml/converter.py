"""ExportedProgram -> `model.mlpackage`, an ML Program."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgekit.mobilenet.float16 import round_weights
from edgekit.option import option_strings
from edgekit.target import Conversion, ConvertJob
from edgekit_coreml.options import CoreMLOptions
from edgekit_coreml.sdk import import_coremltools


def convert(job: ConvertJob, options: CoreMLOptions) -> Conversion:
    """Write `model.mlpackage` into the job's folder, float32 at its inputs and outputs whatever its precision."""
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
