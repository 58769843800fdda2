"""What int8 costs unit by unit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.fx import GraphModule

from edgekit.quantization.correction import channel_means, correct_biases
from edgekit.quantization.program import Quantised
from edgekit.quantization.quantizer import PRODUCTS
from edgekit.quantization.ranking import rank_units
from edgekit.quantization.simulation import answers
from edgekit.quantization.unit import keep_in_float, units_of
from edgekit.sensitivity import Sensitivity


@pytest.fixture(scope="module")
def ranking(quantised: Quantised, pictures: tuple[Tensor, ...]) -> tuple[Sensitivity, ...]:
    return rank_units(quantised, pictures[:8])


def test_every_unit_is_ranked_once_the_most_sensitive_first(quantised: Quantised, ranking: tuple[Sensitivity, ...]) -> None:
    assert sorted(each.unit for each in ranking) == sorted(units_of(quantised.module))
    assert [each.sqnr_db for each in ranking] == sorted(each.sqnr_db for each in ranking)
    weights = quantised.program.exported.state_dict.values()
    assert sum(each.parameters for each in ranking) == sum(tensor.numel() for tensor in weights)


@pytest.mark.parametrize("position", [0, 1, 17, -2, -1])
def test_a_units_figure_is_that_of_the_network_with_it_alone_in_int8(
    position: int, quantised: Quantised, ranking: tuple[Sensitivity, ...], pictures: tuple[Tensor, ...]
) -> None:
    """What is computed once for all units is what each would compute for itself."""
    units = units_of(quantised.module)
    unit = units[position]
    alone, corrected = (keep_in_float(quantised.module, quantised.original, {*units} - {unit}) for _ in range(2))
    correct_biases(corrected, channel_means(quantised.original, pictures[:8]), pictures[:8])
    product = [node for node in alone.graph.nodes if node.target in PRODUCTS][position]
    path, _, name = str(product.args[2].target).rpartition(".")
    setattr(alone.get_submodule(path), name, getattr(corrected.get_submodule(path), name))
    network = keep_in_float(quantised.module, quantised.original, units)
    expected, actual = (answers(module, pictures[:8]).double() for module in (network, alone))
    sqnr_db = float(10 * torch.log10(expected.square().sum() / (actual - expected).square().sum()))
    figure = next(each.sqnr_db for each in ranking if each.unit == unit)
    assert figure == pytest.approx(sqnr_db, abs=0.1)


def test_a_unit_with_spoiled_weights_is_found(quantised: Quantised, pictures: tuple[Tensor, ...]) -> None:
    """The control: one unit's weights lose their lower bits."""
    units = units_of(quantised.module)
    unit, begun = units[12], list[str]()
    module = GraphModule(quantised.module, quantised.module.graph)
    product = [node for node in module.graph.nodes if node.target in PRODUCTS][12]
    name = str(product.args[1].args[0].target)
    module.register_buffer(name, getattr(module, name) // 64 * 64)
    worst, *_ = rank_units(replace(quantised, module=module), pictures[:2], begun.append)
    assert worst.unit == unit
    assert begun == list(units)
