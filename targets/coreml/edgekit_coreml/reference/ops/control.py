"""Control flow: blocks of operations that run once, many times, or not at all."""

from __future__ import annotations

from edgekit_coreml.reference.ops.parameter import Blocks, Running
from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.value import Value

MAX_TURNS = 2**14
"""Far more than a network on a phone takes, and a second; a damaged number takes years."""


@op("cond")
def cond(blocks: Blocks, pred: bool) -> Running:
    """Return what the first block gives where `pred` is true, otherwise what the second one gives."""
    return (yield from blocks[0 if pred else 1]())


@op("while_loop", own=("loop_vars",))
def while_loop(blocks: Blocks, loop_vars: tuple[Value, ...]) -> Running:
    """Return the loop variables, given to the second block and replaced by its results for as long as the first gives true.

    Raises:
        ValueError: the loop goes round more than 16384 times.
    """
    condition, body = blocks
    for _ in range(MAX_TURNS + 1):
        (goes_on,) = yield from condition(*loop_vars)
        if not goes_on:
            return loop_vars
        loop_vars = yield from body(*loop_vars)
    raise ValueError(f"the loop goes round more than {MAX_TURNS} times, the most that is computed")
