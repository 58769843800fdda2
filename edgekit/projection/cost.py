"""What a runtime is charged for: a workload as a vector, whose product with a device's unit costs is a latency in ms.

A sum of terms, each linear in the work. The scale of each term is roughly what it costs in ms on one ordinary core (or NPU), so
that the logarithm of a unit cost is a small number.
"""

from __future__ import annotations

from edgekit.projection.workload import Kind, Total, Workload

DENSE: tuple[Kind, ...] = ("stem", "conv3", "conv", "pointwise", "depthwise3", "depthwise5", "grouped")
WINOGRAD = ("ncnn", "Paddle-Lite")  # runtimes that compute 3x3 convolutions so
PACKED = ("ncnn",)  # runtimes whose tensors have four channels side by side; Paddle-Lite's are planes (its kernels say kNCHW)
CORE_TERMS = (
    *("stem", "conv3", "conv3 moved", "conv3 weights", "conv", "pointwise", "pointwise moved", "depthwise3", "depthwise5"),
    *("grouped", "linear", "squeeze", "pool", "elementwise", "activation", "join", "move", "matmul", "norm", "lrn", "detect"),
    *("ragged", "moved", "weights", "operators", "fixed", "unrolled"),
)
ACCELERATOR_TERMS = (
    *("conv", "stem", "depthwise3", "depthwise5", "grouped", "weights", "written", "activation", "elementwise", "squeeze"),
    *("join", "move", "norm", "matmul", "pool", "operators", "squeezes", "fixed", "dense operators", "windows", "matrices"),
)
# What the terms on a core wait for. Those that wait for the same are dear or cheap together, whichever was seen; activations with
# an exponential, norms and detections have little in common.
WAITS: tuple[tuple[str, ...], ...] = (
    ("stem", "conv3", "conv", "pointwise", "depthwise3", "depthwise5", "grouped", "matmul", "ragged"),  # for arithmetic
    (  # for memory
        *("conv3 moved", "conv3 weights", "pointwise moved", "linear", "squeeze", "pool", "elementwise", "join", "move"),
        *("moved", "weights", "unrolled"),
    ),
    ("operators", "fixed"),  # for the runtime itself
)


def terms_of(unit: str) -> tuple[str, ...]:
    """The names of what `charges` returns."""
    return ACCELERATOR_TERMS if unit == "npu" else CORE_TERMS


def alike(unit: str) -> list[list[bool]]:
    """Whether two of `terms_of(unit)` wait for the same; on accelerators, which overlap it all, only a term and itself."""
    waits = {name: i for i, names in enumerate(WAITS) for name in names} if unit != "npu" else {}
    names = terms_of(unit)
    return [[a == b or (a in waits and waits[a] == waits.get(b)) for b in names] for a in names]


def charges(work: Workload, runtime: str, unit: str) -> list[float]:
    """The work behind each of `terms_of(unit)`, in ms at unit cost 1.

    Args:
        work: of a network.
        runtime: its class; decides whether 3x3 convolutions are counted after Winograd's algorithm, and ragged channels at all.
        unit: "cpu", "gpu" or "npu".
    """
    return _on_accelerator(work) if unit == "npu" else _on_cores(work, runtime in WINOGRAD, runtime in PACKED)


def _on_cores(work: Workload, winograd: bool, packed: bool) -> list[float]:
    of = work.of
    conv3 = of("conv3")
    dense = [of(kind) for kind in DENSE]
    return [
        of("stem").macs * 50e-9,
        conv3.tiled * 50e-9 * winograd,
        _moved(conv3) * 2e-6 * winograd,
        conv3.weights * 0.6e-6 * winograd,
        (of("conv").macs + (0 if winograd else conv3.macs)) * 50e-9,
        of("pointwise").macs * 50e-9,
        _moved(of("pointwise")) * 1e-6,
        of("depthwise3").macs * 150e-9,
        of("depthwise5").macs * 150e-9,
        of("grouped").macs * 100e-9,
        of("linear").weights * 1e-6,
        _moved(of("squeeze")) * 1.5e-6,
        of("pool").inputs * 0.4e-6,
        of("elementwise").inputs * 0.8e-6,
        of("activation").outputs * 2e-6,
        of("join").outputs * 2e-6,
        of("move").outputs * 2e-6,
        of("matmul").macs * 50e-9,
        of("norm").outputs * 3e-6,
        of("lrn").outputs * 10e-6,
        of("detect").inputs * 5e-6,
        sum(total.ragged for total in work.totals.values()) * 50e-9 * packed,
        sum(_moved(total) for total in dense) * 1e-6,
        sum(total.weights for total in dense) * 0.3e-6,
        (sum(total.count for total in work.totals.values()) + 4 * of("squeeze").count) * 0.01,  # five kernels are one squeeze
        0.05,
        (of("conv").unrolled + (0 if winograd else conv3.unrolled)) * 1e-6,
    ]


def _on_accelerator(work: Workload) -> list[float]:
    of = work.of
    return [
        sum(of(kind).macs for kind in ("conv3", "conv", "pointwise")) * 0.15e-9,
        of("stem").macs * 0.15e-9,
        of("depthwise3").macs * 3e-9,
        of("depthwise5").macs * 3e-9,
        of("grouped").macs * 1e-9,
        work.weights * 0.02e-6,
        sum(of(kind).outputs for kind in DENSE) * 0.03e-6,
        of("activation").outputs * 0.05e-6,
        of("elementwise").outputs * 0.05e-6,
        of("squeeze").inputs * 0.05e-6,
        of("join").outputs * 0.002e-6,
        of("move").outputs * 0.05e-6,
        of("norm").outputs * 0.1e-6,
        of("matmul").macs * 1e-9,
        of("pool").outputs * 0.01e-6,
        sum(total.count for total in work.totals.values()) * 0.001,
        of("squeeze").count * 0.005,
        0.1,
        sum(of(kind).count for kind in DENSE) * 0.002,
        (of("conv3").macs + of("conv").macs) * 0.1e-9,
        of("matmul").matrices * 0.002,
    ]


def _moved(total: Total) -> int:
    return total.inputs + total.outputs
