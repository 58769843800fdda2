"""What int8 costs in each unit by itself, so that the worst can be kept in float."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, log10
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from edgekit.quantization.program import Quantised
from edgekit.quantization.quantizer import PRODUCTS
from edgekit.quantization.simulation import Simulation, batches, first_output
from edgekit.quantization.unit import is_rounding, keep_in_float, unit_by_node, units_of
from edgekit.sensitivity import Sensitivity

OnUnit = Callable[[str], object]


def rank_units(quantised: Quantised, images_nchw: Sequence[Tensor], on_unit: OnUnit | None = None) -> tuple[Sensitivity, ...]:
    """Make one unit after the other int8, all others float.

    The error's mean over the pictures is left out of it: correcting the biases takes that away.

    Args:
        quantised: the network.
        images_nchw: two at least, float32, one batch of one each; some of the calibration pictures will do.
        on_unit: told the name of each unit when its work begins, once for each batch of pictures.

    Returns:
        All units, the most sensitive first.

    Raises:
        ValueError: fewer than two pictures.
    """
    if len(images_nchw) < 2:
        raise ValueError("errors are told from a shift of the mean by two pictures or more")
    units = units_of(quantised.module)
    alone = {unit: _Alone(keep_in_float(quantised.module, quantised.original, {*units} - {unit}), unit) for unit in units}
    trunk = _Trunk(keep_in_float(quantised.module, quantised.original, units), alone, on_unit)
    expected: list[Tensor] = []
    with torch.no_grad():
        expected = [first_output(trunk.run(batch)).double() for batch in batches(images_nchw)]
    signal = torch.cat(expected)
    parameters = _count_parameters(quantised.original)
    ranked = [
        Sensitivity(unit, _sqnr_db(signal, torch.cat(branch.answers) - signal), parameters[units.index(unit)])
        for unit, branch in alone.items()
    ]
    return tuple(sorted(ranked, key=lambda each: each.sqnr_db))


class _Alone(Simulation):
    """The network with one unit in int8, run from that unit on."""

    def __init__(self, module: GraphModule, unit: str) -> None:
        super().__init__(module)
        self.answers: list[Tensor] = []
        self._before = _before(module, unit)

    def finish(self, values: Mapping[str, Any]) -> None:
        """Go on from the values that the float network has at hand when it comes to this unit, by their names."""
        known = {node: values.get(node.name) for node in self._before if node.op != "get_attr" and not is_rounding(node)}
        self.answers.append(first_output(self.run(initial_env=known)).double())


class _Trunk(Simulation):
    """The float network. What comes before a unit is computed once for all units after it."""

    def __init__(self, module: GraphModule, branches: Mapping[str, _Alone], on_unit: OnUnit | None) -> None:
        super().__init__(module)
        nodes = list(module.graph.nodes)
        self._starts = {nodes[len(_before(module, unit))]: unit for unit in branches}
        self._branches = branches
        self._on_unit = on_unit

    def run_node(self, n: Node) -> Any:
        """Let a unit's own network go on from here."""
        if unit := self._starts.get(n):
            if self._on_unit:
                self._on_unit(unit)
            self._branches[unit].finish({node.name: value for node, value in self.env.items()})
        return super().run_node(n)


def _before(module: GraphModule, unit: str) -> list[Node]:
    """All before a unit's first operator."""
    nodes = list(module.graph.nodes)
    units = unit_by_node(module.graph)
    return nodes[: next(i for i, node in enumerate(nodes) if units.get(node) == unit)]


def _count_parameters(original: GraphModule) -> list[int]:
    """Of each product, in the order of execution."""
    return [
        sum(
            attrgetter(str(given.target))(original).numel()
            for given in node.args
            if isinstance(given, Node) and given.op == "get_attr"
        )
        for node in original.graph.nodes
        if node.target in PRODUCTS
    ]


def _sqnr_db(signal: Tensor, error: Tensor) -> float:
    noise = float((error - error.mean(0)).square().sum())
    return 10 * log10(float(signal.square().sum()) / noise) if noise else inf
