"""What all workers of a run share, made once by the parent: the captured programs, the model card, PyTorch's answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekit.calibration import MOST_SEARCHED, Calibration, read_pictures
from edgekit.dataset import LabelledPicture, decode, spread
from edgekit.desk import INT8_PROGRAM, program_name, reference_name
from edgekit.document import write_json
from edgekit.manifest import ModelCard
from edgekit.pipeline import CALIBRATION, CARD
from edgekit.precision import COMPRESSED, INT8
from edgekit.reference import YARDSTICKS, Reference, compute_int8_reference, compute_reference, save_reference
from edgekit.samples import make_samples

if TYPE_CHECKING:
    from edgekit.mobilenet.checkpoint import Checkpoint
    from edgekit.quantization.program import Quantised
    from edgekit.sensitivity import Search
    from edgekit.target import Program

RANKED = 16
"""Calibration pictures on which the units are ranked."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The files that a run looks at.

    Attributes:
        parity: to compare artifacts with PyTorch on; empty for those that edgekit ships.
        calibration: to measure the ranges of an int8 program on; empty where there is none.
        evaluation: to count on, for the goal; empty where there is none.
        max_drop_points: the goal: points of top-1, of 100, that int8 may lose; None for no goal.
        weight_bits: of an int8 program: 8, or 7, which no CPU's sums of products overflow.
    """

    parity: tuple[Path, ...] = ()
    calibration: tuple[Path, ...] = ()
    evaluation: tuple[LabelledPicture, ...] = ()
    max_drop_points: float | None = None
    weight_bits: int = 8


@dataclass(frozen=True, slots=True)
class SharedFolder:
    """A folder that fills with what the workers need, in the order they need it.

    Attributes:
        checkpoint: the model.
        card: what artifacts say of it.
        pictures: to look at.
        folder: where to write.
        on_stage: told what happens.
        is_ready: told the name of each resource when it is there.
    """

    checkpoint: Checkpoint
    card: ModelCard
    pictures: Pictures
    folder: Path
    on_stage: Callable[[str], None]
    is_ready: Callable[[str], None]

    def fill(self, precisions: Collection[str]) -> None:
        """Make all that artifacts of these precisions take."""
        from edgekit.mobilenet.program import capture_program

        self.on_stage("capture")
        program = capture_program(self.checkpoint.network())
        write_json(self.folder / CARD, self.card)
        self._save_program(program, "")
        reference = answers_of(self.checkpoint, self.pictures.parity, precisions)
        self._save_reference(reference, "")
        if INT8 in precisions:
            self._make_int8(program, reference)

    def _make_int8(self, program: Program, reference: Reference) -> None:
        import torch

        from edgekit.quantization.program import capture_int8, quantise

        self.on_stage("calibration")
        shape_hwc = _shape_hwc(self.checkpoint)
        arrays, skipped = read_pictures(self.pictures.calibration, self.checkpoint.preprocessing, shape_hwc)
        quantised = quantise(program, [torch.from_numpy(image_nchw) for image_nchw in arrays], self.pictures.weight_bits)
        search = self._search(quantised) if self.pictures.max_drop_points is not None else None
        write_json(self.folder / CALIBRATION, Calibration(len(arrays), skipped, search, self.pictures.weight_bits))
        int8 = capture_int8(quantised, search.kept if search else ())
        self._save_program(int8, INT8)
        self._save_reference(_with_answers(reference, int8), INT8)

    def _search(self, quantised: Quantised) -> Search:
        """Find the units to keep in float. Pictures that cannot be used are named by the evaluation of the artifacts."""
        import torch

        from edgekit.quantization.ranking import rank_units
        from edgekit.quantization.search import choose_kept, drop_on

        assert self.pictures.max_drop_points is not None
        preprocessing = self.checkpoint.preprocessing
        chosen = spread(self.pictures.evaluation, MOST_SEARCHED)
        pixels = decode(chosen, preprocessing, shape_hwc=_shape_hwc(self.checkpoint), path=self.folder / "searched.bin")
        images_nchw = [torch.from_numpy(preprocessing.normalise(np.asarray(each))) for each in pixels.open()]
        self.on_stage("sensitivity of each unit")
        ranking = rank_units(quantised, quantised.images_nchw[:RANKED])
        return choose_kept(
            ranking,
            drop_on(quantised, images_nchw, pixels.classes),
            self.pictures.max_drop_points,
            lambda tried: self.on_stage(f"{len(tried.kept)} units in float32: {tried.drop_points:.2f} points lost"),
        )

    def _save_program(self, program: Program, precision: str) -> None:
        from edgekit.mobilenet.program import save_program

        save_program(program, self.folder / f"{program_name(precision)}.pt2")
        self.is_ready(program_name(precision))

    def _save_reference(self, reference: Reference, precision: str) -> None:
        save_reference(reference, self.folder / f"{reference_name(precision)}.npz")
        self.is_ready(reference_name(precision))


def answers_of(checkpoint: Checkpoint, pictures: Sequence[Path], precisions: Collection[str]) -> Reference:
    """Compute what artifacts of these precisions are judged against; the yardsticks of float32 always."""
    network = checkpoint.network()
    samples = make_samples(checkpoint.preprocessing, size=checkpoint.spec.resolution, images=pictures)
    yardsticks = [kind for kind, precision in YARDSTICKS.items() if precision == "float32" or precision in precisions]
    compressed = [precision for precision in precisions if precision in COMPRESSED]
    return compute_reference(network, network.output_names, samples, yardsticks=yardsticks, compressed=compressed)


def with_int8(reference: Reference, folder: Path) -> Reference:
    """Add the answers of the int8 program that lies beside an artifact, where one does."""
    path = folder / INT8_PROGRAM
    if not path.is_file():
        return reference
    from edgekit.mobilenet.program import load_program

    return _with_answers(reference, load_program(path))


def _with_answers(reference: Reference, int8: Program) -> Reference:
    names = [output.name for output in int8.outputs]
    return replace(reference, approximate={INT8: compute_int8_reference(int8.exported.module(), names, reference.samples)})


def _shape_hwc(checkpoint: Checkpoint) -> tuple[int, int, int]:
    spec = checkpoint.spec
    return spec.resolution, spec.resolution, spec.input_channels
