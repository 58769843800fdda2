"""Which instruction sets a CPU has, from texts as Linux and macOS give them."""

from __future__ import annotations

import pytest
import torch

from edgekit.machine import INSTRUCTION_SETS, describe_machine, read_cpuinfo, read_sysctl

X86 = "processor\t: 0\nmodel name\t: Some CPU: fast\nflags\t\t: fpu sse2 avx2 avx512f avx512_vnni amx_int8\n\nprocessor\t: 1\n"
ARM = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd asimddp i8mm sve\nCPU part\t: 0xd40\n"
APPLE = (
    "machdep.cpu.brand_string: Apple M2\nhw.optional.AdvSIMD: 1\nhw.optional.arm.FEAT_DotProd: 1\nhw.optional.arm.FEAT_I8MM: 0\n"
)


def test_linux_on_x86() -> None:
    name, flags = read_cpuinfo(X86)
    assert name == "Some CPU: fast"
    assert flags & set(INSTRUCTION_SETS) == {"avx2", "avx512f", "avx512_vnni", "amx_int8"}


def test_linux_on_arm_has_no_name() -> None:
    assert read_cpuinfo(ARM) == ("", frozenset({"fp", "asimd", "asimddp", "i8mm", "sve"}))


def test_a_mac_says_of_each_whether_it_has_it() -> None:
    assert read_sysctl(APPLE) == ("Apple M2", frozenset({"asimd", "asimddp"}))


@pytest.mark.parametrize("text", ["", "\n", "no colon", ": :\n", "flags\n"])
def test_a_system_that_says_nothing(text: str) -> None:
    assert read_cpuinfo(text) == ("", frozenset())
    assert read_sysctl(text) == ("", frozenset())


def test_this_machine_has_what_torch_found_on_it() -> None:
    found = {"AVX2": "avx2", "AVX512": "avx512f"}.get(torch.backends.cpu.get_cpu_capability())
    if found is None:
        pytest.skip("torch uses neither AVX2 nor AVX-512 here")
    assert found in describe_machine().instruction_sets
