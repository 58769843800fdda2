"""Where a board is: `ssh://[user@]host[:port][/PYTHON]`, `adb://SERIAL`, or `android`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from edgekit.errors import UsageError

ANDROID = "android"
PYTHON = "python3"
FORMS = "ssh://[user@]host[:port][/path/of/python], adb://SERIAL or android"

# Each of these ends up in a command: nothing that a shell reads, and nothing that begins like an option.
_PRINTED = re.compile(r"[!-~]+")  # urlsplit passes over the end of a line
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9]+)?")
_PATH = re.compile(r"(/~)?(/[A-Za-z0-9._+@-]+)+")
_SERIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:-]*")


@dataclass(frozen=True, slots=True)
class SshAddress:
    """A machine that OpenSSH reaches.

    Attributes:
        host: a name, an alias of ~/.ssh/config, or an IP address without brackets.
        user: empty for what the user's configuration says.
        port: None for what the user's configuration says.
        python: the interpreter there: a name on the PATH, or a path, `~/` for the home folder.
    """

    host: str
    user: str = ""
    port: int | None = None
    python: str = PYTHON

    @property
    def name(self) -> str:
        """Where, for a report. Other boards may be behind other ports; whom one logs in as is nobody's business."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def __str__(self) -> str:
        path = "" if self.python == PYTHON else self.python if self.python.startswith("/") else f"/{self.python}"
        return f"ssh://{self.user + '@' if self.user else ''}{self.name}{path}"


@dataclass(frozen=True, slots=True)
class AdbAddress:
    """An Android device that adb reaches; without a serial number the only one there is."""

    serial: str = ""

    @property
    def name(self) -> str:
        """Where, for a report."""
        return self.serial or ANDROID

    def __str__(self) -> str:
        return f"adb://{self.serial}" if self.serial else ANDROID


Address = SshAddress | AdbAddress


def is_address(text: str) -> bool:
    """Whether a `--device` says how to reach one, rather than what it is called."""
    return "://" in text or text == ANDROID


def parse_address(text: str) -> Address:
    """Read an address as the user wrote it.

    Raises:
        UsageError: not one of the forms, with what is wrong.
    """
    if text == ANDROID:
        return AdbAddress()
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in ("ssh", "adb") or not _PRINTED.fullmatch(text):
        raise UsageError(f"{text!r} is no address of a board: those are {FORMS}")
    if scheme == "adb":
        if not _SERIAL.fullmatch(rest):
            raise UsageError(f"{text!r} has no serial number that adb could know: `adb devices` lists them, or say {ANDROID}")
        return AdbAddress(rest)
    return _parse_ssh(text)


def _parse_ssh(text: str) -> SshAddress:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{text!r} is no address: {error}") from error
    if parts.password is not None:
        raise UsageError("an address has no password: others could read it. Let ssh use a key: ssh-copy-id puts yours on a board")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise UsageError(f"{text!r} has a ? or a #: an address is {FORMS}")
    host = (parts.netloc.rpartition("@")[2]).removeprefix("[").partition("]")[0]  # as written: aliases may have capitals
    if "[" not in parts.netloc:
        host = host.partition(":")[0]
    if not _HOST.fullmatch(host):
        raise UsageError(f"{text!r} has no host that ssh could know: an address is {FORMS}")
    if "@" in parts.netloc and not _NAME.fullmatch(parts.username or ""):
        raise UsageError(f"{text!r} has no user before its @: an address is {FORMS}")
    if port == 0:
        raise UsageError(f"{text!r} has port 0: ports are 1 to 65535")
    path = parts.path.removesuffix("/")
    if path and not _PATH.fullmatch(path):
        raise UsageError(f"{text!r}: {path!r} is no path of a Python: letters, digits and . _ + - @ between slashes")
    return SshAddress(host, parts.username or "", port, _python(path))


def _python(path: str) -> str:
    if not path:
        return PYTHON
    return path.removeprefix("/") if path.startswith("/~/") else path
