"""Where and how a figure was measured, and how alike two such settings are."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

# Cores from strong to weak: a chip is known by the strongest that its description names.
CORES = (
    *("x4", "x3", "x2", "x1", "a720", "a715", "a710", "a78", "a77", "a76", "a75", "a73", "a72", "a57", "a17", "a15", "a9"),
    *("a7", "a5", "a55", "a53", "a35", "a510", "a520"),
)
MOST_THREADS = 1024
APPLE = r"\b(apple|iphone|ipad|macbook)\b"
# What a description says instead of a core's name. Bare numbers are many things' names: they stand with their maker's.
NAMES = (
    (r"xeon phi", "phi"),  # in order, and 512 bits wide: like no other of Intel's
    (r"\batom\b|celeron|n5105|yonah", "atom"),
    (r"\bamd\b|ryzen|epyc|\bd\d+as v\d", "zen"),
    (r"\bintel\b|xeon|aws c5|\bd\d+s v\d", "intel"),
    (r"zhaoxin|kx-", "zhaoxin"),
    (r"spacemit|jh7110|u74|risc|c906|c910|th1520", "riscv"),
    (r"xburst|ingenic", "mips"),
    (r"phytium|ft-2000|ftc6", "ftc"),
    (r"loong", "loong"),
    (r"sunway", "sunway"),
    (r"kunpeng|taishan", "taishan"),
    (r"neoverse|ampere|graviton|\bd\d+ps v\d", "neoverse"),
    (r"snapdragon 8 gen ?2|sm8550", "x3"),
    (r"8 elite|8 gen ?5|oryon|x elite", "oryon"),
    (r"kr?yr?o ?4\d\d|snapdragon (855|765|675)|sm8150", "a76"),
    (r"kr?yr?o ?585|snapdragon (865|870)", "a77"),
    (r"snapdragon 888", "x1"),
    (r"qcs6490|rb3 gen 2", "a78"),
    (r"snapdragon 7 ?gen ?4", "a720"),
    (r"kirl?in 9[89]0", "a76"),
    (r"kirl?in 9[67]", "a73"),
    (r"kirl?in 95", "a72"),
    (r"snapdragon (710|670|845)|kryo ?385|pixel 3", "a75"),
    (r"snapdragon (835|660|636|662|665)|kr?yr?o ?2[68]0|pixel 2", "a73"),
    (r"snapdragon 82[01]|msm8996|pixel", "kryo"),
    (r"carmel", "carmel"),
    (r"orin", "a78"),
    (r"jetson (nano|tx)|denver", "a57"),
    (r"bcm2712", "a76"),
    (r"bcm2711", "a72"),
    (r"bcm2837", "a53"),
    (r"bcm2836|stm32mp1", "a7"),
    (r"bcm2835", "arm11"),
    (r"\bm[1-4]\b", "apple"),
    (r"\bcore (i[3579]|ultra)|i[3579]-\d", "intel"),
    (r"rtx|gtx|geforce|tesla|quadro", "x86"),  # the host of a graphics card, whichever
)
KINDS_OF_CORE = {
    **dict.fromkeys(("x4", "x3", "x2", "x1", "a720", "a715", "a710", "a78", "a77", "a76", "a75"), "large"),
    **dict.fromkeys(("apple", "neoverse", "taishan", "oryon", "carmel"), "large"),
    **dict.fromkeys(("a73", "a72", "a57", "ftc", "kryo"), "middle"),
    **dict.fromkeys(("a17", "a15", "a9", "a7", "a5", "arm11"), "32 bit"),
    **dict.fromkeys(("a55", "a510", "a520"), "little"),
    **dict.fromkeys(("a53", "a35"), "in order"),
    **dict.fromkeys(("atom", "intel", "zen", "zhaoxin", "x86"), "x86"),
}
NO_DOT_PRODUCTS = ("carmel",)  # large ones whose /proc/cpuinfo has no asimddp: int8 runs as on the middle ones
GPUS = (
    ("jetson", r"jetson|tegra|orin|xavier"),
    ("nvidia", r"nvidia|rtx|gtx|tegra|jetson|geforce"),
    ("adreno", r"adreno|snapdragon|qualcomm"),
    ("mali", r"mali|\brk3\d\d\d|rockchip|kirin|a311d"),
    ("videocore", r"videocore"),
    ("amd", r"radeon|\bamd\b"),
    ("powervr", r"powervr|bxe|img"),
    ("apple", r"apple|\bm[1-4]\b|iphone"),
    ("intel", r"intel|iris|arc"),
)


@dataclass(frozen=True)
class Setting:
    """Device, runtime and mode of a figure.

    Attributes:
        runtime: and its version, as the source has it.
        device: as the source has it.
        chipset: as the source has it.
        precision: as the source has it.
        compute_unit: as the source has it.
        threads: as the source has it; empty if not told.
        run: which of several runs of one device, where the source tells them apart.
        unit_class: "cpu", "gpu" or "npu".
        precision_class: "float", "int8" or "int8 with int16 activations".
        year: of the measurement, with its fraction.
        cores: which it was bound to, "big" or "little"; empty for any.
    """

    runtime: str
    device: str
    chipset: str
    precision: str
    compute_unit: str
    threads: str
    run: str
    unit_class: str
    precision_class: str
    year: float = field(default=2022.0, compare=False)
    cores: str = ""

    @cached_property
    def runtime_class(self) -> str:
        """The runtime without its version."""
        for name in ("TensorFlow Lite", "OpenVINO", "XNNPACK", "X-LINUX-AI"):
            if self.runtime.startswith(name):
                return name
        return self.runtime

    @cached_property
    def block(self) -> tuple[str, str, str]:
        """Settings that are fitted together: runtime, unit and precision."""
        return self.runtime_class, self.unit_class, self.precision_class

    @cached_property
    def loosely(self) -> tuple[str, ...]:
        """What two runs of one setting have in common."""
        return self.runtime, self.device, self.precision, self.compute_unit, self.threads

    @property
    def unit(self) -> str:
        """The compute unit, and of a CPU the cores where the measurement was bound to some."""
        return f"{self.compute_unit}, {self.cores} cores" if self.cores and self.unit_class == "cpu" else self.compute_unit

    @cached_property
    def core(self) -> str:
        """The core or the maker of the GPU, as far as it can be told from the description."""
        return core_of(f"{self.chipset} {self.device}".lower(), self.unit_class, is_little=self.cores == "little")

    @cached_property
    def kind_of_core(self) -> str:
        """Cores of one kind are alike in their instructions; those of int8 are others than those of floats."""
        if self.core in NO_DOT_PRODUCTS and self.precision_class != "float":
            return "middle"
        return KINDS_OF_CORE.get(self.core, self.core)

    @cached_property
    def log2_threads(self) -> float:
        """Logarithm of the number of threads; of 4 where it is not told, or is no number up to `MOST_THREADS`."""
        number = int(self.threads) if re.fullmatch(r"[0-9]{1,4}", self.threads) else 0
        return math.log2(number) if 1 <= number <= MOST_THREADS else 2.0


@lru_cache(maxsize=4096)
def core_of(text: str, unit: str, *, is_little: bool = False) -> str:
    """The strongest core that a chip's description in small letters names, or the maker of its GPU; "?" if neither.

    Args:
        text: the description.
        unit: "cpu", "gpu" or "npu".
        is_little: the weakest core instead.
    """
    if unit == "gpu":
        return next((name for name, pattern in GPUS if re.search(pattern, text)), "?")
    if re.search(APPLE, text) and "intel" not in text:  # Apple's A7 and A15 are no Cortex-A7 and -A15
        return "apple"
    for core in reversed(CORES) if is_little and unit == "cpu" else CORES:  # a bare "x4" is four of something
        if re.search(rf"cortex\W?{core}(ae)?\b" + (rf"|\b{core}(ae)?\b" if core.startswith("a") else ""), text):
            return core
    return next((name for pattern, name in NAMES if re.search(pattern, text)), "?")


def unit_class(compute_unit: str, precision: str) -> str:
    """Of the many names, one of "cpu", "gpu" and "npu".

    Args:
        compute_unit: as the source has it.
        precision: its class. The phones with NNAPI figures have accelerators of int8 only: NNAPI gives floats to the GPU.
    """
    name = compute_unit.lower()
    if "nnapi" in name and precision == "float":
        return "gpu"
    if any(part in name for part in ("npu", "nnapi", "ane", "neural", "edgetpu", "edge tpu")):
        return "npu"
    return "gpu" if "gpu" in name else "cpu"


def precision_class(precision: str) -> str:
    """Of the many names, one of "float", "int8" and "int8 with int16 activations"."""
    name = precision.lower()
    if name.startswith("w8a16"):
        return "int8 with int16 activations"
    return "int8" if name.startswith(("int8", "w8a8", "uint8")) else "float"
