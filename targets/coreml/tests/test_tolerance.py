"""Limits that come from the twin: what they let pass, and what the wider ones of an unknown runtime would have let pass."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgekit.judge import judge
from edgekit.mobilenet.capture import fold_batch_norm
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.program import capture_program
from edgekit.parity import Parity
from edgekit.pipeline import answer_samples
from edgekit.reference import Reference, compute_reference
from edgekit.samples import make_samples
from edgekit.target import FLOAT16_TOLERANCE, FLOAT32_TOLERANCE, ConvertJob, LoadJob, Tolerance
from edgekit_coreml.target import CoreMLTarget
from edgekit_coreml.tolerance import REFERENCE_TOLERANCES, TOLERANCES

Judge = Callable[[Tolerance], Parity]


def rounded(network: MobileNet, bits: int) -> MobileNet:
    """The weights of every convolution with so many significant bits."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                fractions, exponents = torch.frexp(module.weight)
                module.weight.copy_(torch.ldexp(torch.round(fractions * 2**bits), exponents - bits))
    return network


@pytest.fixture(scope="module")
def reference() -> Reference:
    """The embedded model's answers."""
    checkpoint = open_checkpoint("digits")
    network = checkpoint.network()
    samples = make_samples(checkpoint.preprocessing, size=checkpoint.spec.resolution)
    return compute_reference(network, network.output_names, samples)


@pytest.fixture(scope="module", params=[("float16", 11, 8), ("float32", 24, 20)], ids=["float16", "float32"])
def judges(
    request: pytest.FixtureRequest, reference: Reference, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Judge, Judge]:
    """Its package as it is, and with some bits less in its weights: each as a function of the tolerance."""
    precision, *widths = request.param
    target = CoreMLTarget()

    def judged(bits: int) -> Judge:
        network = fold_batch_norm(open_checkpoint("digits").network())
        program = capture_program(rounded(network, bits) if bits < max(widths) else network)
        folder: Path = tmp_path_factory.mktemp(f"{precision}-{bits}")
        made = target.convert(ConvertJob(program, precision, {}, folder))
        job = LoadJob(made.path, precision, made.options, program.inputs, program.outputs, 1)
        with target.load(job) as runner:
            answers = answer_samples(runner, [sample.image_nchw for sample in reference.samples], program.inputs[0].name)
        return lambda tolerance: judge(reference, answers, program.outputs, tolerance)

    return precision, judged(widths[0]), judged(widths[1])


def test_weights_of_less_bits_are_noticed(judges: tuple[str, Judge, Judge]) -> None:
    """In float16 those of bfloat16, in float32 twenty of twenty-four."""
    precision, whole, coarse = judges
    assert whole(REFERENCE_TOLERANCES[precision]).passed
    assert not coarse(REFERENCE_TOLERANCES[precision]).passed


def test_an_unknown_runtimes_limits_would_not_notice(judges: tuple[str, Judge, Judge]) -> None:
    """Negative control: that bfloat16 is in a float16 package, only the twin's limits notice."""
    precision, _, coarse = judges
    if precision == "float16":
        assert coarse(FLOAT16_TOLERANCE).passed


def test_each_system_has_its_own() -> None:
    """Where Core ML itself computes, its arithmetic is not known."""
    floats = {name: TOLERANCES[name] for name in ("float32", "float16")}
    assert floats == (
        {"float32": FLOAT32_TOLERANCE, "float16": FLOAT16_TOLERANCE} if sys.platform == "darwin" else REFERENCE_TOLERANCES
    )
    assert REFERENCE_TOLERANCES["float16"].yardstick == "stored-float16"
    assert replace(REFERENCE_TOLERANCES["float32"], reason="") != replace(FLOAT32_TOLERANCE, reason="")
