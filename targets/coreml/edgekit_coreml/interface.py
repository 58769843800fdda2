"""What the package takes and gives, as the user's options want it and the model allows it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgekit.errors import UsageError
from edgekit.target import ConvertJob, TensorSpec
from edgekit_coreml.features import PROBABILITIES, unique_labels
from edgekit_coreml.options import CoreMLOptions

if TYPE_CHECKING:
    from edgekit.preprocessing import Preprocessing

NORMALISES = "the package takes pictures and normalises their 8-bit values itself: an app resizes and crops, and nothing more"
SAME_LABELS = "{} classes share their label with another; in the package their numbers tell them apart, as in {!r}"


@dataclass(frozen=True, slots=True)
class Interface:
    """What the package takes and gives.

    Attributes:
        inputs: names, shapes and types.
        outputs: likewise; a classifier's label is not among them, for it follows from the probabilities.
        pictures: how the package normalises the pixels of its one input; None where the app does.
        color: "RGB", "BGR" or "L", of such pixels.
        labels: of a classifier, each once; empty for any other model.
        notes: what a user should know about it.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    pictures: Preprocessing | None = None
    color: str = ""
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def design(job: ConvertJob, options: CoreMLOptions) -> Interface:
    """Decide what the package takes and gives.

    Raises:
        UsageError: options that contradict each other, or for which this model lacks the facts.
    """
    if options.io == "float16" and options.minimum_deployment_target == "iOS15":
        raise UsageError("io=float16 needs minimum_deployment_target=iOS16 or later: before, Core ML took no float16 arrays")
    if options.color != "as_trained" and options.input != "image":
        raise UsageError(f"color={options.color} is the channel order of a picture: add --option input=image")
    interface = Interface(
        tuple(replace(spec, dtype=options.io) for spec in job.program.inputs),
        tuple(replace(spec, dtype=options.io) for spec in job.program.outputs),
    )
    if options.input == "image":
        interface = _with_pictures(interface, job, options.color)
    return _with_labels(interface, job) if options.output == "classifier" else interface


def _with_pictures(interface: Interface, job: ConvertJob, color: str) -> Interface:
    if job.card is None:
        raise UsageError("input=image needs the model's preprocessing, which this job does not tell")
    trained = job.card.preprocessing.color
    if color != "as_trained" and trained == "L":
        raise UsageError(f"color={color} makes no sense for a model of grey pictures: leave it out")
    return replace(
        interface,
        inputs=tuple(replace(spec, dtype="uint8") for spec in interface.inputs),
        pictures=job.card.preprocessing,
        color=trained if color == "as_trained" else color,
        notes=(*interface.notes, NORMALISES),
    )


def _with_labels(interface: Interface, job: ConvertJob) -> Interface:
    (logits,) = interface.outputs
    labels = job.card.labels if job.card else ()
    if not labels:
        raise UsageError("output=classifier needs labels, and the checkpoint has none: give a file of them with --labels")
    unique = unique_labels(labels)
    changed = [label for label, given in zip(unique, labels, strict=True) if label != given]
    return replace(
        interface,
        outputs=(TensorSpec(PROBABILITIES, logits.shape, "float32", logits.layout, softmax_of=logits.name),),
        labels=unique,
        notes=(*interface.notes, SAME_LABELS.format(len(changed), changed[0])) if changed else interface.notes,
    )
