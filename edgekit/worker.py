"""The child side of a target's process: `python -m edgekit.worker MODE ...`. It always leaves a report.

A plugin's SDK is somebody else's native code: here it can print, leak, crash or hang without touching the run. Whatever it prints
goes to the log; the pipe that was stdout carries one JSON line per stage to the parent, and questions to it:
`{"stage": "convert"}`, `{"wait": "program"}`. The parent answers a question with one line on stdin.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from edgekit.errors import EdgekitError
from edgekit.manifest import write_json
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Problem, Report, Stage

MODES = ("convert", "verify", "profile", "predict")


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a worker finds things and leaves them.

    Attributes:
        mode: one of MODES.
        artifact: the artifact's folder.
        work: where request.json is and report.json goes; for "convert" the artifact is made here.
        shared: the run's program, model card and reference.
        reference: the answers to compare with.
    """

    mode: str
    artifact: Path
    work: Path
    shared: Path
    reference: Path


@dataclass
class Line:
    """The pipe to the parent, and a stopwatch per stage."""

    pipe: TextIO
    stage: Stage = "start"
    seconds: dict[str, float] = field(default_factory=dict)
    since: float = field(default_factory=time.perf_counter)

    def enter(self, stage: Stage) -> None:
        """Begin a stage and tell the parent."""
        self._stop()
        self.stage = stage
        self._say({"stage": stage})

    def wait(self, resource: str) -> None:
        """Ask the parent for something that is being made, and block until it is there. Counted in no stage."""
        self._stop()
        self._say({"wait": resource})
        if sys.stdin.readline().strip() != resource:
            os._exit(1)  # the parent is gone or has given up: nobody would read the report
        self.since = time.perf_counter()

    def _stop(self) -> None:
        now = time.perf_counter()
        self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + now - self.since
        self.since = now

    def _say(self, message: dict[str, str]) -> None:
        self.pipe.write(json.dumps(message) + "\n")
        self.pipe.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one mode on one folder."""
    parser = argparse.ArgumentParser(prog="edgekit.worker")
    parser.add_argument("mode", choices=MODES)
    for name in ("artifact", "work", "shared", "reference"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    desk = Desk(**vars(parser.parse_args(argv)))
    line = Line(_take_stdout())
    report = _run(desk, line)
    line.enter("done")
    kept = {name: seconds for name, seconds in line.seconds.items() if name not in ("start", "done")}
    write_json(desk.work / REPORT, replace(report, seconds={**report.seconds, **kept}))
    line.pipe.flush()
    sys.stderr.flush()
    os._exit(0)  # the report is written; some SDKs crash in their destructors, so these do not run


def _run(desk: Desk, line: Line) -> Report:
    """Run the mode; turn whatever is raised into a report."""
    from edgekit import pipeline  # numpy and more: after stdout was taken

    try:
        modes = {"convert": pipeline.convert, "verify": pipeline.verify, "profile": pipeline.profile, "predict": pipeline.predict}
        return modes[desk.mode](desk, line)
    except EdgekitError as error:
        kind, message = type(error).__name__, str(error)
    except Exception as error:  # an SDK's, or a bug of ours: the log has the traceback, the report the sentence
        kind, message = "EdgekitError", f"{type(error).__name__}: {error}".partition("\n")[0]
    traceback.print_exc()
    return replace(pipeline.blank_report(desk), problem=Problem(line.stage, kind, message))


def _take_stdout() -> TextIO:
    """Keep the pipe for ourselves and send everything printed, by C code too, to stderr: the log."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return pipe


if __name__ == "__main__":
    sys.exit(main())
