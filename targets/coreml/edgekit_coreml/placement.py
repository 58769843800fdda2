"""Where Core ML may run an operator of an ML program, as far as it has been published: a table of rules with their sources.

The main source is what Core ML itself says of 250 programs of one operator each, on an M4 (`MLComputePlan`'s supported devices).
Other chips differ in places. An operator may run where every rule that applies to it lets it; without a rule of its own it is
unknown, and so is one used in a way that no published plan has. Where an operator may run is not where Core ML will run it: that
is Core ML's choice, by its own estimate of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Literal

import numpy as np

from edgekit_coreml.reference.program import Constant, Operation, Variable

Unit = Literal["Neural Engine", "GPU", "CPU"]
UNITS: tuple[Unit, ...] = ("Neural Engine", "GPU", "CPU")
NEURAL_ENGINE, GPU, CPU = UNITS
_STUDY = "https://github.com/751K/Apple-Neural-Engine-Microarchitecture-Study-M6/blob/main"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule was published. `date`: year-month-day, or the year of an undated page."""

    title: str
    url: str
    date: str

    def __str__(self) -> str:
        """Cite it."""
        return f"{self.title}, {self.date}, {self.url}"


PLANS = Source(
    "MLComputePlan of programs of one operator, M4, macOS 27.0.1, compute units ALL",
    f"{_STUDY}/data/03_compile/opdispatch/plan_iso_all.tsv",
    "2026-10-05",
)
LIMITS = Source(
    "sizes at which MLComputePlan drops the Neural Engine, M4, macOS 27.0.1; section 3.3 of the notes",
    f"{_STUDY}/notes/coreml_dispatch.md",
    "2026-10-05",
)
TYPED_EXECUTION = Source(
    "Apple, coremltools guide, Typed Execution: only the Neural Engine is barred for a float32 program",
    "https://apple.github.io/coremltools/docs-guides/source/typed-execution.html",
    "2023",
)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# An operator's own rule: the units that the plans list for its type.
_ALL_UNITS = _names(
    """
    abs add atan avg_pool batch_norm batch_to_space cast ceil clip concat conv conv_transpose cos depth_to_space
    dequantize elu equal erf exp exp2 expand_dims fill_like floor floor_div gather gather_along_axis gather_nd gelu
    greater greater_equal identity instance_norm inverse l2_norm l2_pool layer_norm leaky_relu less less_equal linear
    linear_activation local_response_norm log logical_and matmul max_pool maximum minimum mul not_equal pad
    pixel_shuffle pixel_unshuffle pow quantize real_div reduce_l1_norm reduce_l2_norm reduce_log_sum
    reduce_log_sum_exp reduce_max reduce_mean reduce_min reduce_sum reduce_sum_square relu relu6 resample reshape
    resize_bilinear resize_nearest_neighbor reverse round rsqrt scaled_dot_product_attention scaled_tanh select sigmoid
    sigmoid_hard sign silu sin slice_by_index slice_by_size softmax softplus softsign space_to_batch space_to_depth
    split sqrt square squeeze stack sub tanh thresholded_relu tile topk transpose upsample_bilinear
    upsample_nearest_neighbor
    """
)
_NO_NEURAL_ENGINE = _names(
    """
    acos argsort asin atanh band_part cosh cumsum gru lstm mod one_hot random_normal reduce_argmax reduce_prod rnn
    scatter scatter_along_axis sinh tan
    """
)
_NO_GPU = frozenset({"affine", "resize"})
_CPU_ALONE = frozenset({"crop_resize", "non_zero", "range_1d", "sliding_windows"})

_TAKES_INT32 = frozenset({"gather_along_axis", "gather_nd"})  # as indices
_TAKES_BOOL = _names("cast equal greater greater_equal less less_equal logical_and not_equal select")
_EIGHT_BITS = frozenset({"quantize", "dequantize"})
_NARROW = ("int8", "uint8", "int16", "uint16")


@dataclass(frozen=True, slots=True)
class Use:
    """An operator in its program.

    Attributes:
        operation: type, operands and results.
        used: names of the variables that something reads: an operator, or the caller.
        macs: multiply-accumulates; None where unknown.
    """

    operation: Operation
    used: frozenset[str]
    macs: int | None

    def variables(self) -> Iterator[Variable]:
        """What it is given and computes at run time, results that nobody reads left out."""
        yield from (each for given in self.operation.inputs.values() for each in given if isinstance(each, Variable))
        yield from (each for each in self.operation.outputs if each.name in self.used)

    def has(self, *dtypes: str) -> bool:
        """Say whether one of them is of such a type."""
        return any(variable.dtype in dtypes for variable in self.variables())

    def constant(self, name: str) -> tuple[float, ...]:
        """Numbers that an input is given as a constant; empty for none, or for one that is computed."""
        (operand,) = self.operation.inputs.get(name) or (None,)
        values = operand.value if isinstance(operand, Constant) else None
        return tuple(values.ravel().tolist()) if isinstance(values, np.ndarray) else ()

    def kernel(self) -> tuple[int, ...]:
        """Sizes of a convolution's kernel, as far as they are declared."""
        return tuple(size for size in (self.operation.inputs["weight"][0].shape or ())[2:] if size is not None)


@dataclass(frozen=True, slots=True)
class Rule:
    """One published fact.

    Attributes:
        name: as results refer to it.
        statement: in a sentence.
        units: where it lets an operator run; empty where nothing is published.
        source: who says so.
        applies: to which operators.
    """

    name: str
    statement: str
    units: tuple[Unit, ...]
    source: Source
    applies: Callable[[Use], bool]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one operator may run. No units: unknown.

    Attributes:
        units: in the order in which Core ML's documentation names them, the Neural Engine first.
        rule: that says so; the most particular where there are several. None where there is none.
    """

    units: tuple[Unit, ...]
    rule: Rule | None


def _is_one_of(types: frozenset[str], use: Use) -> bool:
    return use.operation.type in types


def _has_int32(use: Use) -> bool:
    is_cast_to_byte = use.operation.type == "cast" and use.has("int8")
    return is_cast_to_byte or (use.has("int32") and use.operation.type not in _TAKES_INT32)


def _has_float32(use: Use) -> bool:
    return use.has("float32") and use.operation.type != "cast"


def _has_untried_type(use: Use) -> bool:
    kind = use.operation.type
    is_narrow = use.has(*_NARROW) and kind not in _EIGHT_BITS and not (kind == "cast" and use.has("int8"))
    return is_narrow or (use.has("bool") and kind not in _TAKES_BOOL)


def _is_untried_use(use: Use) -> bool:
    match use.operation.type:
        case "conv":
            return max(use.constant("dilations"), default=1) > 2 or max(use.constant("strides"), default=1) > 8
        case "conv_transpose":
            return max(use.kernel(), default=1) > 4 or max(use.constant("strides"), default=1) > 2
        case "avg_pool":
            return max(use.constant("kernel_sizes"), default=1) > 14
        case "l2_pool":
            return max(use.constant("kernel_sizes"), default=1) > 2
        case "pad":
            return any(use.constant("constant_val"))
    return False


def _has_large_kernel(use: Use) -> bool:
    if use.operation.type != "conv":
        return False
    height, width = (1, 1, *use.kernel())[-2:]
    return width > 16 if height == width else width > 15 or height > 31


def _has_large_pool(use: Use) -> bool:
    return use.operation.type == "max_pool" and (use.constant("kernel_sizes") or (1,))[-1] > 8


def _has_long_product(use: Use) -> bool:
    sizes = [size for size in use.operation.outputs[0].shape or () if size is not None]
    return use.operation.type == "matmul" and use.macs is not None and use.macs > 32768 * prod(sizes)


def _has_long_axis(use: Use) -> bool:
    return any(size is not None and size > 65536 for variable in use.variables() for size in variable.shape or ())


_OFF_ENGINE: tuple[Unit, ...] = (GPU, CPU)
RULES = (
    Rule("untried", "no published plan has this operator with this setting", (), PLANS, _is_untried_use),
    Rule("untried type", "no published plan has this operator with tensors of this type", (), PLANS, _has_untried_type),
    Rule(
        "float32",
        "float32 tensors, but in a cast, keep an operator off the Neural Engine",
        _OFF_ENGINE,
        TYPED_EXECUTION,
        _has_float32,
    ),
    Rule("int32", "int32 tensors, and casts to int8, keep an operator off the Neural Engine", _OFF_ENGINE, PLANS, _has_int32),
    Rule(
        "kernel",
        "convolutions with a kernel wider than 15, higher than 31, or square and over 16, are not for the Neural Engine",
        _OFF_ENGINE,
        LIMITS,
        _has_large_kernel,
    ),
    Rule("pool", "max pooling wider than 8 is not for the Neural Engine", _OFF_ENGINE, LIMITS, _has_large_pool),
    Rule(
        "product",
        "matrix products over more than 32768 terms are not for the Neural Engine",
        _OFF_ENGINE,
        LIMITS,
        _has_long_product,
    ),
    Rule("axis", "tensors with an axis over 65536 are not for the Neural Engine", _OFF_ENGINE, LIMITS, _has_long_axis),
    Rule("all units", "the plan lists all three units for this operator", UNITS, PLANS, partial(_is_one_of, _ALL_UNITS)),
    Rule(
        "not the engine",
        "the plan lists no Neural Engine for this operator",
        _OFF_ENGINE,
        PLANS,
        partial(_is_one_of, _NO_NEURAL_ENGINE),
    ),
    Rule("not the GPU", "the plan lists no GPU for this operator", (NEURAL_ENGINE, CPU), PLANS, partial(_is_one_of, _NO_GPU)),
    Rule("CPU alone", "the plan lists the CPU alone for this operator", (CPU,), PLANS, partial(_is_one_of, _CPU_ALONE)),
)
_PLACED = _ALL_UNITS | _NO_NEURAL_ENGINE | _NO_GPU | _CPU_ALONE


SMALL = "small program"
_SMALL_MACS = 64 * 64 * 9 * 32 * 32  # "conv3x3" in the plans: 64 to 64 channels at 32x32
CITATIONS = {rule.name: f"{rule.statement} ({rule.source})" for rule in RULES} | {
    SMALL: f"a float16 program of one 3x3 convolution, {_SMALL_MACS / 1e6:.0f} million multiply-accumulates, stays on the CPU, "
    f"though all three units are listed for it; a smaller program is expected to stay there too ({PLANS})"
}


def place(use: Use) -> Placement:
    """Look up where an operator may run."""
    if use.operation.type not in _PLACED:
        return Placement((), None)
    rules = [rule for rule in RULES if rule.applies(use)]
    units = tuple(unit for unit in UNITS if all(unit in rule.units for rule in rules))
    return Placement(units, rules[0])


def expect(placement: Placement, allowed: tuple[Unit, ...], program_macs: int) -> tuple[str, str]:
    """Say in words where an operator is expected to run.

    Args:
        placement: where it may.
        allowed: the units that the model is configured to use, the CPU among them.
        program_macs: multiply-accumulates of the whole program.

    Returns:
        "Neural Engine" where it may run there, or what is left, such as "CPU or GPU", for which of two Core ML takes is not
        published; "CPU" in a small program; "unknown" where no rule says it. And the name of the rule, in `CITATIONS`, or "".
    """
    name = placement.rule.name if placement.rule else ""
    if placement.units and name != "float32" and program_macs <= _SMALL_MACS:
        return CPU, SMALL
    left = [unit for unit in allowed if unit in placement.units]
    if NEURAL_ENGINE in left:
        return NEURAL_ENGINE, name
    return CPU if allowed == (CPU,) else " or ".join(reversed(left)) or "unknown", name
