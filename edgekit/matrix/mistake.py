"""What is wrong with the contents of edgekit.toml, as far as each value can be judged alone."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

KeyPath = tuple[str | int, ...]
"""From the root of the document: keys, and numbers of elements from 0."""
NOUNS = {
    "string": ("a string",),
    "integer": ("a whole number",),
    "number": ("a number",),
    "boolean": ("true", "false"),
    "array": ("a list",),
    "object": ("a table",),
}
_BITS = 64  # of TOML's whole numbers
_MOST_SHOWN = 60  # characters of a value
_MOST_MISTAKES = 1000


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong.

    Attributes:
        path: of the value, or of the key.
        message: what is wrong, and where that is clear what would be right.
        is_key: it is the key that is wrong.
    """

    path: KeyPath
    message: str
    is_key: bool = False


def find_impossible(document: Mapping[str, object]) -> Iterator[Mistake]:
    """Find what TOML allows and neither JSON nor a file system does: infinities, huge integers, null characters."""
    left: list[tuple[KeyPath, object]] = [((), document)]
    while left:
        path, value = left.pop()
        if isinstance(value, dict):
            left += [((*path, key), each) for key, each in value.items()]
            yield from (Mistake((*path, key), "a key cannot have a null character", True) for key in value if "\0" in key)
        elif isinstance(value, list):
            left += [((*path, number), each) for number, each in enumerate(value)]
        elif isinstance(value, float) and not math.isfinite(value):
            yield Mistake(path, f"{value} is not a number that can be compared")
        elif isinstance(value, int) and value.bit_length() >= _BITS:
            yield Mistake(path, f"the number has more than {_BITS} bits")
        elif isinstance(value, str) and "\0" in value:
            yield Mistake(path, "the string has a null character, which no path can have")


def find_repeated(path: KeyPath, values: Iterable[object]) -> Iterator[Mistake]:
    """Find values of a list that were there before."""
    seen: set[str] = set()
    for number, value in enumerate(values):
        shown = repr(value)  # not every value can be hashed
        if shown in seen:
            yield Mistake((*path, number), f"{show_value(value)} is there twice")
        seen.add(shown)


def find_mistakes(document: Mapping[str, object]) -> Iterator[Mistake]:
    """Find what the schema of edgekit.toml does not allow: everything, or the first thousand."""
    validator = _validator()
    found = (mistake for error in validator.iter_errors(_json(document)) for mistake in _tell(error, _json(validator.schema)))
    yield from islice(found, _MOST_MISTAKES)


@functools.cache
def _validator() -> Validator:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    from edgekit.matrix.schema import config_schema

    # JSON Schema takes 100.0 for an integer; TOML has two kinds of number
    strict = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    made: Validator = extend(Draft202012Validator, type_checker=strict)(config_schema())  # type: ignore[no-untyped-call]  # its stubs
    return made


def show_value(value: object) -> str:
    """A value as it would be written in TOML, cut where it is long; of lists and tables only that they are."""
    if isinstance(value, list | dict):
        return NOUNS["array" if isinstance(value, list) else "object"][0]
    shown = json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool | int | float) else str(value)
    shown = "".join(character if character.isprintable() else f"\\u{ord(character):04X}" for character in shown)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}..."


def suggest(name: object, valid: Iterable[str]) -> str:
    """What was probably meant, or all that there is."""
    names = list(valid)
    close = get_close_matches(str(name).lower(), names, 1)
    return f"did you mean {close[0]}?" if close else f"there {'is' if len(names) == 1 else 'are'}: {', '.join(names)}"


def _tell(error: ValidationError, schema: Mapping[str, object]) -> Iterator[Mistake]:
    """Put one complaint of the validator's into the words of somebody who writes the file."""
    path = tuple(error.absolute_path)
    value, limit = _json(error.instance), _json(error.validator_value)  # of which kind follows from the validator
    if error.validator == "additionalProperties":
        properties = _json(error.schema)["properties"]
        yield from (_unknown_key((*path, key), properties, schema) for key in value if key not in properties)
    elif error.validator == "required":
        yield from (Mistake(path, f"`{key}` is missing") for key in limit if key not in value)
    elif error.validator == "uniqueItems":
        yield from find_repeated(path, value)
    elif error.validator == "anyOf":
        yield from _tell_alternatives(error, schema)
    elif error.validator == "type":
        goals = _json(schema)["$defs"]["Goals"]["properties"]
        if len(path) == 2 and path[0] == "goals" and path[1] not in goals:  # neither a goal nor a target's table
            yield _unknown_key(path, goals, schema)
        else:
            yield Mistake(path, f"{show_value(value)} is not {_join(_nouns([limit] if isinstance(limit, str) else limit))}")
    elif error.validator == "enum":
        yield Mistake(path, f"{show_value(value)} is not a choice: {suggest(value, limit)}")
    else:
        yield Mistake(path, _say_limit(str(error.validator), value, limit))


def _say_limit(validator: str, value: object, limit: object) -> str:
    shown = show_value(value)
    return {
        "minItems": "the list is empty: it needs one at least",
        "minLength": "the string is empty",
        "maxLength": f"{shown} has more than {limit} characters",
        "pattern": f"{shown} cannot be a name: these have letters, digits, _, . and -, and begin with a letter or a digit",
        "minimum": f"{shown} is below {limit}",
        "maximum": f"{shown} is above {limit}",
        "exclusiveMinimum": f"{shown} is not above {limit}",
    }[validator]


def _tell_alternatives(error: ValidationError, schema: Mapping[str, object]) -> Iterator[Mistake]:
    """Of alternatives, take the one that the value was meant to be: the one whose type it has."""
    wrong_type = {each.schema_path[0] for each in error.context if each.validator == "type" and not each.relative_path}
    meant = [each for each in error.context if each.schema_path[0] not in wrong_type]
    if meant:
        for each in meant:
            yield from _tell(each, schema)
    else:
        nouns = _nouns(str(each.validator_value) for each in error.context)
        yield Mistake(tuple(error.absolute_path), f"{show_value(error.instance)} is not {_join(nouns)}")


def _unknown_key(path: KeyPath, valid: Mapping[str, object], schema: Mapping[str, object]) -> Mistake:
    top = _json(schema)["properties"]
    if len(path) > 1 and path[-1] in top:  # TOML's classic: a key below a table's header is that table's
        hint = "it is one of the whole file, and these stand above the first [table]"
    else:
        hint = suggest(path[-1], valid)
    return Mistake(path, f"there is no such key here; {hint}", is_key=True)


def _json(value: object) -> Any:
    """A part of a document or of our own schema, whose form is known where it is asked for."""
    return value


def _nouns(types: Iterable[str]) -> list[str]:
    return [noun for each in types for noun in NOUNS[each]]


def _join(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
