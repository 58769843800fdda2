"""Why a figure cannot be trusted: the spread and drift of its samples, and what else ran on the machine meanwhile.

The rule on the spread (interquartile range above 10 % of the median) is that of torch.utils.benchmark. Samples alone do not tell
everything: a neighbour that is busy all the time slows every inference alike, and the spread stays small. So the kernel is asked
how much of the cores went to others.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.machine import available_cores

NOISY_SPREAD = 0.10
NOISY_DRIFT = 0.10
BUSY = 0.10
"""Part of the machine's cores that others may use before the figures are doubted."""
STOLEN = 0.02
"""Part of the machine's time that a hypervisor may give to other machines."""
MIN_WATCH_SECONDS = 0.3  # the kernel counts in hundredths of a second, per core


def find_doubts(samples_ns: Sequence[int]) -> tuple[str, ...]:
    """Say why a series of steady samples cannot be trusted; nothing when it can."""
    low, median, high = statistics.quantiles(samples_ns, n=4, method="inclusive")
    doubts = []
    if (high - low) / median > NOISY_SPREAD:
        doubts.append(f"the middle half of the samples spreads over {(high - low) / median:.0%} of the median")
    half = len(samples_ns) // 2
    drift = statistics.median(samples_ns[half:]) / statistics.median(samples_ns[:half]) - 1
    if abs(drift) > NOISY_DRIFT:
        doubts.append(f"the second half of the samples is {drift:+.0%} off the first")
    return tuple(doubts)


@dataclass(frozen=True, slots=True)
class Ticks:
    """Hundredths of seconds that all cores together spent since the start of the system: Linux's /proc/stat, proc(5)."""

    busy: int
    stolen: int
    total: int


def read_ticks(path: Path = Path("/proc/stat")) -> Ticks | None:
    """Read the kernel's count; None where there is none, or not in the form of proc(5)."""
    try:
        fields = path.read_text().partition("\n")[0].split()
        user, nice, system, idle, iowait, irq, softirq, stolen = map(int, fields[1:9])
    except (OSError, ValueError):
        return None
    busy = user + nice + system + irq + softirq
    return Ticks(busy, stolen, busy + stolen + idle + iowait)


@dataclass(frozen=True, slots=True)
class Activity:
    """What else happened while somebody watched.

    Attributes:
        other_cores: cores that all other processes kept busy, on average.
        stolen: part of the machine's time, 0 to 1, that a hypervisor gave to others.
    """

    other_cores: float
    stolen: float

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why figures measured meanwhile cannot be trusted; nothing when they can."""
        cores, told = available_cores(), []
        if self.other_cores > BUSY * cores:
            told.append(f"other processes kept {self.other_cores:.1f} of {cores} cores busy")
        if self.stolen > STOLEN:
            told.append(f"{self.stolen:.0%} of this virtual machine's time went to others")
        return tuple(told)


@dataclass
class Watch:
    """Watches the machine from its making on."""

    _ticks: Ticks | None = field(default_factory=read_ticks)
    _own_s: float = field(default_factory=time.process_time)
    _start_s: float = field(default_factory=time.monotonic)

    def end(self) -> Activity | None:
        """Tell what happened since; wait until that can be told. None where the system does not say (macOS)."""
        time.sleep(max(0.0, MIN_WATCH_SECONDS - (time.monotonic() - self._start_s)))
        now, own_s, seconds = read_ticks(), time.process_time() - self._own_s, time.monotonic() - self._start_s
        if self._ticks is None or now is None:
            return None
        busy_s = (now.busy - self._ticks.busy) / os.sysconf("SC_CLK_TCK")
        stolen = (now.stolen - self._ticks.stolen) / max(1, now.total - self._ticks.total)
        return Activity(max(0.0, (busy_s - own_s) / seconds), stolen)
