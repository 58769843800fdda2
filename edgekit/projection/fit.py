"""Unit costs of every setting, from figures: of CPUs and GPUs in `cores`, of NPUs in `accelerators`.

In a block (one runtime, unit and precision) the latency of network m in setting d is

    log t(d, m) = log sum_k exp(theta(d, k)) f(m, k) + beta(d, m) + noise

with the charges f of `cost`: exp keeps every unit cost above 0, and the error is relative. Here is which block tells of which.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from edgekit.projection.accelerators import Accelerators, fit_accelerators
from edgekit.projection.cores import BOARDS_BLOCK, Cores, fit_cores, fit_profile
from edgekit.projection.cost import terms_of
from edgekit.projection.likeness import Array
from edgekit.projection.panel import Block, Panel

Fitted = Cores | Accelerators
# What other blocks start from: floats on a CPU with most networks; likewise for NPUs.
CPU_ROOT: Block = BOARDS_BLOCK
NPU_ROOT: Block = ("qnn_dlc", "npu", "float")


def parent_of(block: Block) -> Block | None:
    """Where a block starts from: the same runtime and unit in float, or the root."""
    runtime, unit, precision = block
    root = NPU_ROOT if unit == "npu" else CPU_ROOT
    if block == root:
        return None
    return root if precision == "float" else (runtime, unit, "float")


def fit(
    panels: dict[Block, Panel], there: dict[Block, Array] | None = None, only: Iterable[Block] | None = None
) -> dict[Block, Fitted]:
    """Fit every block.

    Args:
        panels: the figures.
        there: which figures to use, instead of all.
        only: fit these blocks, instead of all.
    """
    use = {block: panel.there if there is None else there[block] for block, panel in panels.items()}
    profiles: dict[Block, Array] = {}
    cores: dict[Block, Cores] = {}
    accelerators: dict[Block, Accelerators] = {}

    def has(block: Block | None) -> bool:
        return block in panels and bool(use[block].any())

    def profile_of(block: Block) -> Array:
        if block not in profiles:
            parent = parent_of(block)
            start = None if parent is None else profile_of(parent)
            nothing = np.zeros(len(terms_of(block[1]))) if start is None else start
            profiles[block] = fit_profile(panels[block], use[block], start) if block in panels else nothing
        return profiles[block]

    def fitted_cores(block: Block) -> Cores:
        if block not in cores:
            source = _source_of(block)
            model = fitted_cores(source) if source and has(source) else None
            cores[block] = fit_cores(panels[block], use[block], profile_of(block), model)
        return cores[block]

    def fitted_accelerators(block: Block) -> Accelerators:
        if block not in accelerators:
            parent = parent_of(block)
            while parent and not has(parent):
                parent = parent_of(parent)
            model = fitted_accelerators(parent) if parent else None
            accelerators[block] = fit_accelerators(panels[block], use[block], model)
        return accelerators[block]

    asked = [block for block in (panels if only is None else only) if has(block)]
    return {block: fitted_accelerators(block) if block[1] == "npu" else fitted_cores(block) for block in asked}


def _source_of(block: Block) -> Block | None:
    """Whose fit tells of the same devices: the parent's, but for floats on a GPU, which no other block knows."""
    return None if block[1:] == ("gpu", "float") else parent_of(block)
