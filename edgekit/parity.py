"""Is the artifact still the model that was trained? Error statistics per output, and a verdict with its reasons.

Everything is compared with the float64 reference. PyTorch's own error on the same inputs, in float32 and in the precision of the
artifact, stands beside it: nobody can be asked for less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgekit.target import Tolerance


@dataclass(frozen=True, slots=True)
class SampleParity:
    """One output on one input. None where it cannot be computed: values that are not finite, or no classes to rank.

    Attributes:
        sample: the input's name.
        kind: "image" or "synthetic".
        max_abs: largest absolute error.
        mean_abs: mean absolute error.
        peak_error: `max_abs` divided by the largest absolute reference value.
        sqnr_db: 10 log10 of the reference's energy over the error's, at most 320.
        cosine: of the angle between output and reference.
        top1: whether both have the same largest class.
        top5: part of the reference's five largest classes that are among the output's five largest.
        pytorch_sqnr_db: `sqnr_db` of PyTorch's answers to the same input, by precision.
    """

    sample: str
    kind: str
    max_abs: float | None
    mean_abs: float | None
    peak_error: float | None
    sqnr_db: float | None
    cosine: float | None
    top1: bool | None
    top5: float | None
    pytorch_sqnr_db: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class OutputParity:
    """One output over all inputs: the worst of each figure, and what is wrong with it.

    Attributes:
        output: its name.
        max_abs: worst of all inputs.
        mean_abs: mean of all inputs.
        peak_error: worst of all inputs.
        sqnr_db: worst of all inputs.
        image_sqnr_db: worst of the real images.
        cosine: worst of all inputs.
        top1: part of the images with the same largest class; None where there are no classes.
        top5: mean over the images.
        pytorch_sqnr_db: worst of all inputs for PyTorch, by precision.
        dependence: deviation of the output from input to input, relative to its size. Near 0, the output is a constant and
            every other figure is meaningless.
        problems: why it fails; empty when it passes.
        samples: the figures of each input.
    """

    output: str
    max_abs: float | None
    mean_abs: float | None
    peak_error: float | None
    sqnr_db: float | None
    image_sqnr_db: float | None
    cosine: float | None
    top1: float | None
    top5: float | None
    pytorch_sqnr_db: Mapping[str, float]
    dependence: float
    problems: tuple[str, ...]
    samples: tuple[SampleParity, ...]


@dataclass(frozen=True, slots=True)
class Compression:
    """What fewer bits change, whatever the target: the compressed network, or the int8 program, against the network as trained.

    Attributes:
        sqnr_db: in exact arithmetic, of all images together, for the worst output. The worst image would say little: an answer
            that happens to be near zero is off by more than its size.
        top1: part of the images with the same largest class, for the worst output; None where there are no classes.
        min_sqnr_db: what it must reach.
        problem: why it fails; empty when it passes.
        artifact_sqnr_db: as `sqnr_db`, of the artifact's own answers: lower by what the target adds. None where these are not the
            network's outputs.
    """

    sqnr_db: float
    top1: float | None
    min_sqnr_db: float
    problem: str
    artifact_sqnr_db: float | None = None


@dataclass(frozen=True, slots=True)
class Parity:
    """The verdict on an artifact.

    Attributes:
        passed: nothing is wrong with any output, nor with the compression.
        tolerance: what each output must reach.
        outputs: against the network that has the artifact's weights, or the int8 program.
        compression: what these changed before; None where nothing was.
    """

    passed: bool
    tolerance: Tolerance
    outputs: tuple[OutputParity, ...]
    compression: Compression | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """Why it fails, each with the output's name."""
        found = [f"{output.output}: {problem}" for output in self.outputs for problem in output.problems]
        return (*found, self.compression.problem) if self.compression and self.compression.problem else tuple(found)

    @property
    def worst_sqnr_db(self) -> float | None:
        """Worst of all outputs, on real images where there were any; None where no output has a figure."""
        outputs = [output.sqnr_db if output.image_sqnr_db is None else output.image_sqnr_db for output in self.outputs]
        return choose_known(min, outputs)

    @property
    def worst_top1(self) -> float | None:
        """Agreement on the first class, the worst of all outputs; None where none has classes."""
        return choose_known(min, [output.top1 for output in self.outputs])


def choose_known(choose: Callable[[Iterable[float]], float], values: Sequence[float | None]) -> float | None:
    """The smallest or the largest of those that are known."""
    known = [value for value in values if value is not None]
    return choose(known) if known else None
