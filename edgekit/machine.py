"""Which machine a figure was obtained on. Standard library only."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

# what decides which kernels a runtime picks; the rest of the flags is noise
INSTRUCTION_SETS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine, as far as it decides latency and numbers.

    Attributes:
        system: e.g. "Linux-6.1".
        architecture: e.g. "x86_64".
        processor: the CPU's marketing name.
        cores: logical cores this process may use.
        memory_bytes: physical memory.
        instruction_sets: those of INSTRUCTION_SETS that the CPU has.
        python: version.
    """

    system: str
    architecture: str
    processor: str
    cores: int
    memory_bytes: int
    instruction_sets: tuple[str, ...]
    python: str


def describe_machine() -> Machine:
    """Look at the machine this process runs on."""
    processor, flags = _cpu()
    return Machine(
        system=f"{platform.system()}-{platform.release()}",
        architecture=platform.machine(),
        processor=processor or platform.processor() or "unknown",
        cores=available_cores(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        instruction_sets=tuple(name for name in INSTRUCTION_SETS if name in flags),
        python=platform.python_version(),
    )


def available_cores() -> int:
    """Logical cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> tuple[str, set[str]]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # macOS has no /proc
        return "", set()
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return facts.get("model name", ""), set((facts.get("flags") or facts.get("Features") or "").split())
