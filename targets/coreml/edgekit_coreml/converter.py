"""ExportedProgram -> `model.mlpackage`, an ML Program.

In two steps: coremltools' frontend makes an MIL program of the captured network; what that lacks is put in, as operators of the
graph; coremltools' passes and backend make a package of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.export import ExportedProgram

from edgekit.mobilenet.compression import compress_weights, is_compressed
from edgekit.mobilenet.float16 import round_weights
from edgekit.option import option_strings
from edgekit.precision import COMPRESSED, INT8
from edgekit.target import Conversion, ConvertJob
from edgekit_coreml.interface import Interface, design
from edgekit_coreml.metadata import describe
from edgekit_coreml.options import CoreMLOptions
from edgekit_coreml.saving import own_temporary_folder, save_package
from edgekit_coreml.sdk import import_coremltools

ct = import_coremltools()  # first, for the modules below would import it without its precautions

from coremltools.converters.mil.mil import Builder  # noqa: E402
from coremltools.converters.mil.mil.scope import ScopeInfo, ScopeSource  # noqa: E402

from edgekit_coreml.compression import make_pipeline  # noqa: E402
from edgekit_coreml.graph import give_probabilities, take_pictures  # noqa: E402
from edgekit_coreml.names import name_operations, number_nodes  # noqa: E402
from edgekit_coreml.padding import fold_pads  # noqa: E402
from edgekit_coreml.rounding import drop_repeated_roundings  # noqa: E402
from edgekit_coreml.validation import validated_once  # noqa: E402

PROBABILITIES = "probabilities"  # inside the program; its output is a dictionary of them
COLORS = {"RGB": ct.colorlayout.RGB, "BGR": ct.colorlayout.BGR, "L": ct.colorlayout.GRAYSCALE}


def convert(job: ConvertJob, options: CoreMLOptions) -> Conversion:
    """Write `model.mlpackage` into the job's folder.

    Raises:
        UsageError: options that contradict each other, or for which this model lacks the facts.
    """
    interface = design(job, options)
    path = job.out_dir / "model.mlpackage"
    with own_temporary_folder():
        program = _read(job, options)
        with _without_source():
            drop_repeated_roundings(program)
            fold_pads(program)
            if interface.pictures:
                take_pictures(program, interface.pictures, swapped=interface.color != interface.pictures.color)
            if interface.labels:
                give_probabilities(program, PROBABILITIES)
        model = _build(program, job, options, interface)
        describe(model, job, options, interface)
        save_package(model, path)
        specification = model.get_spec().specificationVersion
    return Conversion(
        path,
        f"Core ML ML Program, specification {specification}",
        option_strings(options),
        interface.notes,
        interface.inputs,
        interface.outputs,
    )


def _read(job: ConvertJob, options: CoreMLOptions) -> Any:
    """Make an MIL program of the captured network, float32 within, its operators named after the network's modules."""
    exported = _weights_of(job)
    # {}: decompose nothing. Without it hard-swish becomes clip, mul and add, with three times the float16 error.
    exported = exported.run_decompositions({})
    nodes, signature = number_nodes(exported), exported.graph_signature
    dtype = np.dtype(options.io).type  # said by name: coremltools otherwise makes a float16 package's outputs float16
    program = ct.convert(
        exported,
        convert_to="milinternal",
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=ct.target[options.minimum_deployment_target],
        inputs=[ct.TensorType(spec.name, spec.shape, dtype=dtype) for spec in job.program.inputs],
        outputs=[ct.TensorType(spec.name, dtype=dtype) for spec in job.program.outputs],
        pass_pipeline=ct.PassPipeline.EMPTY,
    )
    name_operations(program, nodes, {**signature.inputs_to_parameters, **signature.inputs_to_buffers})
    return program


def _weights_of(job: ConvertJob) -> ExportedProgram:
    if job.precision in ("float32", INT8):
        return job.program.exported
    if job.precision in COMPRESSED:
        return round_weights(_to_nearest(compress_weights(job.program.exported, job.precision)))
    return round_weights(job.program.exported)


def _to_nearest(compressed: ExportedProgram) -> ExportedProgram:
    """Round compressed weights to float16 one by one, in place: moved to keep a sum, they would not be the table's any more."""
    for tensor in compressed.state_dict.values():
        if is_compressed(tensor.shape):
            tensor.data = tensor.data.half().float()
    return compressed


def _build(program: Any, job: ConvertJob, options: CoreMLOptions, interface: Interface) -> Any:
    """Run coremltools' passes and backend on an MIL program."""
    seen: dict[str, Any] = {}
    if interface.pictures:
        layout = COLORS[interface.color]
        seen["inputs"] = [ct.ImageType(spec.name, spec.shape, color_layout=layout) for spec in interface.inputs]
    if interface.labels:
        seen["classifier_config"] = ct.ClassifierConfig(list(interface.labels), predicted_probabilities_output=PROBABILITIES)
    # of a channel of zeros coremltools computes 0 / 0, and stores zeros and a scale of zero
    with np.errstate(invalid="ignore"), validated_once() as validate:
        model = ct.convert(
            program,
            convert_to="mlprogram",
            compute_precision=ct.precision.FLOAT32 if job.precision == "float32" else ct.precision.FLOAT16,
            pass_pipeline=make_pipeline(job.precision, options.minimum_deployment_target),
            minimum_deployment_target=ct.target[options.minimum_deployment_target],
            skip_model_load=True,
            **seen,
        )
        validate(model._mil_program)
        return model


def _without_source() -> Any:
    """coremltools wants to know which node of the network an operator comes from: those of ours come from none."""
    return Builder.scope(ScopeInfo(ScopeSource.EXIR_STACK_TRACE, [None]), ScopeInfo(ScopeSource.EXIR_DEBUG_HANDLE, [None]))
