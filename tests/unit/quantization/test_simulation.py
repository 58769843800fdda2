"""Many pictures at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from edgekit.quantization.program import Quantised
from edgekit.quantization.simulation import BATCH, answers, batches
from edgekit.target import Program


def test_pictures_come_back_in_their_order() -> None:
    pictures = [torch.full((1, 3, 2, 2), float(i)) for i in range(BATCH + 3)]
    joined = batches(pictures)
    assert [len(batch) for batch in joined] == [BATCH, 3]
    assert torch.equal(torch.cat(joined), torch.cat(pictures))


@pytest.mark.parametrize("kind", ["float", "int8"])
def test_it_answers_as_the_captured_program_does_one_picture_at_a_time(
    kind: str, quantised: Quantised, int8: Program, pictures: tuple[Tensor, ...]
) -> None:
    program = {"float": quantised.program, "int8": int8}[kind]
    module = program.exported.module()
    with torch.no_grad():
        expected = torch.cat([module(picture) for picture in pictures[:10]])
    actual = answers(program.exported.module(check_guards=False), pictures[:10])
    # a sum in another order can be rounded to the next int8 value, and that spreads
    limit = {"float": 1e-4, "int8": 0.1}[kind]
    assert (actual - expected).norm() < limit * expected.norm()
    assert (actual[1:] - expected[:-1]).norm() > 0.5 * expected.norm(), "another picture's answer is far away"
