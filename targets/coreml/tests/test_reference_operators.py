"""Every operator of coremltools is executed, or refused with its reason, and the documentation says which."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from coremltools.converters.mil.mil import types
from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

from edgekit.errors import InputError
from edgekit_coreml.reference import ReferenceModel, UnknownOp
from edgekit_coreml.reference.ops import OPS
from edgekit_coreml.reference.ops.unsupported import UNSUPPORTED
from edgekit_coreml.reference.ops.version import SINCE, UNTIL, check_version

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "coreml-operators.md"
READ = {"const"}  # by the reader of programs
VERSIONS = (ct.target.iOS15, ct.target.iOS16, ct.target.iOS17, ct.target.iOS18)


def definitions(name: str) -> set[Any]:
    """Of every version of an operator that an ML program can have."""
    versions = SSAOpRegistry.core_ops[name]
    return {versions[version] for version in VERSIONS if version in versions}


def test_every_operator_of_coremltools_is_executed_or_refused() -> None:
    for version in VERSIONS:
        there = {name for name, versions in SSAOpRegistry.core_ops.items() if version in versions}
        assert len(there) > 140
        assert there <= OPS.keys() | UNSUPPORTED.keys() | READ
    assert not OPS.keys() & (UNSUPPORTED.keys() | READ)
    assert UNSUPPORTED.keys() <= SSAOpRegistry.core_ops.keys()
    assert len(NAMES) == 50


def test_executed_operators_have_the_inputs_of_coremltools() -> None:
    """Each input of any version is known, by its name."""
    blocks = {"_true_fn", "_false_fn", "_cond", "_body", "_existing_blocks"}
    for name in OPS.keys() & SSAOpRegistry.core_ops.keys():
        inputs = {key for definition in definitions(name) for key in definition.input_spec.input_types}
        assert OPS[name].parameters.keys() == inputs - blocks, name


def test_versions_are_those_of_coremltools() -> None:
    since = {"write_state": 8}  # coremltools writes this one without a definition of its own
    until: dict[str, int] = {}
    for name, versions in SSAOpRegistry.core_ops.items():
        inputs = {opset: {*versions[v].input_spec.input_types} for opset, v in enumerate(VERSIONS, 5) if v in versions}
        since |= {name: min(inputs)} if name in OPS else {}
        for key in set().union(*inputs.values()) if name in OPS else ():
            opsets = [opset for opset, keys in inputs.items() if key in keys]
            since |= {f"{name}.{key}": min(opsets)} if min(opsets) > min(inputs) else {}
            until |= {f"{name}.{key}": max(opsets)} if max(opsets) < 8 else {}
    assert {name: opset for name, opset in since.items() if opset > 5} == SINCE
    assert until == UNTIL


@pytest.mark.parametrize(
    ("name", "inputs", "opset", "message"),
    [
        ("resize", ["x"], 6, r"resize came with iOS 17, and the program is of iOS 16"),
        ("gather", ["x", "indices", "validate_indices"], 6, r"gather.validate_indices came with iOS 17"),
        ("crop_resize", ["x", "roi"], 9, r"crop_resize.roi went after iOS 16, and the program is of iOS 26"),
    ],
)
def test_what_a_version_has_not_is_refused(name: str, inputs: list[str], opset: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_version(name, inputs, opset)
    for inside in (6, 7, 8):
        check_version("crop_resize", ["x", "roi" if inside == 6 else "boxes", "pad_value"], inside)


def test_an_operator_of_a_later_version_is_refused(build: Callable[..., Path], edited: Callable[..., Path]) -> None:
    package = build(lambda x: mb.gather(x=x, indices=[1, 0], batch_dims=0), x=np.zeros((2, 3), np.float32))

    def older(model: Any) -> None:
        function = model.mlProgram.functions["main"]
        function.block_specializations["CoreML5"].CopyFrom(function.block_specializations["CoreML6"])
        function.opset = "CoreML5"

    with pytest.raises(InputError, match=r"gather 'gather_0' of edited.mlpackage: gather.batch_dims came with iOS 16"):
        ReferenceModel(edited(package, older))


MINE = ("tensor_operation", "tensor_transformation", "scatter_gather", "image_resizing")
NAMES = [
    name
    for name in OPS.keys() & SSAOpRegistry.core_ops.keys()
    if {each.__module__.split(".")[-1] for each in definitions(name)} & {*MINE}
]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_defaults_are_those_of_coremltools(name: str) -> None:
    """Also where a version has another one. None and nothing are the same; a box is of the picture of its own number."""
    for definition in definitions(name):
        x = SimpleNamespace(rank=4, dtype=types.fp32, shape=(1, 2, 3, 4))
        self = definition.__new__(definition)
        self.__dict__.update(x=x, boxes=x, box_indices=None, return_indices=None)
        required = {key for key, kind in definition.input_spec.input_types.items() if not kind.optional}
        defaults = dict(definition.default_inputs(self).items())
        for key, parameter in OPS[name].parameters.items():
            if parameter.is_required:
                assert key in required
            elif key in defaults and key != "box_indices":
                ours = parameter.default.item() if isinstance(parameter.default, torch.Tensor) else parameter.default
                assert (ours or None) == (defaults[key] or None), key


def test_the_page_is_what_the_code_says() -> None:
    written = subprocess.run(
        [sys.executable, "-m", "edgekit_coreml.reference.operators"], capture_output=True, text=True, check=True
    )
    assert PAGE.read_text("utf-8") == written.stdout, f"{written.args[2]} writes another page: write it again"
    for name in OPS.keys() | UNSUPPORTED.keys() | READ:
        assert written.stdout.count(f"| `{name}` |") == 1
    assert "| `mod` | elementwise | " in written.stdout


def test_an_operator_that_is_refused_gives_its_reason(build: Callable[..., Path]) -> None:
    def body(x: Any) -> Any:
        return mb.add(x=x, y=mb.random_normal(shape=[3], seed=1))

    package = build(body, x=np.zeros(3, np.float32))
    with pytest.raises(UnknownOp, match=rf"random_normal 'random_normal_0' of model.mlpackage: .*{UNSUPPORTED['random_normal']}"):
        ReferenceModel(package)


def declare(operation: Any) -> None:
    if operation.type == "add":
        operation.outputs[0].type.tensorType.dimensions[0].constant.size = 2**40


def ask(operation: Any) -> None:
    if operation.type == "const" and list(operation.attributes["val"].immediateValue.tensor.ints.values) == [2, 3]:
        operation.attributes["val"].immediateValue.tensor.ints.values[0] = 2**30


@pytest.mark.parametrize(("change", "operator"), [(declare, "add"), (ask, "fill")])
def test_a_result_larger_than_any_memory_is_refused(
    build: Callable[..., Path], edited: Callable[..., Path], change: Callable[[Any], None], operator: str
) -> None:
    """Declared or asked for; one alone, for a damaged program need not agree with itself."""
    package = build(lambda x: mb.relu(x=mb.add(x=x, y=mb.fill(shape=[2, 3], value=1.0))), x=np.zeros(3, np.float32))

    def everywhere(model: Any) -> None:
        for operation in model.mlProgram.functions["main"].block_specializations["CoreML6"].operations:
            change(operation)

    with pytest.raises(InputError, match=rf"{operator} .* has more than 268435456 elements"):
        ReferenceModel(edited(package, everywhere))
