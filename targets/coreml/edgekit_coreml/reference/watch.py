"""Where infinities and undefined values begin, and which sums come near to overflow."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgekit.examination import Finding, FindingKind
from edgekit_coreml.reference.arithmetic import Arithmetic
from edgekit_coreml.reference.model import Computed
from edgekit_coreml.reference.program import Constant, Operand, Operation, Variable

LIMIT_FLOAT16 = 65520.0
"""Halfway from the largest float16 to where the next would be: what is rounded is infinite from here."""
NEAR = 0.5
"""The part of the limit from which a sum is reported."""

# What coremltools appends to the names of weights that it converts, compresses or stores.
_ENDINGS = re.compile(r"(_(to_fp16|promoted|quantized|palettized|sparsified|weight|bias))+(_\d+)?$")


class Watch:
    """Looks at every operation that has run."""

    def __init__(self, arithmetic: Arithmetic) -> None:
        """Start with nothing found.

        Args:
            arithmetic: in which the operations are computed.
        """
        self._arithmetic = arithmetic
        self._found: dict[tuple[str, str], Finding] = {}
        self._seen: set[tuple[str, str]] = set()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What has been found so far, in the order of the program."""
        return tuple(self._found.values())

    def begin(self) -> None:
        """An inference begins."""
        self._seen.clear()
        if self._arithmetic.sums:
            self._arithmetic.sums.peak = 0.0

    def look(self, computed: Computed) -> None:
        """Look at an operation that has just run, before the next one does."""
        operation, sums = computed.operation, self._arithmetic.sums
        largest = _largest(operation.outputs, computed.values)
        limit = LIMIT_FLOAT16 if self._arithmetic.round and any(each.dtype == "float16" for each in operation.outputs) else None
        if sums:
            if limit and operation.type in self._arithmetic.ops:
                limit = min(limit, sums.limit)
                largest = largest if math.isnan(largest) else max(largest, sums.peak)
            sums.peak = 0.0
        if not math.isfinite(largest):
            self._blame(computed, largest, limit)
        elif limit and largest >= NEAR * limit > _largest(operands_of(operation), computed.values):
            self._add(operation, "near the limit", largest, limit)

    def _blame(self, computed: Computed, largest: float, limit: float | None) -> None:
        """Report what is not finite, if it began here."""
        operands = operands_of(computed.operation)
        if any(isinstance(operand, Constant) and not _is_finite(operand) for operand in operands):
            self._add(computed.operation, "stored not finite", None, limit)
        elif math.isfinite(_largest(operands, computed.values)):
            self._add(computed.operation, "not a number" if math.isnan(largest) else "infinite", None, limit)

    def _add(self, operation: Operation, problem: FindingKind, largest: float | None, limit: float | None) -> None:
        key = (operation.outputs[0].name, problem)
        before = self._found.get(key)
        if before is None:
            named = f"{operation.type} {operation.outputs[0].name!r}"
            self._found[key] = Finding(named, source_module(operation), problem, self._arithmetic.name, largest, limit, 1)
        elif key not in self._seen:
            larger = max(before.largest, largest) if before.largest is not None and largest is not None else None
            self._found[key] = replace(before, largest=larger, inferences=before.inferences + 1)
        self._seen.add(key)


def source_module(operation: Operation) -> str:
    """Tell the network's module from the name of an operator's weight, in which coremltools keeps it; empty where it has none."""
    for name in ("weight", "bias"):
        for operand in operation.inputs.get(name, ()):
            stored = _ENDINGS.sub("", operand.name)
            if stored != operand.name:
                return stored.removeprefix("p_")
    return ""


def operands_of(operation: Operation) -> tuple[Operand, ...]:
    """All that an operation is given."""
    return tuple(operand for given in operation.inputs.values() for operand in given)


def _largest(operands: Iterable[Operand], values: Mapping[str, Any]) -> float:
    """The largest absolute value of the tensors of floats that are variables; not a number where one is in them."""
    sizes = [0.0]
    for operand in operands:
        value = values.get(operand.name) if isinstance(operand, Variable) else None
        if isinstance(value, Tensor) and value.is_floating_point() and value.numel():
            sizes += [abs(end.item()) for end in torch.aminmax(value)]
    return math.nan if any(map(math.isnan, sizes)) else max(sizes)


def _is_finite(constant: Constant) -> bool:
    value = constant.value
    return not isinstance(value, np.ndarray) or value.dtype.kind != "f" or bool(np.isfinite(value).all())
