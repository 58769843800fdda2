"""What int8 costs in each unit by itself, so that the worst can be kept in float."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
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
    """Make one unit after the other int8, its bias corrected, all others float.

    Args:
        quantised: the network.
        images_nchw: float32, one batch of one each; some of the calibration pictures will do.
        on_unit: told the name of each unit when its work begins, once for each batch of pictures.

    Returns:
        All units, the most sensitive first.
    """
    units = units_of(quantised.module)
    alone = {unit: _Alone(keep_in_float(quantised.module, quantised.original, {*units} - {unit}), unit) for unit in units}
    trunk = _Trunk(keep_in_float(quantised.module, quantised.original, units), alone, on_unit)
    with torch.no_grad():
        signal = torch.cat([first_output(trunk.run(batch)).double() for batch in batches(images_nchw)])
    parameters = _count_parameters(quantised.original)
    ranked = [
        Sensitivity(unit, _sqnr_db(signal, torch.cat(alone[unit].answers)), count)
        for unit, count in zip(units, parameters, strict=True)
    ]
    return tuple(sorted(ranked, key=lambda each: each.sqnr_db))


class _Alone(Simulation):
    """The network with one unit in int8, run from that unit on."""

    def __init__(self, module: GraphModule, unit: str) -> None:
        super().__init__(module)
        self.answers: list[Tensor] = []
        before, self._product = _find(module, unit)
        self._before = [node for node in before if node.op != "get_attr" and not is_rounding(node)]
        self._wanted = torch.empty(0)

    def finish(self, values: Mapping[str, Any], product: Tensor) -> None:
        """Go on from the float network's values before this unit, by their names, given what its product is in float."""
        self._wanted = product
        self.answers.append(first_output(self.run(initial_env={node: values.get(node.name) for node in self._before})).double())

    def run_node(self, n: Node) -> Any:
        """Correct the bias, as all biases will be."""
        result = super().run_node(n)
        if n is self._product:
            pixels = (0, *range(2, result.dim()))
            result = result + (self._wanted - result).mean(pixels, keepdim=True)
        return result


class _Trunk(Simulation):
    """The float network. What comes before a unit is computed once for all units after it."""

    def __init__(self, module: GraphModule, branches: Mapping[str, _Alone], on_unit: OnUnit | None) -> None:
        super().__init__(module)
        self._branches, self._on_unit = branches, on_unit
        self._values: dict[str, Any] = {}
        self._starts, self._products = set[Node](), dict[Node, str]()
        for unit in branches:
            before, product = _find(module, unit)
            self._starts.add(next(node for node in module.graph.nodes if node not in before))
            self._products[product] = unit

    def run_node(self, n: Node) -> Any:
        """Let a unit's own network go on from here."""
        if n in self._starts:
            self._values = {node.name: value for node, value in self.env.items()}
        result = super().run_node(n)
        if unit := self._products.get(n):
            if self._on_unit:
                self._on_unit(unit)
            self._branches[unit].finish(self._values, result)
        return result


def _find(module: GraphModule, unit: str) -> tuple[dict[Node, None], Node]:
    """All before a unit's first operator, and its product."""
    units = unit_by_node(module.graph)
    before = dict.fromkeys(takewhile(lambda node: units.get(node) != unit, module.graph.nodes))
    return before, next(node for node in module.graph.nodes if node.target in PRODUCTS and units[node] == unit)


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


def _sqnr_db(expected: Tensor, actual: Tensor) -> float:
    noise = float((actual - expected).square().sum())
    return 10 * log10(float(expected.square().sum()) / noise) if noise else inf
