"""Zero padding of its own, made part of the convolution that it feeds.

PyTorch's convolution pads both sides alike, so a network that pads as TensorFlow does ("SAME") is exported with separate `pad`
operators: one more pass over the largest tensors, and one more operator that a device may not take. Core ML's convolution has
padding of its own for each side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from coremltools.converters.mil.mil import Builder


def fold_pads(program: Any) -> None:
    """Fold every constant zero pad of an MIL program into the convolutions it feeds, in place.

    A pad that something else needs too stays for it; the others are dead code, which coremltools removes.
    """
    function = program.functions["main"]
    with function:
        for operation in list(function.operations):
            if operation.op_type == "conv":
                _fold(operation)


def _fold(convolution: Any) -> None:
    x, amounts = convolution.x, _own_padding(convolution)
    if amounts is None:
        return
    while (more := _zero_padding(x.op, len(amounts))) is not None:
        x, amounts = x.op.x, amounts + more
    if x is convolution.x:
        return
    inputs = {**convolution.inputs, "x": x, "pad_type": "custom", "pad": amounts}
    folded = Builder.conv(**inputs, name=convolution.name, before_op=convolution)
    block, output = convolution.enclosing_block, convolution.outputs[0]
    folded.name = output.name  # a public name is the output's and not the operator's
    block.replace_uses_of_var_after_op(anchor_op=convolution, old_var=output, new_var=folded)
    block.remove_ops([convolution])


def _own_padding(convolution: Any) -> Any:
    """What the convolution pads already: before and after each spatial axis, as int32; None where its type leaves that open."""
    spatial = 2 * (convolution.x.rank - 2)
    match convolution.pad_type.val:
        case "valid":
            return np.zeros(spatial, np.int32)
        case "custom":
            return convolution.pad.val
    return None


def is_zero_padding(operation: Any) -> bool:
    """Say whether an operator of an MIL program puts zeros around its input and does nothing else."""
    return bool(operation.op_type == "pad" and operation.mode.val == "constant" and operation.constant_val.val == 0)


def _zero_padding(operation: Any, spatial: int) -> Any:
    """What a `pad` operator adds to each spatial axis; None for another operator, or a pad that a convolution cannot express."""
    if operation is None or operation.op_type != "pad" or operation.pad.val is None:
        return None
    amounts = np.zeros(2 * operation.x.rank, np.int32)
    amounts[len(amounts) - len(operation.pad.val) :] = operation.pad.val  # given for the last axes
    return amounts[-spatial:] if is_zero_padding(operation) and (amounts >= 0).all() and not amounts[:-spatial].any() else None
