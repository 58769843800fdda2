"""What all workers of a run share, made once by the parent: the captured programs, the model card, PyTorch's answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.calibration import read_pictures
from edgekit.desk import program_name, reference_name
from edgekit.manifest import ModelCard, write_json
from edgekit.pipeline import CALIBRATION, CARD
from edgekit.precision import COMPRESSED, INT8
from edgekit.reference import YARDSTICKS, Reference, compute_int8_reference, compute_reference, save_reference
from edgekit.samples import make_samples

if TYPE_CHECKING:
    from edgekit.mobilenet.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Pictures:
    """The files that a run looks at.

    Attributes:
        parity: to compare artifacts with PyTorch on; empty for those that edgekit ships.
        calibration: to measure the ranges of an int8 program on; empty where there is none.
    """

    parity: tuple[Path, ...] = ()
    calibration: tuple[Path, ...] = ()


def make_shared(
    checkpoint: Checkpoint,
    name: str,
    source: str,
    precisions: Collection[str],
    pictures: Pictures,
    folder: Path,
    is_ready: Callable[[str], None],
) -> None:
    """Write what the workers need, in the order they need it.

    Args:
        checkpoint: the model.
        name: short, for the card.
        source: where it came from, for the card.
        precisions: of all artifacts.
        pictures: to look at.
        folder: where to write.
        is_ready: told the name of each resource as it is there.
    """
    from edgekit.mobilenet.program import capture_program, save_program

    program = capture_program(checkpoint.network())
    save_program(program, folder / f"{program_name('')}.pt2")
    card = ModelCard(
        name, source, checkpoint.sha256, "classification", checkpoint.spec, checkpoint.preprocessing, checkpoint.labels
    )
    write_json(folder / CARD, card)
    is_ready(program_name(""))
    reference = answers_of(checkpoint, pictures.parity, precisions)
    save_reference(reference, folder / f"{reference_name('')}.npz")
    is_ready(reference_name(""))
    if INT8 not in precisions:
        return
    import torch

    from edgekit.quantization.program import capture_int8, quantise

    images_nchw, calibration = read_pictures(pictures.calibration, checkpoint.preprocessing)
    write_json(folder / CALIBRATION, calibration)
    int8 = capture_int8(quantise(program, [torch.from_numpy(image) for image in images_nchw]))
    save_program(int8, folder / f"{program_name(INT8)}.pt2")
    is_ready(program_name(INT8))
    names = [output.name for output in int8.outputs]
    answers = compute_int8_reference(int8.exported.module(), names, reference.samples)
    save_reference(replace(reference, approximate={INT8: answers}), folder / f"{reference_name(INT8)}.npz")
    is_ready(reference_name(INT8))


def answers_of(checkpoint: Checkpoint, pictures: Sequence[Path], precisions: Collection[str]) -> Reference:
    """Compute what artifacts of these precisions are judged against; the yardsticks of float32 always."""
    network = checkpoint.network()
    samples = make_samples(checkpoint.preprocessing, size=checkpoint.spec.resolution, images=pictures)
    yardsticks = [kind for kind, precision in YARDSTICKS.items() if precision == "float32" or precision in precisions]
    compressed = [precision for precision in precisions if precision in COMPRESSED]
    return compute_reference(network, network.output_names, samples, yardsticks=yardsticks, compressed=compressed)
