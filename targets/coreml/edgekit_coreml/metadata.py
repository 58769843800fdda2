"""What the package says of itself: for Xcode's model view, for apps, and for whoever asks later where it came from."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from edgekit.target import ConvertJob
from edgekit_coreml.features import LABEL, PROBABILITIES
from edgekit_coreml.interface import Interface
from edgekit_coreml.options import CoreMLOptions

if TYPE_CHECKING:
    from edgekit.manifest import ModelCard
    from edgekit.preprocessing import Preprocessing

PREVIEW_TYPE = "com.apple.coreml.model.preview.type"  # Xcode then lets one drop pictures on the model
SOURCE, DIALECT = "com.github.apple.coremltools.source", "com.github.apple.coremltools.source_dialect"


def describe(model: Any, job: ConvertJob, options: CoreMLOptions, interface: Interface) -> None:
    """Fill in the metadata of a converted `coremltools.models.MLModel`, in place.

    Args:
        model: the model.
        job: what was asked, and which model it is.
        options: the user's own words.
        interface: what the package takes and gives.
    """
    card = job.card
    model.author, model.license = options.author, options.license
    model.version = options.version or (card.sha256[:12] if card else "")
    model.short_description = options.description or (_summary(card) if card else "")
    for name in model.input_description:
        if card:
            model.input_description[name] = _describe_input(card.preprocessing, interface)
    for name in model.output_description:
        model.output_description[name] = {
            LABEL: "the most probable class",
            PROBABILITIES: "the probability of each class, by its label",
        }.get(name, "a score for each class, in the order of the labels; softmax makes probabilities of them")
    known = model.user_defined_metadata
    # coremltools itself remembers only the second of the two steps.
    known[SOURCE], known[DIALECT] = f"torch=={version('torch')}", "TorchExport::ATEN"
    for name, value in _provenance(job, options).items():
        known[f"edgekit.{name}"] = value
    if interface.pictures and interface.labels:
        known[PREVIEW_TYPE] = "imageClassifier"


def _provenance(job: ConvertJob, options: CoreMLOptions) -> dict[str, str]:
    facts = {
        "version": version("edgekit"),
        "torch_version": version("torch"),
        "precision": job.precision,
        "minimum_deployment_target": options.minimum_deployment_target,
        "compute_units": options.compute_units,
    }
    if job.card:
        facts |= {"model": job.card.name, "checkpoint": job.card.source, "checkpoint_sha256": job.card.sha256}
    return facts


def _summary(card: ModelCard) -> str:
    size = f"{card.spec.resolution} x {card.spec.resolution}"
    return f"{card.name}: {card.task}, {card.spec.classes} classes, pictures of {size} pixels. Converted by edgekit"


def _describe_input(preprocessing: Preprocessing, interface: Interface) -> str:
    height, width = interface.inputs[0].shape[-2:]
    steps = ["a picture"]
    if preprocessing.resize:
        steps.append("resized to {1} x {0} pixels, whatever its shape".format(*preprocessing.resize))
    elif preprocessing.shortest_edge:
        steps.append(f"its shorter side resized to {preprocessing.shortest_edge} pixels")
    if preprocessing.crop:
        steps.append("cropped at its centre to {1} x {0}".format(*preprocessing.crop))
    picture = ", ".join(steps)
    if interface.pictures:
        return f"{picture}: {width} x {height} pixels of 8 bits, which the model scales and normalises itself"
    channels = {"L": "one grey channel", "RGB": "red, green, blue", "BGR": "blue, green, red"}[preprocessing.color]
    mean, std = (" ".join(f"{value:g}" for value in values) for values in (preprocessing.mean, preprocessing.std))
    return (
        f"{picture}: {channels}, {width} x {height} values, each (v * {preprocessing.scale:.8g} - mean) / std "
        f"of an 8-bit value v, with mean {mean} and std {std}"
    )
