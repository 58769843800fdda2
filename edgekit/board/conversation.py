"""What the keeper and the runner on a board tell, and what it means: a record, or an error in the user's words."""

from __future__ import annotations

import base64
import io
import signal
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from edgekit.board.board import Measured, OnStage
from edgekit.errors import EdgekitError, NetworkError, OutputError, TargetMissing
from edgekit.latency import Latency
from edgekit.machine import Machine
from edgekit.reference import Outputs
from edgekit.report import Problem, Stage
from edgekit.target import RuntimeInfo

OTHER_PYTHON = "Another Python there can be named in the address: ssh://host/~/venv/bin/python"
# what base64, numpy and zipfile raise for what no runner writes
BROKEN = (LookupError, TypeError, ValueError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class Failure:
    """What was raised there: the class, one of edgekit.errors or EdgekitError, and the message."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Message:
    """One line from a board. Each has some of these.

    Attributes:
        edgekit: the first line.
        stage: what it is doing now.
        refused: what it stumbles over, with `found`, `executable`, `folder` and `reason`.
        missing: why packages cannot be imported, by distribution; with `executable`.
        node: what it calls itself; with `machine` and `versions`.
        runtime: what ran.
        answers: an `.npz` in base64.
        latency: with one number of threads.
        problem: why the runtime refused the artifact.
        ended: the exit code of a process, with its `log`, or "timeout", with `seconds`.
        left: the last line: whether `removed` is still there.
    """

    edgekit: str = ""
    stage: Stage | None = None
    refused: Literal["", "python", "disk", "folder"] = ""
    found: str = ""
    executable: str = ""
    folder: str = ""
    reason: str = ""
    missing: Mapping[str, str] = field(default_factory=dict)
    node: str | None = None
    machine: Machine | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    runtime: RuntimeInfo | None = None
    answers: str = ""
    latency: Latency | None = None
    problem: Failure | None = None
    ended: int | Literal["timeout"] | None = None
    log: str = ""
    seconds: float = 0.0
    removed: str | None = None
    left: bool | None = None


@dataclass
class Conversation:
    """Lines from a board, as they come.

    Attributes:
        place: what messages call the board.
        required_python: the oldest version that will do.
        on_stage: told of every stage that the board enters.
        stage: the last of them.
        messages: from the greeting on.
    """

    place: str
    required_python: tuple[int, int]
    on_stage: OnStage
    stage: Stage = "connect"
    messages: list[Message] = field(default_factory=list)

    @property
    def greeted(self) -> bool:
        """Whether anything of ours ran there."""
        return bool(self.messages)

    def follow(self, lines: Iterable[bytes]) -> None:
        """Read to the end. Lines before the greeting are a login shell's, and none of ours."""
        for line in lines:
            try:
                message = msgspec.json.decode(line, type=Message)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, EdgekitError) as error:
                if self.greeted:
                    raise NetworkError(f"{self.place} sent what edgekit never sends: {error}") from error
                continue
            if not self.greeted and not message.edgekit:
                continue
            self.messages.append(message)
            if message.stage:
                self.stage = message.stage
                self.on_stage(message.stage)

    def result(self, versions: Mapping[str, str]) -> Measured:
        """What was measured.

        Args:
            versions: what pip is to be asked for where a package is missing, by its name.

        Raises:
            EdgekitError: why nothing was: see `Board.measure`.
        """
        for message in self.messages:
            self._raise_refusal(message, versions)
        last = self.messages[-1]
        if last.left is None:
            raise NetworkError(
                f"the connection to {self.place} was lost during: {self.stage}. The board removes its folder by itself; run again"
            )
        problem = next((message.problem for message in self.messages if message.problem), None)
        if not problem:
            for message in self.messages:
                self._raise_end(message)
        facts = next((message for message in self.messages if message.machine), None)
        if not facts or not facts.machine:
            raise NetworkError(f"{self.place} never said what it is: its answer is broken")
        return Measured(
            board=self.place,
            node=facts.node or "",
            machine=facts.machine,
            versions=facts.versions,
            runtime=next((message.runtime for message in self.messages if message.runtime), None),
            answers=next((self._answers(message.answers) for message in self.messages if message.answers), ()),
            latencies=self._latencies(),
            problem=Problem(self.stage, problem.kind, problem.message) if problem else None,
            notes=(f"{last.removed} on {self.place} could not be removed",) if last.left else (),
        )

    def _latencies(self) -> tuple[Latency, ...]:
        """One of each number of threads: all cores of a board that has one are one thread again."""
        latencies: dict[int, Latency] = {}
        for message in self.messages:
            if message.latency:
                latencies.setdefault(message.latency.num_threads, message.latency)
        return tuple(latencies.values())

    def _raise_refusal(self, message: Message, versions: Mapping[str, str]) -> None:
        match message.refused:
            case "python":
                raise TargetMissing(
                    f"Python on {self.place} is too old: {message.executable} is {message.found}, and edgekit's runner needs "
                    f"{'.'.join(map(str, self.required_python))}. {OTHER_PYTHON}"
                )
            case "disk":
                raise OutputError(
                    f"the disk of {self.place} is full: {message.reason} in {message.folder}, which is removed again. Make room "
                    "there, or set TMPDIR there to a place that has some"
                )
            case "folder":
                raise OutputError(f"{self.place} has no place for a temporary folder: {message.reason} ({message.folder})")
        if message.missing:
            python, names, reasons = message.executable, " and no ".join(message.missing), "; ".join(message.missing.values())
            known = {name: version.partition("+")[0] for name, version in versions.items()}  # PyPI has no torch 2.13.0+cpu
            wanted = " ".join(f"{name}=={known[name]}" if name in known else name for name in message.missing)
            raise TargetMissing(
                f"{self.place} lacks what this artifact needs: {python} there has no {names} ({reasons}). Install it there: "
                f"{python} -m pip install {wanted}. {OTHER_PYTHON}"
            )

    def _raise_end(self, message: Message) -> None:
        if message.ended == "timeout":
            raise NetworkError(
                f"{self.place} was not done after {message.seconds:g} s, during: {self.stage}. What ran there is killed, and its "
                "folder removed"
            )
        if message.ended:
            log = f"\n{message.log.strip()}" if message.log else ""
            raise EdgekitError(f"the runner on {self.place} {_cause(message.ended)} during: {self.stage}{log}")

    def _answers(self, text: str) -> tuple[Outputs, ...]:
        """One dict of outputs for each sample."""
        try:
            with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as file:
                stacks = {name: file[name] for name in file.files}
            (count,) = {len(stack) for stack in stacks.values()}
        except BROKEN as error:
            raise NetworkError(f"the answers of {self.place} are broken: {error}") from error
        return tuple({name: stack[i] for name, stack in stacks.items()} for i in range(count))


def _cause(code: int) -> str:
    with suppress(ValueError):  # not a signal that this system knows
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
