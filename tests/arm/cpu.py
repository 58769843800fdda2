"""The emulated CPUs. Runtimes choose their kernels by what a CPU can."""

from __future__ import annotations

from dataclasses import dataclass

CORES = 2  # as many as tests/arm needs; runtimes ask for one
_NEON = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
_V82 = f"{_NEON} atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"


@dataclass(frozen=True, slots=True)
class Cpu:
    """One CPU.

    Attributes:
        name: ours.
        qemu: QEMU's name for it.
        part: its number in /proc/cpuinfo, by which runtimes know it.
        features: as Linux lists them there.
    """

    name: str
    qemu: str
    part: str
    features: str

    @property
    def cpuinfo(self) -> str:
        """What /proc/cpuinfo says of it.

        Without such a file onnxruntime crashes on import, for it reads the host's; and where the file promises more than QEMU's
        CPU has, XNNPACK takes instructions that this does not know.
        """
        lines = (
            f"Features\t: {self.features}",
            "CPU implementer\t: 0x41",
            "CPU architecture: 8",
            "CPU variant\t: 0x0",
            f"CPU part\t: {self.part}",
            "CPU revision\t: 1",
        )
        return "".join(f"processor\t: {core}\n" + "\n".join(lines) + "\n\n" for core in range(CORES))


# Armv8.0, as in a Raspberry Pi 4: neither arithmetic in float16 nor dot products.
CORTEX_A72 = Cpu("cortex-a72", "cortex-a72", "0xd08", _NEON)
# Armv8.2, as in a Raspberry Pi 5 and in phones since 2018: both.
CORTEX_A76 = Cpu("cortex-a76", "cortex-a76", "0xd0b", _V82)
# All that QEMU can, with int8 matrix products (phones since 2022), but for SVE, which is slow to emulate, and SME: with it the
# int8 answers of QEMU 7.2 are wrong. Signed pointers are by QEMU's own cheap cipher: the architecture's takes half of the time.
I8MM = Cpu("armv8.6", "max,sve=off,sme=off,pauth-impdef=on", "0x051", f"{_V82} i8mm bf16")
CPUS = (CORTEX_A72, CORTEX_A76, I8MM)
