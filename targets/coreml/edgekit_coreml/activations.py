"""8-bit activations: `quantize` and `dequantize` put around a package's convolutions, additions, pools and matrix products.

coremltools has `linear_quantize_activations` for it, which works on a Mac alone, for it asks Core ML's own predictions for the
range of every tensor; and its recorder keeps the range of the last sample only (apple/coremltools#2704: version 9.0 overwrites
what it then compares with). Here the reference runtime predicts, and a range is that of all samples. Where the pairs go is left
to coremltools' own passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from edgekit.errors import InputError, UsageError
from edgekit_coreml.reference import ReferenceModel, Variable
from edgekit_coreml.saving import own_temporary_folder, save_package
from edgekit_coreml.sdk import import_coremltools

ct = import_coremltools()  # first, for the modules below would import it without its precautions

from coremltools.converters.mil.mil.passes.defs import (  # noqa: E402
    optimize_activation_quantization,
    optimize_quantization,
)
from coremltools.models.utils import _apply_graph_pass  # noqa: E402
from coremltools.optimize import coreml as optimize  # noqa: E402
from coremltools.optimize.coreml import _quantization_passes  # noqa: E402

SMALLEST_PEAK = 127 * 2.0**-14
"""Below it an 8-bit scale is not a normal float16, or zero."""
LARGEST_PEAK = 65504 / 2
"""Above it coremltools' width of a symmetric range is infinite in float16."""

Ranges = dict[str, tuple[float, float]]


class _InsertAfter(optimize_activation_quantization.insert_suffix_quantize_dequantize_pair):  # type: ignore[misc]  # untyped
    """After `conv -> clip` as after `conv -> relu6`: between them the range is far wider than what the clip leaves of it."""

    _allowed_activations = frozenset(
        {"clip", *optimize_activation_quantization.insert_suffix_quantize_dequantize_pair._allowed_activations}
    )


def quantize_activations(
    package: Path,
    samples: Iterable[Mapping[str, Any]],
    out: Path,
    *,
    mode: Literal["linear_symmetric", "linear"] = "linear_symmetric",
) -> None:
    """Write a package with 8-bit activations and weights, for iOS 17 and later.

    Weights that are compressed already stay as they are: `edgekit convert --precision int8-weights` chooses better ones than are
    chosen here.

    Args:
        package: an `.mlpackage` of one function, of float16: coremltools gives scales no other type.
        samples: as for `ReferenceModel.predict`; a hundred real inputs or more, for what they do not reach is cut off.
        out: where to write; it must not be there yet.
        mode: "linear_symmetric", int8 around zero, as Apple's examples have it; or "linear", int8 with a zero point, which is
            twice as fine after a ReLU.

    Raises:
        UsageError: no samples, samples that the model cannot take, or something at `out`.
        InputError: the package cannot be run, or one of its tensors has values that 8 bits cannot be scaled to, or coremltools
            cannot put pairs into it.
    """
    if out.exists():
        raise UsageError(f"{out} exists already: choose another place")
    ranges = find_ranges(package, samples)
    statistics = {name: {"rmin": low, "rmax": high} for name, (low, high) in ranges.items()}
    config = optimize.OptimizationConfig(optimize.OpLinearQuantizerConfig(mode=mode))
    weights = optimize.OptimizationConfig(optimize.OpLinearQuantizerConfig(mode="linear_symmetric"))
    before, after = _quantization_passes.insert_prefix_quantize_dequantize_pair(), _InsertAfter()
    once = optimize_quantization.dequantize_quantize_pair_elimination()
    for each in (before, after):
        each.config, each.activation_stats = config, statistics
    with own_temporary_folder():
        model = ct.models.MLModel(str(package), skip_model_load=True)
        try:
            quantized = _apply_graph_pass(model, [before, after, once], spec_version=ct.target.iOS17, skip_model_load=True)
        except (ValueError, KeyError) as error:
            raise InputError(f"coremltools cannot quantise the activations of {package}: {error}") from error
        save_package(optimize.linear_quantize_weights(quantized, weights), out)


def find_ranges(package: Path, samples: Iterable[Mapping[str, Any]]) -> Ranges:
    """Run a package on every sample, and find the least and the greatest value of each tensor of floats.

    The tensors of one `concat` share a range, so that it can stay a concatenation of 8-bit numbers.

    Returns:
        By name; a range always has zero in it.

    Raises:
        UsageError: no samples, or samples that the model cannot take.
        InputError: the package cannot be run, or a tensor has values that 8 bits cannot be scaled to.
    """
    model = ReferenceModel(package)
    ranges: Ranges = {}
    joined: dict[str, set[str]] = {}
    for sample in samples:
        seen: set[str] = set()
        for computed in model.trace(sample):
            operation = computed.operation
            given = [each for operands in operation.inputs.values() for each in operands if isinstance(each, Variable)]
            for variable in (*given, *operation.outputs):
                value = computed.values[variable.name]
                if variable.name not in seen and isinstance(value, Tensor) and value.is_floating_point():
                    seen.add(variable.name)
                    _widen(ranges, variable.name, float(value.min()), float(value.max()), computed.where)
            if operation.type == "concat":
                joined[operation.outputs[0].name] = {each.name for each in (*given, *operation.outputs)}
    if not ranges:
        raise UsageError("no samples: the ranges of the activations are found by running the package on some")
    _share(ranges, joined.values())
    return {name: _scalable(low, high) for name, (low, high) in ranges.items()}


def _widen(ranges: Ranges, name: str, low: float, high: float, where: str) -> None:
    if not -LARGEST_PEAK <= low <= high <= LARGEST_PEAK:
        raise InputError(f"{where}: {name!r} goes from {low:g} to {high:g}, which 8 bits of a float16 scale cannot hold")
    before = ranges.get(name, (0.0, 0.0))
    ranges[name] = min(low, before[0]), max(high, before[1])


def _share(ranges: Ranges, groups: Iterable[set[str]]) -> None:
    """Give the members of each group one range, and those of groups that have a member in common too."""
    groups = [group & ranges.keys() for group in groups]
    changed = True
    while changed:
        changed = False
        for group in groups:
            wide = min(ranges[name][0] for name in group), max(ranges[name][1] for name in group)
            changed = changed or any(ranges[name] != wide for name in group)
            ranges.update(dict.fromkeys(group, wide))


def _scalable(low: float, high: float) -> tuple[float, float]:
    return (low, high) if max(-low, high) >= SMALLEST_PEAK else (low, SMALLEST_PEAK)
