"""How far launches of one artifact differ, timed apart from each other as two runs of a matrix are.

    .venv/bin/python benchmarks/launches.py out/digits-onnx-float32 out/mobilenet_v1_0.25_128-onnx-float32 --launches 18

The artifacts take turns. Each launch waits until nobody else is busy, and is a process of its own; those with doubts are counted
and left out, as `edgekit compare` leaves them out. What is printed is behind the limits in edgekit/matrix/pace.py.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from edgekit import run
from edgekit.latency import Latency, LatencyPlan
from edgekit.latency.noise import read_ticks
from edgekit.machine import affinity

QUIET_CORES = 0.15
WATCH_SECONDS = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("artifacts", type=Path, nargs="+")
    parser.add_argument("--launches", type=int, default=18)
    arguments = parser.parse_args()
    found: dict[str, list[Latency]] = {path.name: [] for path in arguments.artifacts}
    for _ in range(arguments.launches):
        for path in arguments.artifacts:
            wait_for_quiet()
            (result,) = run.profile([path], threads=[1], latency=LatencyPlan(100, 2.0, 2.0))
            if result.report.latency:
                found[path.name].append(result.report.latency)
    for name, latencies in found.items():
        medians = sorted(latency.p50_ms for latency in latencies if not latency.doubts)
        print(f"{name}: {len(latencies)} launches, {len(medians)} without doubts", end="")
        if medians:
            low, high = medians[0], medians[-1]
            print(f", p50 {low:.3f} to {high:.3f} ms: ratio {high / low:.2f}, {high - low:.3f} ms apart", end="")
        print()


def wait_for_quiet() -> None:
    """Wait until others keep nearly no core busy, where the system tells."""
    while True:
        before = read_ticks(affinity())
        time.sleep(WATCH_SECONDS)
        after = read_ticks(affinity())
        if before is None or after is None or (after.busy - before.busy) / 100 / WATCH_SECONDS < QUIET_CORES:
            return


if __name__ == "__main__":
    main()
