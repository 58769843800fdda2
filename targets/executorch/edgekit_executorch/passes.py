"""Two of XNNPACK's lowering passes look for patterns, and export small networks of their own to know what these look like.

That takes a third of a MobileNet's whole lowering (2.5 of 7 s), to find bilinear upsampling and attention in networks that have
neither. They are left out where the exported graph shows that there is nothing to find.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from executorch.backends.xnnpack import xnnpack_preprocess
from executorch.backends.xnnpack._passes.convert_to_sdpa import ConvertToSDPAPass
from executorch.backends.xnnpack._passes.convert_to_upsample_bilinear2d import ConvertToUpsampleBilinear2d
from torch.export import ExportedProgram

# pass -> parts of the operators' names without which it finds nothing
SOUGHT = {
    ConvertToUpsampleBilinear2d: ("upsample", "interpolate", "index"),
    ConvertToSDPAPass: ("softmax", "scaled_dot_product"),
}


@contextmanager
def without_needless_passes(exported: ExportedProgram) -> Iterator[None]:
    """Lower without the passes that have nothing to find in this program."""
    operators = " ".join(str(node.target) for node in exported.graph.nodes if node.op == "call_function")
    needless = {kind for kind, sought in SOUGHT.items() if not any(part in operators for part in sought)}
    original: Any = xnnpack_preprocess.XNNPACKPassManager

    class ShorterPassManager(original):  # type: ignore[misc]  # untyped SDK
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.passes: list[type] = [kind for kind in self.passes if kind not in needless]

    xnnpack_preprocess.XNNPACKPassManager = ShorterPassManager
    try:
        yield
    finally:
        xnnpack_preprocess.XNNPACKPassManager = original
