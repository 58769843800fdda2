"""Runs on the board, sent as text: takes files into a fresh folder, starts the runner, and removes the folder whatever comes.

It is given one line of JSON with `files` ([name, bytes] each), `commands` and the rest, then the files' contents, then a byte
now and then for as long as somebody is interested. It answers in lines of JSON, the runner's own passed on among them. When its
input ends or falls silent, the host is gone: it kills the runner, removes the folder and goes.

Standard library of Python 3.6, so that an old Python can say that it is too old. Nothing of edgekit is there yet to be imported.
"""
# ruff: noqa: UP006, UP035, UP045  (how Python 3.6 writes its types)

import errno
import io
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from types import FrameType
from typing import Any, Dict, List, Optional, cast

SILENCE = 60.0  # seconds without a byte from the host: several times what it lets pass
CHUNK = 1 << 16
TAIL = 8000  # bytes kept of what the runner prints
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Gone(Exception):
    """Nobody is interested any more."""


def say(**message: Any) -> None:
    """Tell the host."""
    _send(json.dumps(message))


def _send(line: str) -> None:
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except OSError:
        raise Gone() from None


def keep() -> None:
    """Hold the whole conversation."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, _stop)
    say(edgekit="keeper")  # what a login shell prints before this is not ours
    _bear_silence(SILENCE)
    asked = json.loads(sys.stdin.buffer.readline().decode() or "null")
    if asked is None:
        return
    if list(sys.version_info[:2]) < asked["python"]:
        say(refused="python", found="{}.{}.{}".format(*sys.version_info[:3]), executable=sys.executable)
        return
    folder = None
    try:
        folder = tempfile.mkdtemp(prefix="edgekit-board-")
        _receive(folder, asked["files"], cast("io.BufferedReader", sys.stdin.buffer))
        _bear_silence(0)
        for command in asked["commands"]:
            if not _run(folder, command, asked["environment"], asked["seconds"]):
                break
    except OSError as error:
        place = folder or tempfile.gettempdir()
        say(refused="disk" if error.errno in FULL else "folder", folder=place, reason=error.strerror or str(error))
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
    say(removed=folder, left=bool(folder and os.path.exists(folder)))


def _bear_silence(seconds: float) -> None:
    """From now on for so long; 0 for as long as it takes. A timer, for `select` sees nothing of what Python has read ahead."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _receive(folder: str, files: List[List[Any]], stream: io.BufferedReader) -> None:
    for name, size in files:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            missing = size
            while missing:
                content = stream.read1(min(missing, CHUNK))
                if not content:
                    raise Gone()
                _bear_silence(SILENCE)
                file.write(content)
                missing -= len(content)


def _run(folder: str, command: List[str], environment: Dict[str, str], seconds: float) -> bool:
    """Start the runner and pass its lines on. Returns whether it ended well."""
    process = subprocess.Popen(
        [sys.executable, os.path.join(folder, command[0]), folder, *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=dict(os.environ, TMPDIR=folder, **environment),
        start_new_session=True,
    )
    try:
        log = _watch(process, time.monotonic() + seconds)
        if log is None:
            say(ended="timeout", seconds=seconds)
            return False
        code = process.wait()
        say(ended=code, log=log.decode("utf-8", "replace"))
        return code == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _watch(process: "subprocess.Popen[bytes]", deadline: float) -> Optional[bytes]:
    """Pass on whole lines of the runner's until it closes its pipes. Returns the end of its log; None where time ran out."""
    assert process.stdout
    assert process.stderr
    out, err = process.stdout.fileno(), process.stderr.fileno()
    heard, half_line, log = time.monotonic(), b"", b""
    is_open = {out, err}
    while is_open:
        now = time.monotonic()
        if now > deadline:
            return None
        if now > heard + SILENCE:
            raise Gone()
        ready = select.select([0, *is_open], [], [], min(deadline - now, heard + SILENCE - now))[0]
        for source in ready:
            content = os.read(source, CHUNK)
            if source == 0:
                if not content:
                    raise Gone()
                heard = time.monotonic()
            elif not content:
                is_open.discard(source)
            elif source == err:
                log = (log + content)[-TAIL:]
            else:
                *lines, half_line = (half_line + content).split(b"\n")
                for line in lines:
                    _send(line.decode())
    return log


def _stop(number: int, frame: Optional[FrameType]) -> None:
    raise Gone()


if __name__ == "__main__":
    try:
        keep()
    except Gone:
        sys.exit(1)
