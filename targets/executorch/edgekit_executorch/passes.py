"""What XNNPACK's lowering does before it serialises: some passes left out that have nothing to find, and one of ours.

Every pass traces the whole graph anew, and two of them export small networks of their own to know what the patterns look like
that they search for: these two alone were a third of a MobileNet's lowering. A pass is left out where the
exported graph shows that there is nothing to find.

torch notes at each node which node of the graph before it came from, and copies the whole history of it at every tracing: more
with every pass, and nobody reads it. It is shared instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from executorch.backends.xnnpack import _passes, xnnpack_preprocess
from torch.export import ExportedProgram
from torch.fx.traceback import NodeSource

from edgekit_executorch.padding import FoldPaddingPass

# pass -> parts of the operators' names without which it finds nothing
SOUGHT = {
    _passes.ConvertToUpsampleBilinear2d: ("upsample", "interpolate", "index"),
    _passes.ConvertToSDPAPass: ("softmax", "scaled_dot_product"),
    _passes.FuseBatchNormPass: ("batch_norm",),
    _passes.DecomposeBatchNorm: ("batch_norm",),
    _passes.DecomposeConcatenate: ("cat",),
    _passes.InsertPadQDQPass: ("pad",),
    _passes.Conv1dUnsqueezePass: ("conv1d", "convolution"),
    _passes.PReLUReshapePass: ("prelu",),
    _passes.RemoveGetItemPass: ("max",),
    FoldPaddingPass: ("pad",),
}


@contextmanager
def chosen_passes(exported: ExportedProgram) -> Iterator[None]:
    """Lower without the passes that have nothing to find in this program, and with `FoldPaddingPass` before all others."""
    operators = " ".join(str(node.target) for node in exported.graph.nodes if node.op == "call_function")
    needless = {kind for kind, sought in SOUGHT.items() if not any(part in operators for part in sought)}
    original: Any = xnnpack_preprocess.XNNPACKPassManager

    class ChosenPassManager(original):  # type: ignore[misc]  # untyped SDK
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.passes: list[type] = [kind for kind in (FoldPaddingPass, *self.passes) if kind not in needless]

    def share(source: NodeSource, _: dict[int, Any]) -> NodeSource:
        return source

    setattr(NodeSource, "__deepcopy__", share)  # noqa: B010  (mypy knows that there is none)
    xnnpack_preprocess.XNNPACKPassManager = ChosenPassManager
    try:
        yield
    finally:
        xnnpack_preprocess.XNNPACKPassManager = original
        delattr(NodeSource, "__deepcopy__")
