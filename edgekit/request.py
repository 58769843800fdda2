"""What a worker is asked to do: the parent writes it as request.json, the worker reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgekit.latency import LatencyPlan
from edgekit.latency.comparison import ComparisonPlan
from edgekit.mobilenet.overrides import Overrides

FILE_NAME = "request.json"


@dataclass(frozen=True, slots=True)
class ConvertRequest:
    """One cell: a model for a target at a precision.

    Attributes:
        model: as the user gave it.
        target: the plugin's name.
        precision: requested.
        options: the user's `--option` pairs.
        num_threads: of the runtime, for parity.
    """

    model: str
    target: str
    precision: str
    options: Mapping[str, str] = field(default_factory=dict)
    num_threads: int = 1


@dataclass(frozen=True, slots=True)
class PrepareRequest:
    """What all cells of a model share: see `edgekit.preparation`.

    Attributes:
        model: as the user gave it.
        name: what artifacts call it.
        precisions: of all cells.
        overrides: what the checkpoint's files do not say.
        images: a folder of real pictures for parity, or None for those edgekit ships.
        calibration: pictures for int8: a folder, a list, or "digits".
        evaluation: labelled pictures, for `max_drop_points`, and to see that none of them is calibrated on.
        max_drop_points: of top-1, of 100, that int8 may lose; it keeps units in float for it.
        weight_bits: of int8: 8 or 7.
        allow_overlap: count on pictures that were calibrated on.
    """

    model: str
    name: str
    precisions: tuple[str, ...]
    overrides: Overrides = field(default_factory=Overrides)
    images: str | None = None
    calibration: str | None = None
    evaluation: str | None = None
    max_drop_points: float | None = None
    weight_bits: int = 8
    allow_overlap: bool = False


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """Check an artifact's numbers.

    Attributes:
        num_threads: of the runtime.
        arithmetics: in which to compute it besides the verdict's, or "all".
    """

    num_threads: int = 1
    arithmetics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileRequest:
    """Measure an artifact's latency.

    Attributes:
        num_threads: of the runtime.
        latency: how.
        operators: tell also what its operators cost.
    """

    num_threads: int = 1
    latency: LatencyPlan = field(default_factory=LatencyPlan)
    operators: bool = True


@dataclass(frozen=True, slots=True)
class TurnsRequest:
    """Be timed in turns with another artifact.

    Attributes:
        turn: the resource to wait for before everything that takes time.
    """

    turn: str
    num_threads: int = 1
    plan: ComparisonPlan = field(default_factory=ComparisonPlan)


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """Run an artifact on pictures and keep the `top` classes of each."""

    images: tuple[str, ...]
    top: int = 5
    num_threads: int = 1


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """Run a model file that edgekit did not make.

    Attributes:
        target: whose format it is.
        inputs: for each prediction, a file by input name; "" for the only input.
        num_threads: of the runtime.
    """

    target: str
    inputs: tuple[Mapping[str, str], ...]
    num_threads: int = 1


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """Answer all pictures of a set.

    Attributes:
        shape: of the pixels: pictures, height, width, channels.
        num_threads: of the runtime.
        float_model: the checkpoint to ask instead of the artifact that was made of it; None for the artifact.
        int8_program: ask what the artifact is to compute, in exact arithmetic, instead of the artifact.
    """

    shape: tuple[int, int, int, int]
    num_threads: int = 1
    float_model: str | None = None
    int8_program: bool = False
