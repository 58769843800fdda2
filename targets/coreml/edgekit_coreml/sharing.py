"""A small constant that several operators are given, stored once.

coremltools writes one for every operator that has one, each with its name: of an int8 package of 600 KB, strides, paddings,
types and scales were 50 KB. Its own pass leaves out what has less than 100 values, and text.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from coremltools.converters.mil.mil import Var
from coremltools.converters.mil.mil.passes.graph_pass import AbstractGraphPass
from coremltools.converters.mil.mil.passes.helper import block_context_manager
from coremltools.converters.mil.mil.passes.pass_registry import register_pass

SHARING = "edgekit::share_constants"
MAX_VALUES = 100
"""Above it coremltools does the same."""


@register_pass(namespace="edgekit")
class share_constants(AbstractGraphPass):  # type: ignore[misc]  # noqa: N801  # untyped SDK; a pass is called as its class
    """For a `PassPipeline`, by the name of `SHARING`."""

    def apply(self, program: Any) -> None:
        """Let all operators of a function read the first constant of a type and value, in place."""
        for function in program.functions.values():
            _share(function)


@block_context_manager  # type: ignore[untyped-decorator]  # coremltools has no types
def _share(block: Any) -> None:
    first: dict[tuple[Any, ...], Any] = {}
    for operation in list(block.operations):
        if operation.op_type != "const":
            continue
        (constant,) = operation.outputs
        if constant in block.outputs or not isinstance(constant, Var) or np.size(constant.val) >= MAX_VALUES:
            continue
        key = str(constant.dtype), np.shape(constant.val), np.asarray(constant.val).tobytes()
        kept = first.setdefault(key, constant)
        if kept is not constant:
            block.replace_uses_of_var_after_op(anchor_op=operation, old_var=constant, new_var=kept)
            block.remove_ops([operation])
