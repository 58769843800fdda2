"""`--option` of this target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from edgekit.errors import UsageError
from edgekit.precision import INT8

COMPUTE_UNITS = {
    "CPU_ONLY": "Core ML on the CPU alone",
    "CPU_AND_GPU": "Core ML on CPU and GPU",
    "CPU_AND_NE": "Core ML on CPU and Neural Engine",
    "ALL": "Core ML on all units",
}


@dataclass(frozen=True, slots=True)
class CoreMLOptions:
    """What the user chose, or its default.

    Attributes:
        minimum_deployment_target: the oldest system that must run the package; by default iOS 16, and iOS 17 for int8, which no
            older system has operators for.
        compute_units: where Core ML may run it, on Apple systems.
        input: "tensor", normalised by the app; or "image", 8-bit pixels that the package normalises itself.
        color: channel order of an image input; by default the one that the network was trained on. With another one the package
            exchanges the channels.
        output: "logits", or "classifier": the most probable label, and the probability of each label.
        io: type of a tensor input and of logits, whatever the precision within.
        author: for the package's metadata, as the next three.
        license: e.g. "Apache-2.0".
        version: of the model; by default the first digits of the checkpoint's sha256.
        description: by default a sentence about the model.
    """

    minimum_deployment_target: Literal["as_needed", "iOS15", "iOS16", "iOS17", "iOS18", "iOS26"] = "as_needed"
    compute_units: Literal["ALL", "CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE"] = "ALL"
    input: Literal["tensor", "image"] = "tensor"
    color: Literal["as_trained", "RGB", "BGR"] = "as_trained"
    output: Literal["logits", "classifier"] = "logits"
    io: Literal["float32", "float16"] = "float32"
    author: str = ""
    license: str = ""
    version: str = ""
    description: str = ""


def in_force(options: CoreMLOptions, precision: str) -> CoreMLOptions:
    """Decide what was left open.

    Raises:
        UsageError: int8 for a system that cannot run it.
    """
    if options.minimum_deployment_target == "as_needed":
        return replace(options, minimum_deployment_target="iOS17" if precision == INT8 else "iOS16")
    if precision == INT8 and options.minimum_deployment_target in ("iOS15", "iOS16"):
        raise UsageError(
            "int8 needs --option minimum_deployment_target=iOS17 or later, for Core ML has had 8-bit activations since iOS 17; "
            "with int8-weights a package runs on iOS 16"
        )
    return options
