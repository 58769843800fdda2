"""ExportedProgram -> `model.pte`, lowered to XNNPACK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from torch.export import ExportedProgram

import edgekit_executorch.pointwise  # noqa: F401  (registers how float16 pointwise convolutions are written)
from edgekit.mobilenet.capture import to_float16
from edgekit.option import option_strings, parse_options
from edgekit.target import (
    FLOAT16_TOLERANCE,
    FLOAT32_TOLERANCE,
    Availability,
    Conversion,
    ConvertJob,
    LoadJob,
    Runner,
    Tolerance,
)
from edgekit_executorch.delegation import count_delegation, write_delegation


@dataclass(frozen=True, slots=True)
class ExecuTorchOptions:
    """This target has no `--option` yet."""


class ExecuTorchTarget:
    """Makes and runs `.pte` files."""

    name = "executorch"
    packages = ("executorch",)
    tolerances: Mapping[str, Tolerance] = {"float32": FLOAT32_TOLERANCE, "float16": FLOAT16_TOLERANCE}

    def probe(self) -> Availability:
        """The SDK was imported with this module: it is here."""
        return Availability(can_convert=True, runs="native")

    def convert(self, job: ConvertJob) -> Conversion:
        """Write `model.pte`, and `delegation.json` which says how much of it XNNPACK runs.

        Raises:
            edgekit.errors.UsageError: any option.
        """
        options = parse_options(ExecuTorchOptions, job.options, target=self.name)
        exported = job.program.exported if job.precision == "float32" else to_float16(job.program)
        edge = to_edge_transform_and_lower(_with_float_scalars(exported), partitioner=[XnnpackPartitioner()])
        delegation = count_delegation(edge.exported_program().graph_module)
        path = job.out_dir / "model.pte"
        path.write_bytes(edge.to_executorch().buffer)
        write_delegation(delegation, job.out_dir)
        notes: tuple[str, ...] = ()
        if delegation.portable:
            names = ", ".join(f"{name} x{count}" for name, count in delegation.portable.items())
            notes = (f"XNNPACK runs {delegation.fraction:.1%} of the operators; portable kernels run: {names}",)
        return Conversion(path, "ExecuTorch program (XNNPACK)", option_strings(options), notes)

    def load(self, job: LoadJob) -> Runner:
        """Load the file's method."""
        from edgekit_executorch.runner import ExecuTorchRunner

        return ExecuTorchRunner(job)


def _with_float_scalars(exported: ExportedProgram) -> ExportedProgram:
    """Spell hard-sigmoid out with float constants.

    torch's own decomposition adds the integers 3 and 6. ExecuTorch lifts each into an int64 tensor that is converted to float at
    every inference, outside the delegate: two undelegated operators per squeeze-excite.
    """
    hard_sigmoid = torch.ops.aten.hardsigmoid.default
    if not any(node.target is hard_sigmoid for node in exported.graph.nodes):
        return exported
    return cast(
        ExportedProgram, exported.run_decompositions({hard_sigmoid: lambda x: torch.clamp(x + 3.0, 0.0, 6.0) * (1.0 / 6.0)})
    )
