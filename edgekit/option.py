"""A plugin's `--option key=value` pairs, parsed into the plugin's own frozen dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import msgspec

from edgekit.errors import UsageError

Options = TypeVar("Options")


def parse_options(kind: type[Options], given: Mapping[str, str], *, target: str) -> Options:
    """Build `kind` from strings, converted and checked by its annotations.

    Raises:
        UsageError: an unknown key, which lists the valid ones, or a value of the wrong type.
    """
    valid = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # a dataclass: the caller's promise
    for key in given:
        if key not in valid:
            shown = ", ".join(valid) or "none"
            raise UsageError(f"target {target} has no option {key!r}. Its options: {shown}")
    try:
        return msgspec.convert(dict(given), kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"an option of target {target} has a wrong value: {error}") from error


def option_strings(options: Any) -> dict[str, str]:
    """The options in force, as the strings that would give them."""
    return {field.name: str(getattr(options, field.name)) for field in fields(options)}
