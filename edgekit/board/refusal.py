"""Why ssh did not get as far as our program, in words that say what to do.

ssh ends with 255 for an error of its own and tells which on stderr, in English whatever the language; any other code is of the
command there (ssh(1), "EXIT STATUS").
"""

from __future__ import annotations

from edgekit.board.address import SshAddress
from edgekit.errors import EdgekitError, NetworkError, TargetMissing

SSH_FAILED, NOT_RUN, NOT_FOUND = 255, 126, 127


def refusal_of(address: SshAddress, code: int, complaint: str) -> EdgekitError:
    """The error for an exit code of ssh and what it printed."""
    place, last = address.name, complaint.splitlines()[-1].strip() if complaint else "it says nothing"
    login = f"`ssh {_arguments(address)}`"
    if code in (NOT_RUN, NOT_FOUND):
        return TargetMissing(
            f"{place} has no {address.python} that can be run: {last}. Install Python 3.11 or later there, or name it in the "
            "address: ssh://host/~/venv/bin/python"
        )
    if code != SSH_FAILED:
        return NetworkError(f"{place} lets us in and then runs no Python of ours (exit code {code}): {last}. Try {login}")
    if "Host key verification failed" in complaint:
        return NetworkError(
            f"the host key of {place} is not known here, or not the one that is: {_first(complaint)}. edgekit trusts no key for "
            f"you: run {login} once, compare the fingerprint, and answer its question"
        )
    if "Permission denied" in complaint:
        return NetworkError(
            f"{place} does not let us in: {last}. Passwords are not asked for: ssh-copy-id puts your key on the board, and a key "
            f"with a passphrase has to be in ssh-agent. When {login} asks nothing, so does edgekit"
        )
    if "Could not resolve hostname" in complaint:
        return NetworkError(f"nobody knows the host {place}: {last}")
    return NetworkError(f"{place} is not reached: {last}. Does {login} reach it?")


def _arguments(address: SshAddress) -> str:
    port = "" if address.port is None else f"-p {address.port} "
    return f"{port}{address.user + '@' if address.user else ''}{address.host}"


def _first(complaint: str) -> str:
    """A changed host key is announced in a frame of @; an unknown one in the first line."""
    lines = [line.strip() for line in complaint.splitlines()]
    return next((line for line in lines if line and not line.startswith("@")), lines[-1])
