"""coremltools' check of a program, made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from coremltools.converters.mil.mil import Program
from coremltools.converters.mil.mil.block import InvalidBlockStateError

from edgekit_coreml.validation import validated_once


@pytest.fixture
def program() -> Any:
    """x + 1, twice."""

    def body(x: Any) -> Any:
        return mb.add(x=mb.add(x=x, y=np.float32(1)), y=np.float32(1))

    return mb.program(input_specs=[mb.TensorSpec(shape=(2,))])(body)


def take_out(program: Any) -> None:
    """Leave the second sum without what it adds to."""
    block = program.functions["main"]
    sums = block.find_ops(op_type="add")
    sums[0].outputs[0].child_ops.clear()


def test_a_broken_program_passes_between_and_is_refused_at_the_end(program: Any) -> None:
    with validated_once() as validate:
        program.validate()
        take_out(program)
        program.validate()
        with pytest.raises(InvalidBlockStateError, match="should be consumed"):
            validate(program)


def test_afterwards_all_is_as_before(program: Any) -> None:
    check: Callable[..., None] = Program.validate
    with pytest.raises(RuntimeError), validated_once():
        raise RuntimeError
    assert Program.validate is check
    take_out(program)
    with pytest.raises(InvalidBlockStateError, match="should be consumed"):
        program.validate()
