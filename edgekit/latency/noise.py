"""Why a figure cannot be trusted: the spread and drift of its samples, and what else ran on the machine meanwhile.

The rule on the spread (interquartile range above 10 % of the median) is that of torch.utils.benchmark. Samples alone do not tell
everything: a neighbour that is busy all the time slows every inference alike, and the spread stays small. So the kernel is asked
how much of the cores went to others.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.machine import affinity

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
    """Hundredths of seconds that cores together spent since the start of the system: Linux's /proc/stat, proc(5)."""

    busy: int
    stolen: int
    total: int


def read_ticks(cores: Collection[int], path: Path = Path("/proc/stat")) -> Ticks | None:
    """Read the kernel's count of these cores; None where there is none, or not in the form of proc(5)."""
    names = {f"cpu{number}" for number in cores}  # all of them, or what we take is held against fewer cores than it was taken of
    try:
        lines = [line.split()[:9] for line in path.read_text().splitlines()]
        counts = [[int(field) for field in line[1:]] for line in lines if line and line[0] in names]
        if len(counts) < len(names):
            return None
        user, nice, system, idle, iowait, irq, softirq, stolen = map(sum, zip(*counts, strict=True))
    except (OSError, ValueError):
        return None
    busy = user + nice + system + irq + softirq
    return Ticks(busy, stolen, busy + stolen + idle + iowait)


@dataclass(frozen=True, slots=True)
class Activity:
    """What else happened while somebody watched.

    Attributes:
        other_cores: how many of the cores all other processes kept busy, on average.
        stolen: part of the cores' time, 0 to 1, that a hypervisor gave to others.
        cores: how many were watched: those that this process may run on. What is done on others is a neighbour in another room.
    """

    other_cores: float
    stolen: float
    cores: int

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why figures measured meanwhile cannot be trusted; nothing when they can."""
        told = []
        if self.other_cores > BUSY * self.cores:
            told.append(f"other processes kept {self.other_cores:.1f} of {self.cores} cores busy")
        if self.stolen > STOLEN:
            told.append(f"{self.stolen:.0%} of this virtual machine's time went to others")
        return tuple(told)


class Watch:
    """Watches the machine from its making on."""

    def __init__(self) -> None:
        self._cores = affinity()  # now: a runtime may bind its threads meanwhile
        self._ticks, self._own_s, self._start_s = read_ticks(self._cores), time.process_time(), time.monotonic()

    def end(self) -> Activity | None:
        """Tell what happened since; wait until that can be told. None where the system does not say (macOS)."""
        time.sleep(max(0.0, MIN_WATCH_SECONDS - (time.monotonic() - self._start_s)))
        now, own_s, seconds = read_ticks(self._cores), time.process_time() - self._own_s, time.monotonic() - self._start_s
        if self._ticks is None or now is None:
            return None
        busy_s = (now.busy - self._ticks.busy) / os.sysconf("SC_CLK_TCK")
        stolen = (now.stolen - self._ticks.stolen) / max(1, now.total - self._ticks.total)
        return Activity(max(0.0, (busy_s - own_s) / seconds), stolen, len(self._cores))
