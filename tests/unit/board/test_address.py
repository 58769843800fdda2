"""Addresses of boards: what is one, what is not, and that nothing in one is ever read by a shell."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.board.address import AdbAddress, SshAddress, is_address, parse_address
from edgekit.board.ssh import ssh_command
from edgekit.errors import UsageError


def command_for(text: str) -> list[str]:
    address = parse_address(text)
    assert isinstance(address, SshAddress)
    return ssh_command(address, 7)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ssh://board", SshAddress("board")),
        ("ssh://pi@board", SshAddress("board", "pi")),
        ("ssh://pi@board.local:2222", SshAddress("board.local", "pi", 2222)),
        ("ssh://Kitchen_Pi", SshAddress("Kitchen_Pi")),  # an alias of ~/.ssh/config may have capitals
        ("ssh://192.168.0.7:22/", SshAddress("192.168.0.7", "", 22)),
        ("ssh://[fe80::1%eth0]:22", SshAddress("fe80::1%eth0", "", 22)),
        ("ssh://[::1]", SshAddress("::1")),
        ("ssh://pi@board/usr/bin/python3.12", SshAddress("board", "pi", None, "/usr/bin/python3.12")),
        ("ssh://board/~/venv/bin/python", SshAddress("board", python="~/venv/bin/python")),
        ("adb://R58M123ABC", AdbAddress("R58M123ABC")),
        ("adb://192.168.0.9:5555", AdbAddress("192.168.0.9:5555")),
        ("adb://emulator-5554", AdbAddress("emulator-5554")),
        ("android", AdbAddress()),
    ],
)
def test_forms(text: str, address: SshAddress | AdbAddress) -> None:
    assert is_address(text)
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "ssh://",
        "ssh://@board",
        "ssh://board:port",
        "ssh://board:0",
        "ssh://board:70000",
        "ssh://-oProxyCommand=touch",  # what begins like an option is one: CVE-2017-1000117
        "ssh://-l@board",
        "ssh://pi@-board",
        "ssh://board;reboot",
        "ssh://bo ard",
        "ssh://board/bin/python;reboot",
        "ssh://board/$(reboot)",
        "ssh://board/a b",
        "ssh://board/python?x=1",
        "ssh://board#x",
        "ssh://[::1",
        "ssh://board\nreboot",
        "adb://",
        "adb://-s",
        "adb://a b",
        "adb://a;b",
        "http://board",
        "SSH//board",
        "board",
        "",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)


def test_a_password_is_refused_without_being_repeated() -> None:
    with pytest.raises(UsageError, match="no password") as caught:
        parse_address("ssh://pi:secret@board")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["Pixel 3", "Snapdragon 855", "Android phone", "ssh", "adb", "", "c:/x"])
def test_names_of_devices_are_no_addresses(name: str) -> None:
    assert not is_address(name)


def test_a_report_names_the_host_and_its_port_and_not_the_user() -> None:
    assert parse_address("ssh://pi@board/~/venv/bin/python").name == "board"
    assert parse_address("ssh://pi@board:2222").name == "board:2222"
    assert parse_address("ssh://pi@[fe80::1]:22").name == "[fe80::1]:22"


@given(st.text())
def test_anything_is_an_address_or_a_usage_error(text: str) -> None:
    for candidate in (text, f"ssh://{text}", f"adb://{text}", f"ssh://board/{text}", f"ssh://{text}@board"):
        try:
            address = parse_address(candidate)
        except UsageError:
            continue
        if isinstance(address, SshAddress):
            words = f"{address.host} {address.user} {address.python}"
            assert not re.search(r"[^A-Za-z0-9_ ./~%:@+-]", words)
            assert not any(word.startswith("-") for word in words.split())
            assert parse_address(str(address)) == address


@given(
    st.from_regex(r"[a-z][a-z0-9.-]{0,10}", fullmatch=True),
    st.from_regex(r"[a-z][a-z0-9]{0,10}", fullmatch=True),
    st.integers(1, 65535),
)
def test_what_was_said_reaches_ssh(host: str, user: str, port: int) -> None:
    command = command_for(f"ssh://{user}@{host}:{port}")
    end = command.index("--")
    assert command[end + 1] == host
    assert command[command.index("-l") + 1] == user
    assert command[command.index("-p") + 1] == str(port)
    assert shlex.split(command[end + 2])[:2] == ["exec", "python3"]


def test_what_was_not_said_is_left_to_the_users_configuration() -> None:
    command = command_for("ssh://board")
    assert "-l" not in command
    assert "-p" not in command


def test_nobody_is_asked_anything_and_a_dead_connection_ends() -> None:
    command = command_for("ssh://board")
    for option in ("BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=5", "ServerAliveCountMax=4"):
        assert command[command.index(option) - 1] == "-o"


def test_the_users_own_client_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_SSH_COMMAND", "ssh -F 'my config'")
    assert command_for("ssh://board")[:3] == ["ssh", "-F", "my config"]
