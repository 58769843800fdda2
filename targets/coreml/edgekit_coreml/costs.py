"""What each operator of a program costs on any unit: multiply-accumulates, and bytes of its operands.

Multiply-accumulates are those of convolutions, matrix products and recurrent operators, products with padding included, as in
the MobileNet papers; everything else counts as none. Bytes are counted as if an operator read every operand from memory and wrote
every result: an upper bound, for a runtime fuses operators and keeps tensors on the chip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

from edgekit_coreml.reference.dtype import stored_bytes
from edgekit_coreml.reference.ops import OPS
from edgekit_coreml.reference.program import Constant, Operand, Operation, Program, Variable

CONSTEXPR = "constexpr_"


@dataclass(frozen=True, slots=True)
class Cost:
    """One operator's cost for one inference. None where it is known only when the program runs, or the operator is unknown.

    Attributes:
        macs: multiply-accumulates.
        read_bytes: of its operands, each once: variables in their declared type, constants as they are stored, compressed.
        written_bytes: of its results, in their declared type.
    """

    macs: int | None
    read_bytes: int | None
    written_bytes: int | None


def count_costs(program: Program) -> tuple[tuple[Operation, Cost], ...]:
    """Count every operator in the order of execution.

    A compressed constant (`constexpr_*`) is no operator here: it is read, as small as it is stored, by the operator that uses it.
    Nor are those inside of control flow, which run as often as the data decides: control flow itself stands for them, uncounted.
    """
    compressed: dict[str, int | None] = {}
    rows = []
    for operation in program.operations:
        read_bytes = _total(_read_bytes(operand, compressed) for operand in _operands(operation))
        if operation.type.startswith(CONSTEXPR):
            *others, last = operation.outputs  # of a mask and its values, the values stand for both
            compressed |= {each.name: 0 for each in others} | {last.name: read_bytes}
        else:
            written_bytes = _total(_bytes(output) for output in operation.outputs if output.dtype != "string")
            rows.append((operation, Cost(_macs(operation), read_bytes, written_bytes)))
    return tuple(rows)


def _operands(operation: Operation) -> Iterator[Operand]:
    """Each tensor once. Strides, axes and the like are part of the operator, not of its data."""
    known = OPS.get(operation.type)
    seen: set[int | str] = set()
    for name, given in operation.inputs.items():
        parameter = known.parameters.get(name) if known else None
        for operand in given:
            key = operand.name if isinstance(operand, Variable) else id(operand)
            is_data = isinstance(operand, Variable) or parameter is None or parameter.is_tensor or parameter.is_tensors
            if is_data and operand.dtype != "string" and key not in seen:
                seen.add(key)
                yield operand


def _read_bytes(operand: Operand, compressed: dict[str, int | None]) -> int | None:
    return compressed[operand.name] if isinstance(operand, Variable) and operand.name in compressed else _bytes(operand)


def _bytes(operand: Operand) -> int | None:
    sizes = _sizes(operand)
    return None if sizes is None else stored_bytes(operand.dtype, prod(sizes))


def _sizes(operand: Operand) -> tuple[int, ...] | None:
    shape = operand.shape
    if shape is None or operand.kind not in ("tensor", "state"):
        return None
    sizes = tuple(size for size in shape if size is not None)
    return sizes if len(sizes) == len(shape) else None


def _total(values: Iterator[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _macs(operation: Operation) -> int | None:
    formula = _FORMULAS.get(operation.type)
    if operation.blocks:
        return None
    if formula is None:
        return 0 if operation.type in OPS else None
    shapes = _Shapes(operation)
    return formula(shapes) if shapes.are_known else None


class _Shapes:
    """The sizes of an operator's inputs and of its first output."""

    def __init__(self, operation: Operation) -> None:
        found = {name: [_sizes(operand) for operand in given] for name, given in operation.inputs.items()}
        self.inputs = {name: [sizes for sizes in given if sizes is not None] for name, given in found.items()}
        output = _sizes(operation.outputs[0])
        self.output = output or ()
        self.are_known = output is not None and all(None not in given for given in found.values())
        self.operation = operation

    def __getitem__(self, name: str) -> tuple[int, ...]:
        return self.inputs[name][0]

    def constant(self, name: str) -> object:
        given = self.operation.inputs.get(name, ())
        return given[0].value if given and isinstance(given[0], Constant) else None


def _conv(shapes: _Shapes) -> int:
    """Weight: [C_out, C_in / groups, kernel...]."""
    return prod(shapes.output) * prod(shapes["weight"][1:])


def _conv_transpose(shapes: _Shapes) -> int:
    """Weight: [C_in, C_out / groups, kernel...]."""
    return prod(shapes["x"]) * prod(shapes["weight"][1:])


def _linear(shapes: _Shapes) -> int:
    return prod(shapes.output) * shapes["weight"][-1]


def _matmul(shapes: _Shapes) -> int:
    x = shapes["x"]
    return prod(shapes.output) * x[-2 if len(x) > 1 and shapes.constant("transpose_x") else -1]


def _einsum(shapes: _Shapes) -> int:
    """One product for each combination of all indices."""
    terms = str(shapes.constant("equation")).replace(" ", "").partition("->")[0].split(",")
    pairs = zip("".join(terms), (size for sizes in shapes.inputs["values"] for size in sizes), strict=True)
    return prod(dict(pairs).values())


def _attention(shapes: _Shapes) -> int:
    """Query times key, then the weights times value."""
    positions, features = prod(shapes.output[:-1]), shapes["query"][-1]
    return positions * shapes["key"][-2] * (features + shapes["value"][-1])


def _recurrent(shapes: _Shapes) -> int:
    """Every weight once for each step of each sequence; x is [steps, batch, features]."""
    steps, batch, _ = shapes["x"]
    return steps * batch * sum(prod(given[0]) for name, given in shapes.inputs.items() if name.startswith("weight") and given)


_FORMULAS: dict[str, Callable[[_Shapes], int]] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "matmul": _matmul,
    "einsum": _einsum,
    "scaled_dot_product_attention": _attention,
    "rnn": _recurrent,
    "gru": _recurrent,
    "lstm": _recurrent,
}
