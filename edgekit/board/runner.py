"""Runs on the board, in a process of its own: an order and an artifact in, answers or a latency out.

The standard library, numpy and the target's runtime are all it has; edgekit's sources and the plugin's came with it. It judges
nothing: what was answered goes back as it is. Lines of JSON on what was stdout; whatever a runtime prints goes to stderr.
"""

from __future__ import annotations

import base64
import io
import json
import os
import platform
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

from edgekit.board.order import INPUTS, RANDOM, SAMPLES, Order, read_order
from edgekit.errors import EdgekitError
from edgekit.latency import measure
from edgekit.machine import available_cores, describe_machine
from edgekit.target import LoadJob, Runner


def main() -> int:
    """Run one of `COMMANDS` on the folder of an order, with a number of threads: 0 for one on each core."""
    pipe = _take_stdout()
    folder, command = Path(sys.argv[1]), sys.argv[2]

    def say(**message: Any) -> None:
        pipe.write(json.dumps(message) + "\n")
        pipe.flush()

    order = read_order(folder, num_threads=int(sys.argv[3]) or available_cores())
    os.environ["OMP_NUM_THREADS"] = str(order.job.num_threads)  # no native library is loaded yet
    say(stage="import")
    if missing := _missing(order):
        say(missing=missing, executable=sys.executable)
        return _leave(1)
    versions = {package: found for package in order.needs.values() if (found := _version(package))}
    say(machine=asdict(describe_machine()), node=platform.node(), versions=versions)
    say(stage="load")
    try:
        COMMANDS[command](order, folder, say)
    except Exception as error:  # a runtime's, or ours: the host is told either way, and the log has the traceback
        traceback.print_exception(error)
        is_ours = isinstance(error, EdgekitError)
        message = str(error) if is_ours else f"{type(error).__name__}: {error}".partition("\n")[0]
        say(problem={"kind": type(error).__name__ if is_ours else "EdgekitError", "message": message})
        return _leave(1)
    return _leave(0)


def _answer(order: Order, folder: Path, say: Callable[..., None]) -> None:
    import numpy as np

    answers = []
    with _opener(order)(order.job) as runner:
        say(stage="parity")
        for image in np.load(folder / INPUTS, allow_pickle=False)[SAMPLES]:
            answers.append(runner.infer({order.input_name: np.ascontiguousarray(image[None])}))
        say(runtime=asdict(runner.runtime))
    content = io.BytesIO()
    stacks = {name: np.stack([answer[name] for answer in answers]) for name in answers[0]}
    np.savez_compressed(content, **stacks)  # type: ignore[arg-type]  # as in edgekit.reference
    say(answers=base64.b64encode(content.getvalue()).decode())


def _time(order: Order, folder: Path, say: Callable[..., None]) -> None:
    import numpy as np

    inputs = {order.input_name: np.load(folder / INPUTS, allow_pickle=False)[RANDOM]}
    say(stage="latency")
    opener = _opener(order)  # imported before the clock starts: a load is the artifact's

    def load() -> Callable[[], object]:
        runner = opener(order.job)
        return lambda: runner.infer(inputs)

    say(latency=asdict(measure(load, num_threads=order.job.num_threads, plan=order.plan)))


COMMANDS = {"answer": _answer, "time": _time}


def _opener(order: Order) -> Callable[[LoadJob], Runner]:
    module, _, name = order.opener.partition(":")
    opener: Callable[[LoadJob], Runner] = getattr(import_module(module), name)
    return opener


def _missing(order: Order) -> dict[str, str]:
    """Why what has to be here cannot be imported, by distribution."""
    found = {}
    for module, package in order.needs.items():
        try:
            import_module(module)
        except Exception as error:  # a broken installation raises what it likes
            traceback.print_exception(error)
            found[package] = f"{type(error).__name__}: {error}".partition("\n")[0]
    return found


def _version(package: str) -> str:
    with suppress(PackageNotFoundError):  # built from source, perhaps
        return version(package)
    return ""


def _take_stdout() -> TextIO:
    """Keep the pipe for ourselves and send everything printed, by C code too, to stderr."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return pipe


def _leave(code: int) -> int:
    """Go without destructors: those of some runtimes crash."""
    sys.stderr.flush()
    os._exit(code)
