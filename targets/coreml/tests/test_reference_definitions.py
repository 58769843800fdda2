"""Names, defaults and types of inputs, against coremltools' definitions of every version of every operator."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgekit_coreml.reference.ops import OPS
from edgekit_coreml.reference.ops.unsupported import UNSUPPORTED
from edgekit_coreml.sdk import import_coremltools

ct = import_coremltools()  # first, for the modules below would import it without its precautions

from coremltools.converters.mil.mil import types  # noqa: E402
from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry  # noqa: E402

FAMILIES = (
    "activation",
    "conv",
    "elementwise_binary",
    "elementwise_unary",
    "linear",
    "normalization",
    "pool",
    "random",
    "recurrent",
    "reduction",
    "transformers",
)
DEFINITIONS: dict[str, set[Any]] = {
    name: set(versions.values())
    for name, versions in SSAOpRegistry.core_ops.items()
    if any(version.__module__.rpartition(".")[2] in FAMILIES for version in versions.values())
}
# What a definition works out from the rank of x stands in our functions as nothing at all.
FROM_RANK = {"strides", "pad", "dilations", "axes"}


def test_every_operator_is_supported_or_refused_with_a_reason() -> None:
    assert len(DEFINITIONS) > 80
    assert DEFINITIONS.keys() - OPS.keys() == {*UNSUPPORTED} & DEFINITIONS.keys()
    assert not UNSUPPORTED.keys() & OPS.keys()


@pytest.mark.parametrize("name", sorted(DEFINITIONS.keys() & OPS.keys()))
def test_inputs_are_those_of_the_definitions(name: str) -> None:
    ours, seen = OPS[name].parameters, set()
    for definition in DEFINITIONS[name]:
        spec = definition.input_spec.input_types
        seen |= spec.keys()
        required = {key for key, kind in spec.items() if not kind.optional}
        assert {key for key, parameter in ours.items() if parameter.is_required} == required
    assert seen == ours.keys()


@pytest.mark.parametrize("name", sorted(DEFINITIONS.keys() & OPS.keys()))
def test_defaults_are_those_of_the_definitions(name: str) -> None:
    for definition in DEFINITIONS[name]:
        x = SimpleNamespace(rank=4, dtype=types.fp32, shape=(1, 2, 3, 4))
        self = definition.__new__(definition)
        self.__dict__.update(x=x, weight=x)
        for key, expected in definition.default_inputs(self).items():
            default = OPS[name].parameters[key].default
            if key in FROM_RANK or key == "bias":
                assert default in ((), None)
            elif isinstance(expected, float | np.floating):
                assert default == pytest.approx(float(expected), rel=1e-6, abs=5e-46)
            else:
                assert default == expected
