"""What the keeper and the runner on a board tell, and what it means: a record, or an error in the user's words."""

from __future__ import annotations

import base64
import io
import json
import signal
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from edgekit.board.board import Measured, OnStage
from edgekit.errors import EdgekitError, NetworkError, OutputError, TargetMissing
from edgekit.latency import Latency
from edgekit.machine import Machine
from edgekit.reference import Outputs
from edgekit.report import Problem, Stage
from edgekit.target import RuntimeInfo

HELLO = "edgekit"
# what msgspec, base64, numpy and zipfile raise for what no runner writes
BROKEN = (msgspec.ValidationError, LookupError, TypeError, ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error)


@dataclass
class Conversation:
    """Lines of JSON from a board, as they come.

    Attributes:
        place: what messages call the board.
        python: the interpreter that was asked for.
        required_python: the oldest version that will do.
        on_stage: told of every stage that the board enters.
        stage: the last of them.
        greeted: whether anything of ours ran there.
        told: everything else that was told, by its name.
        latencies: as they came.
        ends: exit codes and logs of the processes that ended there.
    """

    place: str
    python: str
    required_python: tuple[int, int]
    on_stage: OnStage
    stage: Stage = "connect"
    greeted: bool = False
    told: dict[str, Any] = field(default_factory=dict)
    latencies: list[Any] = field(default_factory=list)
    ends: list[Mapping[str, Any]] = field(default_factory=list)

    def follow(self, lines: Iterable[bytes]) -> None:
        """Read to the end. Lines before the greeting are a login shell's, and none of ours."""
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                if self.greeted:
                    raise NetworkError(f"{self.place} sent what no keeper sends: {line[:80]!r}") from None
                continue
            if not isinstance(message, dict):
                continue
            self.greeted |= HELLO in message
            if "stage" in message:
                self._enter(message["stage"])
            elif "latency" in message:
                self.latencies.append(message["latency"])
            elif "ended" in message:
                self.ends.append(message)
            else:
                self.told.update(message)

    def result(self, required: Mapping[str, str]) -> Measured:
        """What was measured.

        Args:
            required: the versions that pip is to be asked for where a package is missing, by its name.

        Raises:
            EdgekitError: why nothing was: see `Board.measure`.
        """
        self._raise_refusals(required)
        if "removed" not in self.told:
            raise NetworkError(
                f"the connection to {self.place} was lost during: {self.stage}. The board removes its folder by itself; run again"
            )
        self._raise_ends()
        try:
            return self._measured()
        except BROKEN as error:
            raise NetworkError(f"the answer of {self.place} is broken: {error}") from error

    def _enter(self, stage: object) -> None:
        try:
            self.stage = msgspec.convert(stage, Stage)
        except msgspec.ValidationError as error:
            raise NetworkError(f"{self.place} sent what no keeper sends: {error}") from error
        self.on_stage(self.stage)

    def _raise_refusals(self, required: Mapping[str, str]) -> None:
        told = self.told
        match told.get("refused"):
            case "python":
                wanted = ".".join(map(str, self.required_python))
                raise TargetMissing(
                    f"Python on {self.place} is too old: {told.get('executable')} is {told.get('found')}, and edgekit's runner "
                    f"needs {wanted}. {_OTHER_PYTHON}"
                )
            case "disk":
                raise OutputError(
                    f"the disk of {self.place} is full: {told.get('reason')} in {told.get('folder')}, which is removed again. "
                    "Make room there, or set TMPDIR there to a place that has some"
                )
            case "folder":
                raise OutputError(f"{self.place} has no place for a temporary folder: {told.get('reason')}: {told.get('folder')}")
        if missing := told.get("missing"):
            python = told.get("executable") or self.python
            wanted = " ".join(f"{name}=={required[name]}" if name in required else name for name in missing)
            raise TargetMissing(
                f"{self.place} lacks what this artifact needs: {python} there has no {_and(missing)} "
                f"({'; '.join(map(str, missing.values()))}). Install it there: {python} -m pip install {wanted}. {_OTHER_PYTHON}"
            )

    def _raise_ends(self) -> None:
        if "problem" in self.told:
            return
        for end in self.ends:
            if end["ended"] == "timeout":
                raise NetworkError(
                    f"{self.place} was not done after {end.get('seconds')} s: {self.stage}. The runner there is killed, and "
                    "its folder is removed"
                )
            if end["ended"] != 0:
                log = f"\n{end['log'].strip()}" if end.get("log") else ""
                raise EdgekitError(f"the runner on {self.place} {_cause(end['ended'])} during: {self.stage}{log}")

    def _measured(self) -> Measured:
        told, problem = self.told, self.told.get("problem")
        return Measured(
            node=msgspec.convert(told["node"], str),
            machine=msgspec.convert(told["machine"], Machine),
            versions=msgspec.convert(told["versions"], dict[str, str]),
            runtime=msgspec.convert(told.get("runtime"), RuntimeInfo | None),
            answers=_answers(told["answers"]) if "answers" in told else (),
            latencies=msgspec.convert(self.latencies, tuple[Latency, ...]),
            problem=Problem(self.stage, str(problem["kind"]), str(problem["message"])) if problem else None,
            notes=(f"{told['removed']} on {self.place} could not be removed",) if told.get("left") else (),
        )


_OTHER_PYTHON = "Another Python there can be named in the address: ssh://host/~/venv/bin/python"


def _answers(text: str) -> tuple[Outputs, ...]:
    """One dict of outputs for each sample."""
    with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as file:
        stacks = {name: file[name] for name in file.files}
    counts = {len(stack) for stack in stacks.values()}
    return tuple({name: stack[i] for name, stack in stacks.items()} for i in range(counts.pop()))


def _and(names: Iterable[str]) -> str:
    return " and no ".join(names)


def _cause(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
