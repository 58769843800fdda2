"""What was measured."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.machine import Machine


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of a sustained run.

    Attributes:
        start_s: since the run began.
        inferences: how many ended in it.
        p50_ms: median of these.
        p95_ms: of these.
    """

    start_s: float
    inferences: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Sustained:
    """A run without pauses: what heat, a power limit or a battery saver does after the first seconds.

    Attributes:
        seconds: how long it went on.
        inferences: how many it made.
        per_second: inferences.
        drift: median of the last tenth of the time divided by that of the first tenth, minus 1: 0.2 is 20 % slower at the end.
        windows: the run in up to 60 pieces of equal time.
        doubts: what else went on meanwhile, which drift may come from; empty when nothing did, or the system does not tell.
    """

    seconds: float
    inferences: int
    per_second: float
    drift: float
    windows: tuple[Window, ...]
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of single inferences at batch 1, and what it can be trusted for.

    Attributes:
        load_ms: reading the artifact from disk until it can run.
        first_ms: the first inference.
        warmup_runs: inferences before the runtime was steady.
        p50_ms: median, and so on. Percentiles are interpolated linearly between samples.
        num_threads: of the runtime.
        peak_memory_bytes: largest resident set of the whole process.
        model_memory_bytes: how much of it came with loading and running the model.
        load_average: of the machine, over the minute before.
        doubts: why the figures are too noisy to trust; empty when they can be.
        samples_ns: every steady inference in order.
        machine: where it was measured; None in files of earlier versions.
        affinity: numbers of the cores that the process was allowed to run on; empty where the system does not tell.
        other_cores: how many of these all other processes kept busy meanwhile, on average; None where the system does not tell.
        sustained: a run without pauses; None where it was not asked for.
    """

    load_ms: float
    first_ms: float
    warmup_runs: int
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    std_ms: float
    min_ms: float
    num_threads: int
    peak_memory_bytes: int
    model_memory_bytes: int
    load_average: float
    doubts: tuple[str, ...]
    samples_ns: tuple[int, ...]
    machine: Machine | None = None
    affinity: tuple[int, ...] = ()
    other_cores: float | None = None
    sustained: Sustained | None = None
