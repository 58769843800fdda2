"""The keeper, run as a board runs it: its source first on its input, then what it asks for. Python alone is needed."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

SOURCE = (Path(__file__).parents[3] / "edgekit" / "board" / "keeper.py").read_text()
PRINTS = 'import sys; print(\'{"stage": "load"}\'); print("a warning", file=sys.stderr)'
WAITS = 'import time; print(\'{"stage": "latency"}\', flush=True); time.sleep(60)'


class Board:
    """A keeper and its two pipes."""

    def __init__(self, temporary: Path, source: str = SOURCE) -> None:
        self.temporary = temporary
        temporary.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"import sys; exec(sys.stdin.buffer.read({len(source.encode())}))"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"TMPDIR": str(temporary)},
        )
        self.send(source.encode())

    def send(self, content: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(content)
        self.process.stdin.flush()

    def ask(self, program: str, *, size: int | None = None, seconds: float = 30, **changes: Any) -> None:
        content = program.encode()
        files = [["run.py", len(content) if size is None else size]]
        request = {"files": files, "commands": [["run.py"]], "environment": {}, "seconds": seconds, "python": [3, 6], **changes}
        self.send(json.dumps(request).encode() + b"\n" + content)

    def listen(self) -> list[dict[str, Any]]:
        """Everything to the end."""
        assert self.process.stdout
        return [json.loads(line) for line in self.process.stdout]

    def hear(self) -> dict[str, Any]:
        """One line."""
        assert self.process.stdout
        message: dict[str, Any] = json.loads(self.process.stdout.readline())
        return message

    def hang_up(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    def left(self) -> list[str]:
        return [path.name for path in self.temporary.iterdir()]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board(tmp_path / "tmp")
    yield board
    finish(board)


def finish(board: Board) -> None:
    board.process.kill()
    board.process.wait()
    for pipe in (board.process.stdin, board.process.stdout, board.process.stderr):
        assert pipe
        with suppress(BrokenPipeError):
            pipe.close()


def test_it_greets_runs_passes_on_and_removes(board: Board) -> None:
    board.ask(PRINTS)
    greeting, stage, end, removed = board.listen()
    assert greeting == {"edgekit": "keeper"}
    assert stage == {"stage": "load"}
    assert end == {"ended": 0, "log": "a warning\n"}
    assert removed["removed"].startswith(str(board.temporary))
    assert removed["left"] is False
    assert board.left() == []
    assert board.process.wait() == 0


def test_the_runner_finds_its_files_and_a_temporary_folder_that_goes_too(board: Board) -> None:
    board.ask("import json, os, sys, tempfile; print(json.dumps({'own': sys.argv[1:], 'temporary': tempfile.mkdtemp()}))")
    told = board.listen()[1]
    (folder,) = told["own"]
    assert told["temporary"].startswith(f"{folder}/")
    assert board.left() == []


def test_a_second_command_does_not_follow_one_that_failed(board: Board) -> None:
    board.ask("raise SystemExit(3)", commands=[["run.py", "a"], ["run.py", "b"]])
    assert [message["ended"] for message in board.listen() if "ended" in message] == [3]


def test_only_the_end_of_a_long_log_is_kept(board: Board) -> None:
    board.ask("import sys; sys.stderr.write('x' * 100_000 + 'the end')")
    log = board.listen()[1]["log"]
    assert log.endswith("the end")
    assert len(log) <= 8000


def test_half_a_line_of_a_runner_that_died_is_not_passed_on(board: Board) -> None:
    board.ask('import os, signal; os.write(1, b\'{"answers": "half\'); os.kill(os.getpid(), signal.SIGKILL)')
    assert [list(message) for message in board.listen()] == [["edgekit"], ["ended", "log"], ["removed", "left"]]


@pytest.mark.parametrize("moment", ["before", "while files come", "while it runs"])
def test_when_the_host_hangs_up_everything_goes(moment: str, board: Board) -> None:
    board.hear()
    if moment == "while files come":
        board.ask("short", size=1000)
        while not board.left():
            time.sleep(0.01)
    if moment == "while it runs":
        board.ask(WAITS)
        assert board.hear() == {"stage": "latency"}
        assert board.left()
    board.hang_up()
    board.process.wait(10)
    assert board.left() == []


@pytest.mark.parametrize("number", [1, 15])
def test_when_it_is_told_to_end_everything_goes(number: int, board: Board) -> None:
    board.hear()
    board.ask(WAITS)
    board.hear()
    board.process.send_signal(number)
    board.process.wait(10)
    assert board.left() == []


@pytest.mark.parametrize("moment", ["before", "while files come", "while it runs"])
def test_a_silent_host_is_taken_for_lost(moment: str, tmp_path: Path) -> None:
    """A cable that is pulled ends nothing: there is no byte that would say so."""
    board = Board(tmp_path / "tmp", SOURCE.replace("SILENCE = 60.0", "SILENCE = 0.5"))
    try:
        if moment != "before":
            board.ask(WAITS, size=1000 if moment == "while files come" else None)
        board.process.wait(10)
        assert board.left() == []
    finally:
        finish(board)


def test_files_that_come_slowly_are_waited_for(tmp_path: Path) -> None:
    board = Board(tmp_path / "tmp", SOURCE.replace("SILENCE = 60.0", "SILENCE = 0.6"))
    rest = "#" * 5
    try:
        board.ask(PRINTS + "\n", size=len(PRINTS) + 1 + len(rest))
        for sign in rest:
            time.sleep(0.3)
            board.send(sign.encode())
        assert {"stage": "load"} in board.listen()
    finally:
        finish(board)


def test_a_host_that_says_something_is_waited_for(tmp_path: Path) -> None:
    board = Board(tmp_path / "tmp", SOURCE.replace("SILENCE = 60.0", "SILENCE = 0.6"))
    try:
        board.ask("import time; time.sleep(1.5)")
        for _ in range(9):
            with suppress(BrokenPipeError):  # the runner has ended, and the keeper is gone
                board.send(b".")
            time.sleep(0.2)
        assert board.listen()[-1]["left"] is False
    finally:
        finish(board)


def test_a_runner_that_does_not_end_is_ended(board: Board) -> None:
    board.ask(WAITS, seconds=0.5)
    messages = board.listen()
    assert {"ended": "timeout", "seconds": 0.5} in messages
    assert board.left() == []


def test_an_old_python_is_refused_before_anything_is_written(board: Board) -> None:
    board.ask(PRINTS, python=[9, 9])
    refusal = board.listen()[1]
    assert refusal["refused"] == "python"
    assert refusal["executable"] == sys.executable


def test_python_3_6_can_read_it() -> None:
    """So that an old Python can say that it is too old: it was run with 3.6 to 3.10 by hand."""
    ast.parse(SOURCE, feature_version=(3, 6))


def test_it_imports_the_standard_library_alone() -> None:
    modules = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(SOURCE))
        for name in ([each.name for each in node.names] if isinstance(node, ast.Import) else [])
        + ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
    }
    assert modules <= set(sys.stdlib_module_names)
