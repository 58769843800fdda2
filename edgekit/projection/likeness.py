"""How unlike settings are, one fact at a time, and how alike that makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekit.projection.setting import Setting

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Differences:
    """Between settings in rows and settings in columns.

    Attributes:
        cores: 0 for one core, 1 for two of a kind, 2 for others; of GPUs 1 for another maker's.
        threads: doublings from one number of threads to the other; 0 but on CPUs.
        years: between the measurements.
        ways: 1 for another way to the unit (OpenCL, Vulkan, NNAPI); 0 on CPUs.
        is_device: whether the device is the same.
    """

    cores: Array
    threads: Array
    years: Array
    ways: Array
    is_device: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rates:
    """By how much each fact makes settings less alike: likeness is exp of minus the rates times the differences."""

    cores: float = 0.0
    threads: float = 0.0
    years: float = 0.0
    ways: float = 0.0
    speed: float = 0.0

    def near(self, apart: Differences, slower: Array | float = 0.0) -> Array:
        """Likeness, 1 for settings that differ in nothing.

        Args:
            apart: the differences.
            slower: of each pair, absolute difference of the logarithms of how slow they are.
        """
        far = self.cores * apart.cores + self.threads * apart.threads + self.years * apart.years + self.ways * apart.ways
        result: Array = np.exp(-(far + self.speed * slower))
        return result


def differences(rows: Sequence[Setting], columns: Sequence[Setting]) -> Differences:
    """Between settings of one kind of unit, whatever their runtimes and precisions."""

    def same(name: str) -> npt.NDArray[np.bool_]:
        a, b = (np.array([getattr(s, name) for s in settings]).reshape(-1) for settings in (rows, columns))
        result: npt.NDArray[np.bool_] = a[:, None] == b[None]
        return result

    def between(name: str) -> Array:
        a, b = (np.array([getattr(s, name) for s in settings], float) for settings in (rows, columns))
        result: Array = np.abs(a[:, None] - b[None])
        return result

    unit = rows[0].unit_class if rows else "cpu"
    kinds = same("kind_of_core") | (unit == "gpu")
    return Differences(
        cores=np.where(same("core"), 0.0, np.where(kinds, 1.0, 2.0)),
        threads=between("log2_threads") * (unit == "cpu"),
        years=between("year"),
        ways=np.where(same("compute_unit") | (unit == "cpu"), 0.0, 1.0),
        is_device=same("device"),
    )
