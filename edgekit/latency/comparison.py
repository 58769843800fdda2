"""Whether one artifact is faster than another: faster, slower, or unproven.

Two things move a latency that have nothing to do with the artifact. The machine's speed changes from second to second: so both
are timed in turns, A B B A, in blocks of a few dozen milliseconds, and only the ratio of neighbours counts. And where a
process's memory came to lie stays as it is for its whole life: so both are started anew several times, and it is these launches
that are counted, not the thousands of inferences within, which share one accident. Nor are the two places alike: of two copies,
the one that is loaded second is some tenths of a percent faster. So they change places from launch to launch. The interval is
Student's t over the logarithms of the launches' ratios, as Georges, Buytaert and Eeckhout ("Statistically rigorous Java
performance evaluation", OOPSLA 2007) and Kalibera and Jones ("Rigorous benchmarking in reasonable time", ISMM 2013) ask for.

How many launches that takes depends on the machine, so they go on until the interval is narrow enough (Chow and Robbins, "On the
asymptotic theory of fixed-width sequential confidence intervals", 1965). The verdict has no say in it: whoever goes on until
there is one tells copies apart several times as often as the interval promises.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from edgekit.errors import UsageError

Verdict = Literal["faster", "slower", "unproven"]
CONFIDENCE = 0.99
"""Of the interval: two artifacts that are alike are told apart once in a hundred times, and half of these as slower."""


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """How to compare.

    Attributes:
        min_launches: times that both processes are started at least; if even, both artifacts are the first to start as often.
        max_launches: at most, however wide the interval is then.
        max_width: of the interval, as its end divided by its beginning; one as narrow needs no further launches.
        rounds: blocks of each artifact in a launch.
        block_seconds: of one block, which has at least three inferences.
        max_warmup_seconds: of each launch.
    """

    min_launches: int = 8
    max_launches: int = 24
    max_width: float = 1.10
    rounds: int = 10
    block_seconds: float = 0.05
    max_warmup_seconds: float = 2.0

    def __post_init__(self) -> None:
        if self.min_launches < 3 or self.rounds < 2:
            raise UsageError("a comparison needs at least 3 launches and 2 rounds: fewer have no spread to judge by")
        if self.max_launches < self.min_launches:
            raise UsageError(f"a comparison of at least {self.min_launches} launches cannot have {self.max_launches} at most")


@dataclass(frozen=True, slots=True)
class Launch:
    """The medians of both artifacts' blocks, in milliseconds, round by round."""

    first_ms: tuple[float, ...]
    second_ms: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times as long the second took: the median of the rounds."""
        pairs = zip(self.first_ms, self.second_ms, strict=True)
        return math.exp(statistics.median(math.log(second / first) for first, second in pairs))

    def turned(self) -> Launch:
        """The same with the second artifact as the first."""
        return Launch(self.second_ms, self.first_ms)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One artifact against another.

    Attributes:
        first: whose time is 1.
        second: whose time `ratio` tells.
        num_threads: of both runtimes.
        ratio: of the second's time to the first's: below 1 is faster.
        low: of the interval that covers the true ratio with `CONFIDENCE`.
        high: likewise.
        verdict: on the second; "unproven" where the interval has 1 in it.
        launches: what was measured.
    """

    first: str
    second: str
    num_threads: int
    ratio: float
    low: float
    high: float
    verdict: Verdict
    launches: tuple[Launch, ...]


def compare(launches: Sequence[Launch], *, first: str, second: str, num_threads: int) -> Comparison:
    """Judge what was measured.

    Raises:
        UsageError: fewer than three launches.
    """
    low, ratio, high = interval(launches)
    verdict: Verdict = "faster" if high < 1 else "slower" if low > 1 else "unproven"
    return Comparison(first, second, num_threads, ratio, low, high, verdict, tuple(launches))


def interval(launches: Sequence[Launch]) -> tuple[float, float, float]:
    """Of the ratio: where it begins, its middle, and where it ends.

    Raises:
        UsageError: fewer than three launches.
    """
    if len(launches) < 3:
        raise UsageError("a comparison needs at least 3 launches: fewer have no spread to judge by")
    logs = [math.log(launch.ratio) for launch in launches]
    middle, spread = statistics.fmean(logs), statistics.stdev(logs) / math.sqrt(len(logs))
    reach = student_quantile((1 + CONFIDENCE) / 2, len(logs) - 1) * spread
    return math.exp(middle - reach), math.exp(middle), math.exp(middle + reach)


def suffices(launches: Sequence[Launch], plan: ComparisonPlan) -> bool:
    """Whether no further launch is needed."""
    if len(launches) < plan.min_launches:
        return False
    low, _, high = interval(launches)
    return high <= low * plan.max_width or len(launches) >= plan.max_launches


def turns(rounds: int) -> Iterator[int]:
    """Whose turn it is, 0 or 1: A B B A A B B A, so that a machine that slows down steadily slows both alike."""
    for number in range(rounds):
        yield from (0, 1) if number % 2 == 0 else (1, 0)


@functools.cache
def student_quantile(probability: float, degrees: int) -> float:
    """Where Student's distribution has so much below it: found by halving, its integral by Simpson's rule.

    Args:
        probability: above 0.5 and below 1.
        degrees: of freedom, at least 1.
    """
    log_scale = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - 0.5 * math.log(degrees * math.pi)

    def below(value: float) -> float:
        # t = sqrt(n) tan(angle) makes the integrand a power of a cosine over a finite range
        end, steps = math.atan(value / math.sqrt(degrees)), 1000
        heights = [math.cos(end * step / steps) ** (degrees - 1) for step in range(steps + 1)]
        area = heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2])
        return 0.5 + math.exp(log_scale) * math.sqrt(degrees) * area * end / (3 * steps)

    low, high = 0.0, 1e4
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < probability else (low, middle)
    return low
