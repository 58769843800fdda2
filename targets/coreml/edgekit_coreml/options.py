"""`--option` of this target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
        minimum_deployment_target: the oldest system that must run the package.
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

    minimum_deployment_target: Literal["iOS15", "iOS16", "iOS17", "iOS18", "iOS26"] = "iOS16"
    compute_units: Literal["ALL", "CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE"] = "ALL"
    input: Literal["tensor", "image"] = "tensor"
    color: Literal["as_trained", "RGB", "BGR"] = "as_trained"
    output: Literal["logits", "classifier"] = "logits"
    io: Literal["float32", "float16"] = "float32"
    author: str = ""
    license: str = ""
    version: str = ""
    description: str = ""
