"""The child side of a target's process: `python -m edgekit.worker MODE ...`. It always leaves a report.

A plugin's SDK is somebody else's native code: here it can print, leak, crash or hang without touching the run. Whatever it prints
goes to the log; the pipe that was stdout carries one JSON line per stage to the parent, and questions to it:
`{"stage": "convert"}`, `{"wait": "program"}`. The parent answers a question with one line on stdin. When stdin ends the parent is
dead, however suddenly it died, and the worker ends too.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import TextIO

from edgekit import foreign, pipeline, preparation, scores, turns
from edgekit.board import measurement
from edgekit.desk import Desk, Line
from edgekit.document import write_json
from edgekit.errors import EdgekitError
from edgekit.garbage import collect_rarely
from edgekit.report import FILE_NAME as REPORT
from edgekit.report import Problem, Report

MODES = {
    "prepare": preparation.prepare,
    "convert": pipeline.convert,
    "verify": pipeline.verify,
    "profile": pipeline.profile,
    "turns": turns.take_turns,
    "board": measurement.visit,
    "predict": pipeline.predict,
    "answer": foreign.answer,
    "evaluate": scores.evaluate,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one mode on one folder."""
    collect_rarely()
    parser = argparse.ArgumentParser(prog="edgekit.worker")
    parser.add_argument("mode", choices=MODES)
    for name in ("artifact", "work", "shared", "reference"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    desk = Desk(**vars(parser.parse_args(argv)))
    line = Line(_take_stdout())
    if stat.S_ISFIFO(os.fstat(0).st_mode):  # a parent's pipe, not somebody's terminal
        threading.Thread(target=_listen, args=(line.answers,), daemon=True).start()
    report = _run(desk, line)
    line.enter("done")
    kept = {name: seconds for name, seconds in line.seconds.items() if name not in ("start", "done")}
    write_json(desk.work / REPORT, replace(report, seconds={**report.seconds, **kept}))
    line.pipe.flush()
    sys.stderr.flush()
    os._exit(0)  # the report is written; some SDKs crash in their destructors, so these do not run


def _run(desk: Desk, line: Line) -> Report:
    """Run the mode; turn whatever is raised into a report."""
    try:
        return MODES[desk.mode](desk, line)
    except EdgekitError as error:
        traceback.print_exception(error)
        kind, message = type(error).__name__, str(error)
    except Exception as error:  # an SDK's, or a bug of ours: the log has the traceback, the report the sentence
        traceback.print_exception(error)
        kind, message = "EdgekitError", f"{type(error).__name__}: {error}".partition("\n")[0]
    blank = {"prepare": preparation.blank_report, "answer": foreign.blank_report}.get(desk.mode, pipeline.blank_report)
    return replace(blank(desk), problem=Problem(line.stage, kind, message))


def _listen(answers: SimpleQueue[str]) -> None:
    """Pass on what the parent answers. SIGKILL leaves it no time to end its workers: they see that their stdin does."""
    for line in sys.stdin:
        answers.put(line.strip())
    os._exit(1)


def _take_stdout() -> TextIO:
    """Keep the pipe for ourselves and send everything printed, by C code too, to stderr: the log."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return pipe


if __name__ == "__main__":
    sys.exit(main())
