"""Which machine a figure was obtained on. Standard library only."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
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
# what macOS calls those of them that Apple's CPUs may have
APPLE_NAMES = {"AdvSIMD": "asimd", "neon": "asimd", "arm.FEAT_DotProd": "asimddp", "arm.FEAT_I8MM": "i8mm"}


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
    return len(affinity()) or os.cpu_count() or 1


def affinity() -> frozenset[int]:
    """Their numbers; none where the system does not tell (macOS)."""
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


@functools.cache
def _cpu() -> tuple[str, frozenset[str]]:
    """The CPU's name, and its instruction sets as Linux names them; nothing of a system that is neither Linux nor macOS."""
    try:
        return read_cpuinfo(Path("/proc/cpuinfo").read_text())
    except OSError:  # macOS has no /proc
        return read_sysctl(_sysctl())


def read_cpuinfo(text: str) -> tuple[str, frozenset[str]]:
    """Read Linux's /proc/cpuinfo; all cores are alike as far as a runtime asks."""
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    return facts.get("model name", ""), frozenset((facts.get("flags") or facts.get("Features") or "").split())


def read_sysctl(text: str) -> tuple[str, frozenset[str]]:
    """Read what macOS's `sysctl` prints of an Apple CPU. Written from Apple's list of names; never run on a Mac by us.

    https://developer.apple.com/documentation/kernel/1387446-sysctlbyname/determining_instruction_set_characteristics
    """
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    flags = frozenset(flag for name, flag in APPLE_NAMES.items() if facts.get(f"hw.optional.{name}") == "1")
    return facts.get("machdep.cpu.brand_string", ""), flags


def _sysctl() -> str:
    names = ("machdep.cpu.brand_string", "hw.optional")
    try:
        return subprocess.run(["/usr/sbin/sysctl", *names], capture_output=True, text=True, check=False, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):  # no such command: what the CPU can do stays unknown
        return ""
