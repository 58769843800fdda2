"""The code for macOS, as far as it can be called without one.

MOCK: Core ML does not exist here. Stand-ins take the place of `MLModel` and `MLComputePlan`. They hold each call against the
signature of the real method, and answer with the reference runtime. That shows that the calls fit coremltools, and that what
comes back is handed on as it should be. It shows nothing about Core ML.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, get_args, get_type_hints

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from coremltools.models import compute_device, compute_plan

from edgekit.errors import InputError, TargetMissing
from edgekit.examination import Examiner
from edgekit.profile import StaticProfiler
from edgekit.target import LoadJob, TensorSpec
from edgekit_coreml.native import CoreMLRunner, load_model
from edgekit_coreml.options import COMPUTE_UNITS, CoreMLOptions
from edgekit_coreml.plan import RULE, read_plan
from edgekit_coreml.reference import ReferenceModel
from edgekit_coreml.target import CoreMLTarget

REAL_MODEL, REAL_PLAN = ct.models.MLModel, compute_plan.MLComputePlan
GPU, CPU, ENGINE = (
    object.__new__(device)
    for device in (
        compute_device.MLGPUComputeDevice,
        compute_device.MLCPUComputeDevice,
        compute_device.MLNeuralEngineComputeDevice,
    )
)


def check_call(method: Callable[..., Any], *arguments: Any, **keywords: Any) -> dict[str, Any]:
    """Bind a call to a real method's signature; TypeError where it does not fit."""
    return inspect.signature(method).bind(*arguments, **keywords).arguments


class MockModel:
    """In the place of `coremltools.models.MLModel`."""

    refusal = ""
    loaded: list[tuple[str, str]] = []  # noqa: RUF012 (the test that uses it empties it)

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        given = check_call(REAL_MODEL.__init__, self, *arguments, **keywords)
        assert isinstance(given["model"], str)  # coremltools takes no Path
        assert isinstance(given["compute_units"], ct.ComputeUnit)
        self.loaded.append((given["model"], given["compute_units"].name))
        self._reference = ReferenceModel(given["model"])
        if self.refusal:
            warnings.warn(self.refusal, RuntimeWarning, stacklevel=2)

    def get_compiled_model_path(self, *arguments: Any, **keywords: Any) -> str:
        check_call(REAL_MODEL.get_compiled_model_path, self, *arguments, **keywords)
        if self.refusal:
            raise Exception("This model was not loaded or compiled with the Core ML Framework.")
        return "/compiled.mlmodelc"

    def predict(self, *arguments: Any, **keywords: Any) -> dict[str, Any]:
        given = check_call(REAL_MODEL.predict, self, *arguments, **keywords)["data"]
        assert type(given) is dict  # coremltools compares the type
        assert all(value.flags.c_contiguous for value in given.values())
        return {name: value.astype(np.float64) for name, value in self._reference.predict(given).items()}


def operation(name: str, *outputs: str) -> Any:
    named = [compute_plan.MLModelStructureProgramNamedValueType(output, None) for output in outputs]
    return compute_plan.MLModelStructureProgramOperation({}, name, named, [], None)


USAGE = compute_plan.MLComputePlanDeviceUsage
PLAN = {
    "wide": (USAGE(ENGINE, [CPU, GPU, ENGINE]), compute_plan.MLComputePlanCost(0.75)),
    "odd": (USAGE(CPU, [CPU, GPU]), compute_plan.MLComputePlanCost(0.25)),
    "constant": (None, None),
}


class MockPlan:
    """In the place of `coremltools.models.compute_plan.MLComputePlan`."""

    def __init__(self) -> None:
        operations = [
            operation("ios16.conv", "wide"),
            operation("ios16.asin", "odd"),
            operation("const", "constant"),
            operation("const"),
        ]
        block = compute_plan.MLModelStructureProgramBlock([], operations, ["odd"])
        program = compute_plan.MLModelStructureProgram({"main": compute_plan.MLModelStructureProgramFunction([], block)})
        self.model_structure = compute_plan.MLModelStructure(None, program, None)

    @classmethod
    def load_from_path(cls, *arguments: Any, **keywords: Any) -> MockPlan:
        given = check_call(REAL_PLAN.load_from_path, *arguments, **keywords)
        assert given == {"path": "/compiled.mlmodelc", "compute_units": ct.ComputeUnit.ALL}
        return cls()

    def get_compute_device_usage_for_mlprogram_operation(self, *arguments: Any, **keywords: Any) -> Any:
        given = check_call(REAL_PLAN.get_compute_device_usage_for_mlprogram_operation, self, *arguments, **keywords)
        return PLAN[given["operation"].outputs[0].name][0]

    def get_estimated_cost_for_mlprogram_operation(self, *arguments: Any, **keywords: Any) -> Any:
        given = check_call(REAL_PLAN.get_estimated_cost_for_mlprogram_operation, self, *arguments, **keywords)
        return PLAN[given["operation"].outputs[0].name][1]


@pytest.fixture
def mock_core_ml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ct.models, "MLModel", MockModel)
    monkeypatch.setattr(compute_plan, "MLComputePlan", MockPlan)
    monkeypatch.setattr(MockModel, "loaded", [])
    monkeypatch.setattr("edgekit_coreml.target.sys", SimpleNamespace(platform="darwin"))


@pytest.fixture(scope="module")
def package(build: Callable[..., Path]) -> Path:
    def body(x: Any) -> Any:
        wide = mb.conv(x=x, weight=np.full((3, 2, 1, 1), 0.1, np.float32), name="wide")
        return mb.relu(x=mb.asin(x=wide, name="odd"), name="last")

    return build(body, x=np.zeros((1, 2, 4, 5), np.float32))


@pytest.fixture
def job(package: Path) -> LoadJob:
    inputs = (TensorSpec("x", (1, 2, 4, 5), "float32", "NCHW"),)
    outputs = (TensorSpec("last", (1, 3, 4, 5), "float32", "NCHW"),)
    return LoadJob(package, "float32", {"compute_units": "ALL"}, inputs, outputs, 1)


@pytest.mark.usefixtures("mock_core_ml")
@pytest.mark.parametrize("units", COMPUTE_UNITS)
def test_a_package_runs_on_each_compute_unit(job: LoadJob, units: str) -> None:
    image = np.linspace(-1, 1, 40, dtype=np.float32).reshape(1, 2, 5, 4).transpose(0, 1, 3, 2)  # of odd strides
    with CoreMLRunner(job, units) as runner:
        answers = runner.infer({"x": image})
        assert (runner.runtime.device, runner.runtime.kind) == (units, "native")
    assert MockModel.loaded == [(str(job.path), units)]
    expected = np.maximum(np.arcsin(0.1 * image.sum(axis=1, keepdims=True)), 0).repeat(3, axis=1)
    np.testing.assert_allclose(answers["last"], expected, rtol=1e-5, atol=1e-6)
    assert answers["last"].dtype == np.float32


def test_the_compute_units_are_coremltools_own() -> None:
    assert set(COMPUTE_UNITS) == set(ct.ComputeUnit.__members__)
    assert set(COMPUTE_UNITS) == set(get_args(get_type_hints(CoreMLOptions)["compute_units"]))


@pytest.mark.usefixtures("mock_core_ml")
def test_on_a_mac_every_choice_of_units_is_judged_beside_the_models(job: LoadJob) -> None:
    target = CoreMLTarget()
    assert isinstance(target, Examiner)
    assert {"exact", "float16", *COMPUTE_UNITS} <= set(target.arithmetics())
    for name, runtime in (("CPU_AND_NE", "Core ML"), ("exact", "reference runtime")):
        with target.load_as(job, name) as runner:
            assert runner.runtime.runtime == runtime
    assert MockModel.loaded == [(str(job.path), "CPU_AND_NE")]


def test_elsewhere_there_are_the_models_alone() -> None:
    assert CoreMLTarget().arithmetics().keys().isdisjoint(COMPUTE_UNITS) or sys.platform == "darwin"


@pytest.mark.usefixtures("mock_core_ml")
def test_on_a_mac_the_target_asks_core_ml(job: LoadJob) -> None:
    target = CoreMLTarget()
    assert target.probe().runs == "native"
    with target.load(job) as runner:
        assert runner.runtime.runtime == "Core ML"


@pytest.mark.usefixtures("mock_core_ml")
def test_a_package_that_core_ml_refuses(job: LoadJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MockModel, "refusal", "You will not be able to run predict() on this Core ML model. It said: no\nmore")
    with pytest.raises(InputError, match=r"Core ML cannot load \S+ on CPU_AND_NE: You will not be able .* It said: no$"):
        CoreMLRunner(job, "CPU_AND_NE")


@pytest.mark.usefixtures("mock_core_ml")
def test_a_prediction_that_fails(job: LoadJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> NoReturn:
        raise RuntimeError("Unable to compute the prediction using ML Program.\nIt can be an invalid input data")

    monkeypatch.setattr(MockModel, "predict", fail)
    with (
        CoreMLRunner(job, "ALL") as runner,
        pytest.raises(InputError, match=r"Core ML cannot run \S+ on ALL: Unable to compute the prediction using ML Program.$"),
    ):
        runner.infer({"x": np.zeros((1, 2, 4, 5), np.float32)})


def test_units_that_the_system_has_not(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise ValueError("coremltools.ComputeUnit.CPU_AND_NE is only available on macOS >= 13.0")

    monkeypatch.setattr(ct.models, "MLModel", fail)
    with pytest.raises(TargetMissing, match=r"Core ML has no CPU_AND_NE here: .*macOS >= 13.0"):
        load_model(package, "CPU_AND_NE")


@pytest.mark.skipif(ct.utils._is_macos(), reason="Core ML is here")
def test_the_real_coremltools_without_core_ml_is_a_refusal(package: Path) -> None:
    """No mock: this is what `MLModel` does where there is no Core ML."""
    with pytest.raises(InputError, match=r"Core ML cannot load \S+ on ALL: This model was not loaded or compiled"):
        load_model(package, "ALL")


@pytest.mark.usefixtures("mock_core_ml")
def test_core_mls_own_plan(package: Path) -> None:
    planned = read_plan(package, "ALL")
    assert planned["wide"].units == ("Neural Engine", "GPU", "CPU")
    assert (planned["wide"].preferred, planned["wide"].share) == ("Neural Engine", 0.75)
    assert planned["odd"].units == ("GPU", "CPU")
    assert (planned["constant"].units, planned["constant"].preferred) == ((), "unknown")


@pytest.mark.usefixtures("mock_core_ml")
def test_the_plan_takes_the_place_of_what_is_expected(job: LoadJob) -> None:
    target = CoreMLTarget()
    assert isinstance(target, StaticProfiler)
    profile = target.static_profile(job)
    assert profile.is_native
    assert [(row.name, row.expected, row.rule, row.share) for row in profile.operations] == [
        ("wide", "Neural Engine", RULE, 0.75),
        ("odd", "CPU", RULE, 0.25),
        ("last", "unknown", "", 0.0),  # Core ML fused it, say: its plan has no operator of this name
    ]
    assert profile.macs == 3 * 2 * 4 * 5
    assert profile.expected["Neural Engine"].macs == 1
    assert "MLComputePlan" in profile.basis


@pytest.mark.usefixtures("mock_core_ml")
def test_without_a_plan_there_is_no_profile(job: LoadJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise ValueError("MLComputePlan is not supported.")

    monkeypatch.setattr(compute_plan, "MLComputePlan", SimpleNamespace(load_from_path=fail))
    with pytest.raises(InputError, match=r"Core ML gives no plan of \S+: MLComputePlan is not supported.$"):
        CoreMLTarget().static_profile(job)
