"""What a board tells becomes a record or an error, whatever it tells: a board need not be what it says it is."""

from __future__ import annotations

import base64
import io
import json
import re
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.board.board import Measured
from edgekit.board.conversation import Conversation
from edgekit.errors import EdgekitError, NetworkError, OutputError, TargetMissing
from edgekit.latency import LatencyPlan, measure
from edgekit.machine import describe_machine

HELLO = {"edgekit": "keeper"}
FACTS = {"machine": asdict(describe_machine()), "node": "kitchen", "versions": {"onnxruntime": "1.2"}}
GONE = {"removed": "/tmp/edgekit-board-x", "left": False}  # noqa: S108  (a board's)


def converse(*messages: Any, stages: list[str] | None = None) -> Measured:
    conversation = Conversation("board", (3, 11), (stages if stages is not None else []).append)
    conversation.follow(each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in messages)
    return conversation.result({"onnxruntime": "1.31.1", "torch": "2.13.0+cpu"})


def packed(**stacks: Any) -> str:
    content = io.BytesIO()
    np.savez(content, **stacks)
    return base64.b64encode(content.getvalue()).decode()


def test_a_whole_conversation() -> None:
    stages: list[str] = []
    answers = packed(logits=np.arange(6, dtype=np.float32).reshape(3, 1, 2))
    measured = converse(HELLO, {"stage": "load"}, FACTS, {"answers": answers}, {"ended": 0, "log": ""}, GONE, stages=stages)
    assert stages == ["load"]
    assert measured.node == "kitchen"
    assert measured.machine == describe_machine()
    assert [answer["logits"].tolist() for answer in measured.answers] == [[[0, 1]], [[2, 3]], [[4, 5]]]
    assert measured.notes == ()


def test_a_number_of_threads_is_told_once() -> None:
    """One thread, and one on each core of a board that has one."""
    latency = measure(lambda: lambda: None, num_threads=1, plan=LatencyPlan(20, 0.01, 0.01))
    first, again = asdict(latency), asdict(replace(latency, p50_ms=latency.p50_ms + 1))
    two = asdict(replace(latency, num_threads=2))
    measured = converse(HELLO, FACTS, *({"latency": each} for each in (first, again, two)), GONE)
    assert measured.latencies == (latency, replace(latency, num_threads=2))


def test_what_a_login_shell_prints_first_is_passed_over() -> None:
    noise = (b"Welcome to kitchen!\n", b"\xff\xfe\n", b"{}\n", b"[1]\n", b'{"stage": "latency"}\n')
    stages: list[str] = []
    assert converse(*noise, HELLO, FACTS, GONE, stages=stages).node == "kitchen"
    assert stages == []


def test_what_is_printed_later_is_an_error() -> None:
    with pytest.raises(NetworkError, match="sent what edgekit never sends"):
        converse(HELLO, b"Segmentation fault\n", FACTS, GONE)


@pytest.mark.parametrize(
    ("message", "kind", "told"),
    [
        ({"refused": "python", "found": "3.9.2", "executable": "/usr/bin/python3"}, TargetMissing, "/usr/bin/python3 is 3.9.2"),
        # S108: a name in a message, no file
        ({"refused": "disk", "folder": "/tmp/x", "reason": "No space left on device"}, OutputError, "set TMPDIR"),  # noqa: S108
        ({"refused": "folder", "folder": "/", "reason": "Read-only file system"}, OutputError, "Read-only file system"),
        (
            {"missing": dict.fromkeys(["numpy", "onnxruntime", "torch"], "gone"), "executable": "/v/python"},
            TargetMissing,
            "/v/python -m pip install numpy onnxruntime==1.31.1 torch==2.13.0. ",
        ),
        ({"ended": "timeout", "seconds": 30}, NetworkError, "not done after 30 s"),
        ({"ended": -11, "log": "corrupted double-linked list"}, EdgekitError, "was killed by SIGSEGV during: connect\ncorrupted"),
        ({"ended": -200}, EdgekitError, "exit code -200"),
        ({"ended": 1, "log": ""}, EdgekitError, "exit code 1"),
    ],
)
def test_every_failure_has_its_class_and_its_words(message: Any, kind: type[EdgekitError], told: str) -> None:
    with pytest.raises(kind, match=re.escape(told)) as caught:
        converse(HELLO, message, GONE)
    assert type(caught.value) is kind


def test_an_end_without_a_farewell_is_a_lost_connection() -> None:
    with pytest.raises(NetworkError, match="lost during: latency"):
        converse(HELLO, FACTS, {"stage": "latency"})


def test_a_refused_artifact_is_a_result() -> None:
    problem = {"kind": "InputError", "message": "no such model"}
    measured = converse(HELLO, FACTS, {"stage": "load"}, {"problem": problem}, {"ended": 1, "log": ""}, GONE)
    assert measured.problem
    assert (measured.problem.stage, measured.problem.kind) == ("load", "InputError")
    assert measured.answers == ()


def test_a_folder_that_stays_is_told() -> None:
    (note,) = converse(HELLO, FACTS, {**GONE, "left": True}).notes
    assert "/tmp/edgekit-board-x on board could not be removed" in note  # noqa: S108  # a name, no file


@pytest.mark.parametrize(
    "answers",
    [
        "no base64 !",
        base64.b64encode(b"no archive").decode(),
        packed(a=np.zeros(2), b=np.zeros(3)),
        packed(a=np.float32(1)),
        packed(),
        base64.b64encode(base64.b64decode(packed(a=np.zeros((4, 9))))[:200]).decode(),
    ],
)
def test_answers_that_are_broken(answers: str) -> None:
    with pytest.raises(NetworkError, match="answers of board are broken"):
        converse(HELLO, FACTS, {"answers": answers}, GONE)


def test_answers_are_never_unpickled() -> None:
    with pytest.raises(NetworkError, match="broken"):
        converse(HELLO, FACTS, {"answers": packed(a=np.array([print], dtype=object))}, GONE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    "edgekit",
    "stage",
    "refused",
    "missing",
    "machine",
    "node",
    "versions",
    "runtime",
    "answers",
    "latency",
    "problem",
    "ended",
]


@given(st.lists(st.dictionaries(st.sampled_from([*NAMES, "left", "removed"]), JSON, max_size=3), max_size=4))
def test_a_hostile_board_gets_an_error_and_no_traceback(messages: list[Any]) -> None:
    with suppress(EdgekitError):
        converse(HELLO, FACTS, *messages, GONE)
