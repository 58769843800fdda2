"""What the command line costs before it does anything, as ratios to importing typer.

    python benchmarks/startup.py

Whole processes, one after the other in turn, so that a machine that slows down slows all of them; medians of the ratios.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
EDGEKIT = str(Path(sys.executable).parent / "edgekit")
COMMANDS = {
    'python -c "import typer"': [sys.executable, "-c", "import typer"],
    "edgekit --help": [EDGEKIT, "--help"],
    "edgekit targets": [EDGEKIT, "targets"],
}


def time_ms(command: list[str]) -> float:
    """Wall time of a whole process."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    """Print the table."""
    rounds = [{name: time_ms(command) for name, command in COMMANDS.items()} for _ in range(ROUNDS)]
    base = next(iter(COMMANDS))
    print(f"{'command':28} {'median ms':>10} {'ratio':>6}")
    for name in COMMANDS:
        median_ms = statistics.median(times[name] for times in rounds)
        ratio = statistics.median(times[name] / times[base] for times in rounds)
        print(f"{name:28} {median_ms:10.1f} {ratio:6.2f}")


if __name__ == "__main__":
    main()
