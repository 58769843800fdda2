"""Core ML's own plan of a package, on macOS: the unit that it prefers for each operator, and its estimate of the cost.

As `edgekit_coreml.native`, this has never been run where Core ML exists; its tests use a stand-in.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.errors import InputError
from edgekit.profile import StaticProfile, summarise
from edgekit_coreml.native import load_model
from edgekit_coreml.placement import CPU, GPU, NEURAL_ENGINE, UNITS, Unit
from edgekit_coreml.sdk import import_coremltools

RULE = "Core ML's plan"
BASIS = (
    "As Core ML plans it on this machine (MLComputePlan on macOS {version}, compute units {units}), before anything is run. "
    "Another device, or another version of the system, may plan it otherwise. A share is Core ML's own estimate, not a time"
)
# coremltools/models/compute_device.py
_DEVICES: dict[str, Unit] = {
    "MLNeuralEngineComputeDevice": NEURAL_ENGINE,
    "MLGPUComputeDevice": GPU,
    "MLCPUComputeDevice": CPU,
}


@dataclass(frozen=True, slots=True)
class Planned:
    """One operator in Core ML's plan.

    Attributes:
        units: that can run it.
        preferred: the one that Core ML would take, or "unknown".
        share: of the time of the whole, as Core ML estimates it, 0 to 1; 0 where it does not say.
    """

    units: tuple[Unit, ...]
    preferred: str
    share: float


def with_plan(profile: StaticProfile, path: Path, compute_units: str) -> StaticProfile:
    """Put Core ML's plan in the place of what is expected.

    Core ML changes a program when it compiles it. An operator that is not in its plan under the name it had is "unknown".

    Raises:
        InputError: Core ML cannot load the package, or does not plan it.
    """
    planned = read_plan(path, compute_units)
    missing = Planned((), "unknown", 0.0)
    rows = []
    for row in profile.operations:
        found = planned.get(row.name, missing)
        rule = RULE if row.name in planned else ""
        rows.append(replace(row, units=found.units, expected=found.preferred, rule=rule, share=found.share))
    basis = BASIS.format(version=platform.mac_ver()[0], units=compute_units)
    return summarise(rows, basis=basis, rules={RULE: basis})


def read_plan(path: Path, compute_units: str) -> dict[str, Planned]:
    """Ask Core ML for its plan, by the names of the operators' first results.

    Raises:
        InputError: Core ML cannot load the package, or does not plan it.
    """
    coremltools = import_coremltools()
    model = load_model(path, compute_units)  # kept: the compiled model goes with it
    try:
        plan = coremltools.models.compute_plan.MLComputePlan.load_from_path(
            model.get_compiled_model_path(), compute_units=getattr(coremltools.ComputeUnit, compute_units)
        )
    except Exception as error:  # Core ML's own errors, of no common class; before macOS 14.4 there is no such plan
        raise InputError(f"Core ML gives no plan of {path}: {str(error).partition(chr(10))[0]}") from error
    if plan.model_structure.program is None:
        raise InputError(f"Core ML does not see an ML program in {path}")
    (function,) = plan.model_structure.program.functions.values()
    operations = [operation for operation in function.block.operations if operation.outputs]
    return {operation.outputs[0].name: _planned(plan, operation) for operation in operations}


def _planned(plan: Any, operation: Any) -> Planned:
    usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
    cost = plan.get_estimated_cost_for_mlprogram_operation(operation)
    share = cost.weight if cost else 0.0
    if usage is None:
        return Planned((), "unknown", share)
    supported = {_unit(device) for device in usage.supported_compute_devices}
    return Planned(tuple(unit for unit in UNITS if unit in supported), _unit(usage.preferred_compute_device), share)


def _unit(device: Any) -> str:
    return _DEVICES.get(type(device).__name__, "unknown")
