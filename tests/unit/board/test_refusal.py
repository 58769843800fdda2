"""What ssh prints when it does not get there, in OpenSSH's words, and what the user is told."""

from __future__ import annotations

import pytest

from edgekit.board.address import SshAddress
from edgekit.board.refusal import refusal_of
from edgekit.errors import EdgekitError, NetworkError, TargetMissing

BOARD = SshAddress("board", "pi", 2222)
CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Host key verification failed."""


@pytest.mark.parametrize(
    ("code", "complaint", "kind", "told"),
    [
        (255, "ssh: connect to host board port 2222: Connection refused", NetworkError, "is not reached"),
        (255, "ssh: connect to host board port 2222: Connection timed out", NetworkError, "Does `ssh -p 2222 pi@board` reach it"),
        (255, "ssh: connect to host board port 2222: No route to host", NetworkError, "No route to host"),
        (255, "ssh: Could not resolve hostname board: Name or service not known", NetworkError, "nobody knows the host board"),
        (255, "No ED25519 host key is known.\nHost key verification failed.", NetworkError, "No ED25519 host key is known"),
        (255, CHANGED, NetworkError, "SOMEONE IS DOING SOMETHING NASTY"),
        (255, "pi@board: Permission denied (publickey).", NetworkError, "ssh-copy-id"),
        (255, "", NetworkError, "it says nothing"),
        (127, "sh: 1: exec: python3: not found", TargetMissing, "has no python3 that can be run"),
        (126, "bash: /tmp/x: Permission denied", TargetMissing, "Install Python 3.11"),
        (1, "This account is currently not available.", NetworkError, "exit code 1"),
    ],
)
def test_every_complaint_has_its_class_and_its_advice(code: int, complaint: str, kind: type[EdgekitError], told: str) -> None:
    error = refusal_of(BOARD, code, complaint)
    assert type(error) is kind
    assert told in str(error)
