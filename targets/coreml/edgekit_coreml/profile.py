"""The static profile of an `.mlpackage`: what each operator costs, and where Core ML is expected to run it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgekit.profile import OpProfile, StaticProfile, summarise
from edgekit_coreml.costs import count_costs
from edgekit_coreml.placement import CITATIONS, UNITS, Unit, Use, expect, place
from edgekit_coreml.reference.package import Package
from edgekit_coreml.reference.program import Block, Variable
from edgekit_coreml.reference.reader import read_program

BASIS = (
    "EXPECTED, not measured: from Apple's documentation, and from Core ML's own plans that others published for an M4. An "
    "operator counts for the Neural Engine if it may run there. On the device Core ML decides, by its own estimate of the time, "
    "and may keep short stretches of a network on the CPU. Other chips differ. No time can be told from this"
)
# developer.apple.com/documentation/coreml/mlcomputeunits
ALLOWED: dict[str, tuple[Unit, ...]] = {
    "ALL": UNITS,
    "CPU_AND_NE": ("Neural Engine", "CPU"),
    "CPU_AND_GPU": ("GPU", "CPU"),
    "CPU_ONLY": ("CPU",),
}


def profile_package(path: Path, compute_units: str = "ALL") -> StaticProfile:
    """Count the operators of a saved package and look up where they may run.

    Args:
        path: the `.mlpackage`.
        compute_units: what the model is configured to use, one of `ALLOWED`.

    Raises:
        InputError: the package is damaged, or has something that cannot be read.
    """
    program = read_program(Package.open(path))
    used, costs = frozenset(names_read(program.body)), count_costs(program)
    macs = sum(cost.macs or 0 for _, cost in costs)
    rows = []
    for operation, cost in costs:
        placement = place(Use(operation, used, cost.macs))
        expected, rule = expect(placement, ALLOWED[compute_units], macs)
        name = operation.outputs[0].name if operation.outputs else ""
        figures = (cost.macs, cost.read_bytes, cost.written_bytes)
        rows.append(OpProfile(name, operation.type, *figures, placement.units, expected, rule))
    cited = {row.rule for row in rows}
    return summarise(rows, basis=BASIS, rules={name: text for name, text in CITATIONS.items() if name in cited})


def names_read(block: Block) -> Iterator[str]:
    """Name the variables that operations read, those inside of control flow included, and that the block gives."""
    for operation in block.operations:
        for given in operation.inputs.values():
            yield from (operand.name for operand in given if isinstance(operand, Variable))
        for inside in operation.blocks:
            yield from names_read(inside)
    yield from (output.name for output in block.outputs if isinstance(output, Variable))
