"""The table of operators in the documentation, made from the code.

`python -m edgekit_coreml.reference.operators > docs/reference/coreml-operators.md` writes it.
"""

from __future__ import annotations

import inspect
import re

from edgekit_coreml.reference.ops import OPS, Op
from edgekit_coreml.reference.ops.size import MAX_ELEMENTS
from edgekit_coreml.reference.ops.unsupported import UNSUPPORTED

_CONST = "| `const` | program | A value that is stored in the program or in a weight file. | |"

_PAGE = """\
# Operators of the Core ML reference runtime

Written by `python -m edgekit_coreml.reference.operators`. What an operator means is told by Apple's documentation, the
docstrings in `converters/mil/mil/ops/defs` of coremltools 9.0, for iOS 15 to iOS 18. Where that is silent or contradicts
itself, the code says which source it follows, or the operator is refused: no number is guessed.

## Executed

The last column says in which cases, besides inputs of impossible shapes, an operator of this kind is refused nevertheless.
In all operators it is an error to have an input that is not listed in Apple's documentation, to declare a shape or type
that the result does not have, and to declare or ask for a result of more than {limit} elements.

| Operator | Family | What it gives | Refused where |
| --- | --- | --- | --- |
{executed}

## Not executed

A program with one of these is refused when it is read; so is one with an operator that is in neither table.

| Operator | Why |
| --- | --- |
{refused}
"""


def page() -> str:
    """Write the page of the documentation in Markdown."""
    executed = {name: _row(name, op) for name, op in OPS.items()} | {"const": _CONST}
    return _PAGE.format(
        limit=f"{MAX_ELEMENTS:,}".replace(",", " "),
        executed="\n".join(executed[name] for name in sorted(executed)),
        refused="\n".join(f"| `{name}` | {reason} |" for name, reason in sorted(UNSUPPORTED.items())),
    )


def _row(name: str, op: Op) -> str:
    documentation = inspect.getdoc(op.compute) or ""
    family = op.compute.__module__.rpartition(".")[2]
    refused = re.search(r"^Raises:\n +ValueError: (.*)", documentation, re.DOTALL | re.MULTILINE)
    cells = (documentation.partition("\n")[0], " ".join(refused[1].split()) if refused else "")
    gives, where = (cell.replace("|", "\\|") for cell in cells)
    return f"| `{name}` | {family} | {gives} | {where} |"


if __name__ == "__main__":
    print(page(), end="")
