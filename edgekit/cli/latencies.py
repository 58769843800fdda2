"""What was measured beyond one distribution: sustained runs, and artifacts against each other."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.cli.show import new_table, print_lines, print_table
from edgekit.latency.comparison import CONFIDENCE, Comparison
from edgekit.latency.sustained import NOTABLE
from edgekit.run import Result


def show_sustained(results: Sequence[Result]) -> None:
    """Print a line for each run without pauses."""
    for result in results:
        for latency in (result.report.latency, *result.report.more_latencies):
            if latency and (run := latency.sustained):
                told = "steady" if abs(run.drift) < NOTABLE else "slower at the end" if run.drift > 0 else "faster at the end"
                board = result.report.board_of(latency)
                where = f" on {board}" if board else ""
                print_lines(
                    f"{result.folder.name}{where}, {latency.num_threads} threads, {run.seconds:.0f} s without a pause: "
                    f"{run.per_second:.1f} inferences a second, p50 {run.windows[0].p50_ms:.2f} ms in the first window and "
                    f"{run.windows[-1].p50_ms:.2f} ms in the last; {run.drift:+.1%} from the first tenth to the last: {told}"
                    + (f", but {' and '.join(run.doubts)}" if run.doubts else "")
                )


def show_comparisons(comparisons: Sequence[Comparison]) -> None:
    """Print the verdicts."""
    if not comparisons:
        return
    figures = ("threads", "launches", "time ratio", f"{CONFIDENCE:.0%} interval")
    table = new_table("artifact", "against", *figures, "verdict", figures=figures)
    for each in comparisons:
        interval = f"{each.low:.3f} to {each.high:.3f}"
        counts = (str(each.num_threads), str(len(each.launches)))
        table.add_row(each.second, each.first, *counts, f"{each.ratio:.3f}", interval, each.verdict)
    print_lines("")
    print_table(table)
    print_lines("Timed in turns, both started anew for each launch. Unproven: 1 is within the interval.")
