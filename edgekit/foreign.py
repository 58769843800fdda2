"""Model files that edgekit did not make: run as they are, on what they themselves say they take. There is no manifest."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np
from PIL import Image

from edgekit import registry
from edgekit.desk import Desk, Line
from edgekit.document import read_json, write_json
from edgekit.errors import InputError, TargetMissing, UsageError
from edgekit.launcher import Launcher
from edgekit.machine import describe_machine
from edgekit.manifest import FILE_NAME as MANIFEST
from edgekit.report import Problem, Report
from edgekit.request import FILE_NAME as REQUEST
from edgekit.request import AnswerRequest
from edgekit.target import RuntimeInfo

KINDS = {".mlpackage": "coreml"}
ANSWERS = "answers.json"


@dataclass(frozen=True, slots=True)
class Answer:
    """One prediction.

    Attributes:
        inputs: the files that were given, by input name.
        outputs: by name: text, a number, a dictionary of classes and probabilities, or an array as `dtype`, `shape` and nested
            `values`, where JSON has null for what is not finite.
        notes: what was done to the files.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, Any]
    notes: tuple[str, ...] = ()


@runtime_checkable
class Stranger(Protocol):
    """What only some targets can: run a file that says itself what it takes. A target with this method is asked by `predict`."""

    def answer(
        self, path: Path, inputs: Sequence[Mapping[str, Path]], *, num_threads: int
    ) -> tuple[RuntimeInfo, tuple[Answer, ...]]:
        """Run a file of the target's format.

        Args:
            path: the file or folder.
            inputs: for each prediction, a file by input name; "" for the only input.
            num_threads: for the runtime's intra-op pool.

        Raises:
            edgekit.errors.InputError: the model or an input is damaged or not supported.
            edgekit.errors.UsageError: an input is missing, unknown, or of another kind or shape.
        """
        ...


def target_of(path: Path) -> str | None:
    """Name the target that runs a model file without a manifest; None for an artifact of edgekit's, and for anything else."""
    known = KINDS.get(path.suffix)
    made_here = any((folder / MANIFEST).is_file() for folder in (path, path.parent))
    return known if known and path.exists() and not made_here else None


def predict(path: Path, arguments: Sequence[str], on_stage: Callable[[str, str], None]) -> tuple[Report, tuple[Answer, ...]]:
    """Run a model file in its target's process.

    Args:
        path: one that has a `target_of`.
        arguments: FILE for a model of one input, each a prediction; or NAME=FILE for every input of one prediction.
        on_stage: is told what happens.

    Raises:
        UsageError: the arguments do not tell what goes where.
    """
    target = target_of(path)
    assert target
    request = AnswerRequest(target, _inputs(arguments, path))
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder, Launcher(on_stage) as launcher:
        desk = Path(folder) / "answer"
        desk.mkdir()

        def blank(problem: Problem) -> Report:
            return replace(_blank(path, target), problem=problem)

        report = launcher.run("answer", path.name, request, artifact=path, work=desk, blank=blank, num_threads=1)
        if not (desk / ANSWERS).is_file():
            return report, ()
        return report, msgspec.json.decode((desk / ANSWERS).read_bytes(), type=tuple[Answer, ...])


def answer(desk: Desk, line: Line) -> Report:
    """Run a model file, in the worker; the answers go to answers.json."""
    request: AnswerRequest = read_json(desk.work / REQUEST, AnswerRequest)
    line.enter("import")
    target = registry.load(request.target)
    available = target.probe()
    if available.runs == "no" or not isinstance(target, Stranger):
        raise TargetMissing(f"target {request.target} runs no such file here: {available.reason or 'it needs a manifest'}")
    line.enter("load")
    inputs = [{name: Path(file) for name, file in each.items()} for each in request.inputs]
    runtime, answers = target.answer(desk.artifact, inputs, num_threads=request.num_threads)
    plain = [replace(each, outputs={name: _plain(value) for name, value in each.outputs.items()}) for each in answers]
    write_json(desk.work / ANSWERS, plain)
    return replace(blank_report(desk), status="converted", runtime=runtime)


def blank_report(desk: Desk) -> Report:
    """A report that knows only what was asked."""
    request: AnswerRequest = read_json(desk.work / REQUEST, AnswerRequest)
    return _blank(desk.artifact, request.target)


def _blank(path: Path, target: str) -> Report:
    return Report(path.name, target, "as stored", "failed", describe_machine())


def _inputs(arguments: Sequence[str], path: Path) -> tuple[dict[str, str], ...]:
    if not arguments:
        raise UsageError(f"{path} has no {MANIFEST} that says what it takes: give a FILE, or NAME=FILE for each of its inputs")
    pairs = [argument.partition("=") for argument in arguments]
    named = {name: file for name, equals, file in pairs if equals and not Path(f"{name}={file}").exists()}
    if not named:
        return tuple({"": argument} for argument in arguments)
    if len(named) < len(arguments):
        raise UsageError("inputs are given as NAME=FILE, each name once, or as FILE for a model of one input, but not as both")
    return (named,)


def _plain(value: Any) -> Any:
    """Turn an output into what JSON has."""
    if isinstance(value, Mapping):
        best_first = sorted(value.items(), key=lambda item: -item[1])
        return {str(label): float(probability) for label, probability in best_first}
    if isinstance(value, str | int | float):
        return value
    if not isinstance(value, np.ndarray | Image.Image):
        raise InputError(f"an output is of {type(value).__name__}, which cannot be shown")
    array = np.asarray(value)
    return {"dtype": array.dtype.name, "shape": array.shape, "values": array.tolist()}
