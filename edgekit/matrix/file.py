"""edgekit.toml -> `Config`, or everything that is wrong with it, each with its line and column."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from edgekit.errors import InputError
from edgekit.matrix.config import Config, Limits, Timing
from edgekit.matrix.contradiction import find_contradictions
from edgekit.matrix.mistake import Mistake, find_impossible, find_mistakes

MAX_BYTES = 256_000  # of a thousand models, with a key or two each
_MOST_SHOWN = 50
# a key of a hundred parts: tomllib would take minutes for more
_DEEP = re.compile(r"""(?<!["'\w-])(?:["'\w-]++\s*+\.\s*+){100}""")
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def read_config(path: Path) -> Config:
    """Read edgekit.toml. Paths in it stay as written.

    Raises:
        InputError: it cannot be read, is not TOML, or asks for what there is not: one line per mistake.
    """
    return parse_config(_read(path), path)


def parse_config(text: str, path: Path) -> Config:
    """Check the contents of an edgekit.toml.

    Args:
        text: the contents.
        path: what messages call the file; relative paths are looked up beside it.

    Raises:
        InputError: as `read_config`.
    """
    text = text.replace("\r\n", "\n")  # as TOML has it
    try:
        document = _parse(text, path)
        mistakes = list(find_impossible(document))
        config: Config | None = None
        try:
            config = convert(document)
        except msgspec.ValidationError as error:  # it tells the first mistake alone; the schema tells all, and takes longer
            impossible = {mistake.path for mistake in mistakes}
            mistakes += [mistake for mistake in find_mistakes(document) if mistake.path not in impossible]
            mistakes = mistakes or [Mistake((), str(error))]
        if config and not mistakes:
            mistakes += find_contradictions(config, path.parent)
        if mistakes or config is None:
            raise InputError(_tell(mistakes, text, path))
    except RecursionError as error:
        raise InputError(f"{path} is nested too deeply to be an edgekit.toml") from error
    return msgspec.structs.replace(config, latency=Timing()) if config.latency is True else config


def convert(document: Mapping[str, object]) -> Config:
    """Make the record of a document. In it, the targets' tables of `goals` have a field of their own.

    Raises:
        msgspec.ValidationError: the first of its mistakes.
    """
    goals = document.get("goals")
    if isinstance(goals, dict):
        limits = {key: value for key, value in goals.items() if key in Limits.__struct_fields__}
        document = {**document, "goals": {**limits, "targets": {key: goals[key] for key in goals if key not in limits}}}
    return msgspec.convert(document, Config)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(f"no such file: {path}. Write one with `edgekit init`") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder: name the file in it") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{path} has more than {MAX_BYTES:,} bytes: that is no edgekit.toml")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", errors="replace")
        place = f"{path}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
        raise InputError(f"{place}: the byte 0x{content[error.start]:02x} is not UTF-8: save the file as UTF-8") from error


def _parse(text: str, path: Path) -> dict[str, object]:
    if _DEEP.search(text):
        raise RecursionError
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and that of int() for thousands of digits
        raise InputError(_tell_syntax(str(error), text, path)) from error


def _tell(mistakes: Iterable[Mistake], text: str, path: Path) -> str:
    """One line per mistake, in the order of the file."""
    from edgekit.matrix.place import find_places

    places = find_places(text)
    found = {mistake: places.key(mistake.path) if mistake.is_key else places.value(mistake.path) for mistake in mistakes}
    lines = [
        f"{path}:{place.line}:{place.column}: {': '.join(filter(None, (_dotted(mistake), mistake.message)))}"
        for mistake, place in sorted(found.items(), key=lambda item: item[1])
    ]
    if len(lines) == 1:
        return lines[0]
    rest = ["and more"] if len(lines) > _MOST_SHOWN else []
    return "\n".join([f"{path} cannot be used:", *lines[:_MOST_SHOWN], *rest])


def _tell_syntax(message: str, text: str, path: Path) -> str:
    where = _AT.search(message)
    line, column = (1, 1) if where is None else (int(where[1] or 0), int(where[2] or 0))
    if not line:  # the end of the document
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    return f"{path}:{line}:{column}: this is not TOML: {_AT.sub('', message)}"


def _dotted(mistake: Mistake) -> str:
    """A path as in TOML; the elements of a list are counted from 0."""
    shown = ""
    for step in mistake.path:
        if isinstance(step, int):
            shown += f"[{step}]"
        else:
            key = step if _BARE_KEY.fullmatch(step) else repr(step)
            shown += f".{key}" if shown else key
    return shown
