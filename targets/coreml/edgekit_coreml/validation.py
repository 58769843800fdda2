"""coremltools' own check of a program, once.

coremltools walks the whole program after each of its hundred passes to see that operators and variables agree: a third of a
conversion's time, for what a bug in one of its passes would break. Here it looks at what the last pass left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from coremltools.converters.mil.mil import Program


@contextmanager
def validated_once() -> Iterator[Callable[[Any], None]]:
    """Convert without the checks between passes; gives the check, for the program of the converted model.

    Raises:
        InvalidBlockStateError: coremltools', from the check, if operators and variables do not agree.
        ValueError: likewise.
    """
    check = Program.validate

    def later(program: Any, check_essential_scope: bool = False) -> None:
        """Instead of the check."""

    Program.validate = later
    try:
        yield check
    finally:
        Program.validate = check
