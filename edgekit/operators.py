"""How long each operator of an artifact takes, as its runtime tells, and which layer of the definition it belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from edgekit.target import LoadJob

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BEFORE = ""  # instead of a module: that of the operator before it


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """One operator that a runtime ran.

    Attributes:
        name: as the runtime calls it.
        kind: the operator, as the runtime calls it, e.g. "Conv".
        ms: the median over the runs, or over means of some of them where the runtime tells no less.
        layer: the layer of the definition that it belongs to, as `edgekit inspect` names it; empty where that is unknown. Of a
            plugin: the module that the artifact's names tell, or `BEFORE`.
    """

    name: str
    kind: str
    ms: float
    layer: str = BEFORE


@dataclass(frozen=True, slots=True)
class OperatorTimes:
    """The operators of one inference, timed in a run of their own: timing slows them down.

    Attributes:
        runs: how many inferences were timed.
        operators: in the order of execution.
        untold: why there are none, in words; empty where there are.
    """

    runs: int
    operators: tuple[OperatorTime, ...] = ()
    untold: str = ""

    @property
    def total_ms(self) -> float:
        """The sum of all operators."""
        return sum(operator.ms for operator in self.operators)

    @property
    def kind_ms(self) -> dict[str, float]:
        """The sum of each kind of operator, the longest first."""
        return _sums((operator.kind, operator.ms) for operator in self.operators)

    @property
    def layer_ms(self) -> dict[str, float]:
        """The sum of each layer, the longest first; under "" what belongs to no known one."""
        return _sums((operator.layer, operator.ms) for operator in self.operators)


@runtime_checkable
class OperatorTimer(Protocol):
    """What some runtimes can: tell how long each operator takes. A target that has this method is asked by `edgekit profile`."""

    def operator_times(self, job: LoadJob, inputs: Mapping[str, NDArray[np.float32]], *, runs: int) -> OperatorTimes:
        """Have the runtime time its operators.

        Args:
            job: the artifact.
            inputs: float32 NCHW by name.
            runs: inferences to take the median of, or more, after one or more that do not count.

        Returns:
            Every operator that ran, its `layer` the path of the module that it came from: the converter names the artifact's
            operators after them (`edgekit.mobilenet.modules`). For what a runtime put in itself, and for what belongs to the
            product before it (activations, additions, changes of layout), `BEFORE`. Where the runtime cannot tell, `untold`.
        """
        ...


def median_times(runs: Sequence[Sequence[OperatorTime]]) -> OperatorTimes:
    """Take the median of each operator over runs; of runs of different operators nothing can be told."""
    if len({tuple(operator.name for operator in run) for run in runs}) > 1:
        return OperatorTimes(len(runs), untold="the runtime did not run the same operators every time")
    medians = (replace(same[0], ms=median(operator.ms for operator in same)) for same in zip(*runs, strict=True))
    return OperatorTimes(len(runs), tuple(medians))


def attribute(times: OperatorTimes, layers: Sequence[str]) -> OperatorTimes:
    """Put layers in the place of modules.

    An operator of a module inside of a layer counts for the layer, and so do those that say `BEFORE` behind it; at the very
    beginning these count for the first layer. Of a module that is in no layer, and of what follows it, nothing is known.

    Args:
        times: as a plugin gives them.
        layers: names of the definition's layers.
    """
    found = [find_layer(operator.layer, layers) for operator in times.operators if operator.layer != BEFORE]
    layer = found[0] if found else ""
    operators = []
    for operator in times.operators:
        if operator.layer != BEFORE:
            layer = found.pop(0)
        operators.append(replace(operator, layer=layer))
    return replace(times, operators=tuple(operators))


def find_layer(path: str, layers: Iterable[str]) -> str:
    """Find the layer that a module is, or is inside of; "" where there is none.

    Args:
        path: parts with dots between them, or underscores as in Core ML: "blocks.0.squeeze.reduce", "blocks_0_squeeze_reduce".
        layers: names of layers; of several the longest counts.
    """
    plain = f"{path.replace('.', '_')}_"
    return max((layer for layer in layers if plain.startswith(f"{layer.replace('.', '_')}_")), key=len, default="")


def _sums(parts: Iterable[tuple[str, float]]) -> dict[str, float]:
    total: defaultdict[str, float] = defaultdict(float)
    for name, ms in parts:
        total[name] += ms
    return dict(sorted(total.items(), key=lambda each: each[1], reverse=True))
