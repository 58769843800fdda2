"""What is particular to ExecuTorch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgekit import registry
from edgekit.errors import InputError, UsageError
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.program import capture_program
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.target import Conversion, ConvertJob, LoadJob, Program
from edgekit_executorch.delegation import read_delegation
from edgekit_executorch.mixed import to_mixed
from edgekit_executorch.target import ExecuTorchTarget


@pytest.fixture(scope="module")
def program() -> Program:
    torch.manual_seed(0)
    return capture_program(MobileNet(MobileNetSpec("v2", width=0.5, resolution=64)).eval())


@pytest.fixture(scope="module", params=["float32", "float16"])
def converted(
    request: pytest.FixtureRequest, program: Program, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Conversion]:
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, ExecuTorchTarget().convert(ConvertJob(program, request.param, {}, folder))


def _job(converted: tuple[str, Conversion], program: Program) -> LoadJob:
    precision, conversion = converted
    return LoadJob(conversion.path, precision, {}, program.inputs, program.outputs, 1)


def test_the_entry_point_leads_here() -> None:
    assert registry.find("executorch").load() is ExecuTorchTarget


def test_pointwise_filters_are_stored_in_the_precision_asked_for(converted: tuple[str, Conversion], program: Program) -> None:
    """The classifier and all 1x1 convolutions: nearly all weights. The rest and the program itself are the few per cent over."""
    precision, conversion = converted
    weights = sum(tensor.numel() for tensor in program.exported.state_dict.values())
    size_bytes = conversion.path.stat().st_size
    assert size_bytes == pytest.approx(weights * {"float32": 4, "float16": 2}[precision], rel=0.06)


def test_all_of_v2_is_delegated_in_float32_and_only_the_casts_are_not_in_float16(converted: tuple[str, Conversion]) -> None:
    precision, conversion = converted
    portable = read_delegation(conversion.path.parent).portable
    # into float16 twice, for a residual connection crosses that line too, and back once
    assert portable == ({} if precision == "float32" else {"dim_order_ops__to_dim_order_copy_default": 3})
    assert bool(conversion.notes) == bool(portable)


def test_the_first_convolutions_stay_in_float32(program: Program, tmp_path: Path) -> None:
    image = torch.rand(program.inputs[0].shape)
    with torch.no_grad():
        exact = program.exported.module()(image)
    errors = []
    for count in (0, 8, 99):
        mixed = to_mixed(program, count)
        computed = [node.meta["val"].dtype for node in mixed.graph.nodes if "conv2d" in str(node.target)]
        assert computed == ([torch.float32] * count + [torch.float16] * len(computed))[: len(computed)]
        with torch.no_grad():
            answer = mixed.module()(image)
        assert answer.dtype == torch.float32
        errors.append(float((answer - exact).norm() / exact.norm()))
    assert errors[0] >= errors[1] > errors[2] == 0, "all in float32 is the program itself"
    with torch.no_grad():
        assert torch.equal(program.exported.module()(image), exact), "the float32 program is not changed"


def test_a_negative_count_is_refused(program: Program, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=">= 0"):
        ExecuTorchTarget().convert(ConvertJob(program, "float16", {"float32_convolutions": "-1"}, tmp_path))


def test_the_program_outlives_its_method(converted: tuple[str, Conversion], program: Program) -> None:
    """Without a reference to the program the process would segfault here."""
    with ExecuTorchTarget().load(_job(converted, program)) as runner:
        import gc

        gc.collect()
        image = torch.rand(1, 3, 64, 64).numpy()
        assert runner.infer({"image": image})["logits"].shape == (1, 1000)


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage"])
def test_a_damaged_program_is_an_input_error(
    converted: tuple[str, Conversion], program: Program, tmp_path: Path, damage: str
) -> None:
    content = converted[1].path.read_bytes()
    damaged = {"truncated": content[: len(content) // 2], "empty": b"", "garbage": b"x" * 1000}[damage]
    (tmp_path / "model.pte").write_bytes(damaged)
    with pytest.raises(InputError, match=r"model\.pte"):
        ExecuTorchTarget().load(replace(_job(converted, program), path=tmp_path / "model.pte"))
