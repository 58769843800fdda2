"""Which module of the network an operator of a session came from, told by the names in the file.

ONNX Runtime runs another graph than the file's: operators fused, layouts changed, roundings moved. Its operators are called after
the file's in one of three ways:

- after an operator, "_token_N" behind it where it was copied (int8), or "fused " before it;
- after what a convolution gives, "_nchwc" behind it, where it is laid out in blocks of channels (nchwc_transformer.cc);
- not at all, where it was put in. These belong to what ran before them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import onnx

from edgekit.operators import BEFORE
from edgekit_onnx.kernels import PRODUCTS

_BLOCKED = "_nchwc"
_CAST = "InsertedPrecisionFreeCast_"  # before the name of a float16 value that is computed in float32


@dataclass(frozen=True, slots=True)
class Modules:
    """The modules of a file's operators.

    Attributes:
        by_operator: of those with a name.
        by_value: of what an operator gives: its own module, or that of the last product before it.
    """

    by_operator: dict[str, str]
    by_value: dict[str, str]

    def find(self, name: str, kind: str) -> str:
        """Find the module of a session's operator.

        Returns:
            For a product that the file does not name, its own name, which is no module; for what was put in, `BEFORE`.
        """
        plain = re.sub(r"_token_\d+$", "", name).removeprefix("fused ")
        if plain.endswith(_BLOCKED):
            found = self.by_value.get(plain.removesuffix(_BLOCKED).removeprefix(_CAST), "")
        else:
            found = self.by_operator.get(plain, "")
        return found or (name if kind in PRODUCTS else BEFORE)


def read_modules(path: Path) -> Modules:
    """Read the names in a file."""
    order: list[str] = []
    by_operator: dict[str, str] = {}
    last: dict[str, int] = {}  # of every value, the place in `order` of the last product that it needs
    for node in onnx.load(path, load_external_data=False).graph.node:
        place = max((last[name] for name in node.input if name in last), default=None)
        module, _, kind = node.name.rpartition("/")
        if module and kind == node.op_type:
            place = len(order)
            order.append(module)
            by_operator[node.name] = module
        elif node.op_type in PRODUCTS:
            place = None
        if place is not None:
            last |= dict.fromkeys(node.output, place)
    return Modules(by_operator, {name: order[place] for name, place in last.items()})
