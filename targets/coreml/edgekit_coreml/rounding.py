"""Roundings to 8 bits that change nothing, taken out of a graph.

The int8 program rounds what every operator gives. Padding with zeros and reshaping give the values they are given, which lie on
the steps already: to round them again is no more than two operators, and stands between a pad and the convolution that could do
it itself. And it turns a value back into floats once for each of its readers, which coremltools' own passes take for a value of
many uses and leave alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekit_coreml.padding import is_zero_padding


def drop_repeated_roundings(program: Any) -> None:
    """Let readers of a value that is rounded twice to the same steps, or turned back twice, read it rounded once, in place.

    What stands before the operators that are left out, and has no reader any more, is dead code, which coremltools removes.
    """
    function = program.functions["main"]
    with function:
        for operation in list(function.operations):
            if operation.op_type != "dequantize" or operation.outputs[0] in function.outputs:
                continue
            same = operation.input.op.input if _is_repeated(operation) else _first_reader(operation)
            if same is not operation.outputs[0]:
                function.replace_uses_of_var_after_op(anchor_op=operation, old_var=operation.outputs[0], new_var=same)
                function.remove_ops([operation])


def _first_reader(dequantize: Any) -> Any:
    """What the first operator that turns the same integers back into the same floats gives."""
    readers = [each for each in dequantize.input.child_ops if each.op_type == "dequantize"]
    return next(each.outputs[0] for each in readers if _steps(each) == _steps(dequantize))


def _is_repeated(dequantize: Any) -> bool:
    quantize = dequantize.input.op
    if quantize is None or quantize.op_type != "quantize" or _steps(quantize) != _steps(dequantize):
        return False
    source = quantize.input.op
    while source is not None and (source.op_type == "reshape" or is_zero_padding(source)):
        source = source.x.op
    return source is not None and source.op_type == "dequantize" and _steps(source) == _steps(quantize)


def _steps(rounding: Any) -> tuple[Any, ...]:
    """What a `quantize` or `dequantize` rounds to: the type of its integers, its scale and its zero point."""
    integers = rounding.outputs[0] if rounding.op_type == "quantize" else rounding.input
    zero = 0 if rounding.zero_point is None else rounding.zero_point.val
    axis = None if rounding.axis is None else int(rounding.axis.val)
    return str(integers.dtype), np.float32(rounding.scale.val).tobytes(), np.int32(zero).tobytes(), axis
