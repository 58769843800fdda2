"""What came of models on labelled pictures: the records, and how they are saved beside an artifact."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.accuracy import Accuracy, Share
from edgekit.dataset import Skipped
from edgekit.document import SCHEMA_VERSION, read_json, write_json
from edgekit.errors import InputError
from edgekit.machine import Machine
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Problem, Report
from edgekit.target import RuntimeInfo

FILE_NAME = "evaluation.json"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A picture on which an artifact does not name the float model's class first: the three classes by their index."""

    name: str
    artifact: int
    float_model: int
    right: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """evaluation.json: what came of one artifact, or of the float model, on labelled pictures.

    Attributes:
        model: short name.
        target: the plugin's name; "pytorch" for the float model.
        precision: as requested at conversion.
        images: the set's name.
        machine: where it was judged.
        num_threads: of the runtime.
        schema_version: of this file's form; 1.
        accuracy: the figures; None where the artifact did not answer.
        images_per_second: pictures divided by the time of inference alone, reading and preprocessing left out, after one call
            that does not count. Other programs may have run meanwhile: `edgekit profile` measures latency.
        batch: pictures in each of these calls.
        runtime: what ran.
        skipped: files of the set that could not be used.
        program_agreement: of an int8 artifact, where the most probable class is that of the int8 program in exact arithmetic: the
            rest is what the target adds. None where there is no such program.
        disagreements: where the first class is not the float model's.
        notes: what a reader must know to read the figures rightly.
        problem: why there are no figures, or why they are not good enough.
    """

    model: str
    target: str
    precision: str
    images: str
    machine: Machine
    num_threads: int
    schema_version: int = SCHEMA_VERSION
    accuracy: Accuracy | None = None
    images_per_second: float | None = None
    batch: int = 1
    runtime: RuntimeInfo | None = None
    skipped: tuple[Skipped, ...] = ()
    program_agreement: Share | None = None
    disagreements: tuple[Disagreement, ...] = ()
    notes: tuple[str, ...] = ()
    problem: Problem | None = None

    @property
    def exit_code(self) -> int:
        """0 where there are figures and they are good enough."""
        return self.problem.exit_code if self.problem else 0


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One artifact's evaluation.

    Attributes:
        folder: where the artifact lies.
        evaluation: what came of it.
        unsaved: why the folder does not have it; empty where it has.
    """

    folder: Path
    evaluation: Evaluation
    unsaved: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that was evaluated in a run.

    Attributes:
        float_model: the trained model in PyTorch.
        int8_programs: the int8 programs behind the artifacts, in exact arithmetic.
        artifacts: each with its folder.
    """

    float_model: Evaluation
    int8_programs: tuple[Evaluation, ...]
    artifacts: tuple[Evaluated, ...]


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What artifacts are judged on.

    Attributes:
        images: labelled pictures, as `edgekit.dataset.find_labelled` takes them.
        model: the float model as the user names it; None to look for the one that the manifests name.
        num_threads: of the runtimes.
        limit: of pictures, evenly spread; None for all.
        max_drop_points: see `Evaluator`.
    """

    images: Path
    model: str | None = None
    num_threads: int = 1
    limit: int | None = None
    max_drop_points: float | None = None


def save(folder: Path, evaluation: Evaluation) -> None:
    """Write evaluation.json beside an artifact, and its accuracy into the artifact's report.json where there is one.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_json(folder / FILE_NAME, evaluation)
    with suppress(InputError):
        report: Report = read_json(folder / REPORT, Report)
        write_json(folder / REPORT, replace(report, accuracy=evaluation.accuracy))
