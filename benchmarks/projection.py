"""Projection against figures that it was not given.

    python benchmarks/projection.py                         leave-one-out on published.csv
    python benchmarks/projection.py --fit A.csv --test B.csv    fit on one file, predict another
    python benchmarks/projection.py --write                 make the tables that ship with edgekit

Without arguments: every family of networks in turn is held back on all devices ("calibrated" is what is left of a setting), then
every device by itself but for one figure of each of its settings ("anchored"), then every device by itself ("specification").
`--data` names another file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from edgekit.errors import EdgekitError
from edgekit.projection.figure import Figure, read_figures
from edgekit.projection.held import predict_held
from edgekit.projection.interval import covered
from edgekit.projection.panel import panels_of
from edgekit.projection.summary import as_json, as_table, row_of, summarise
from edgekit.projection.trial import Trial, without_devices, without_families

DATA = Path(__file__).parents[2] / "shared" / "data" / "latency" / "published.csv"
PHONES = ("tflite-hosted", "tflite-benchmarks", "slim-mobilenet", "mnasnet-tpu", "paddleclas-sd855")


def main() -> int:
    """Run, and end in silence where nobody reads any more, as in `projection.py | head`."""
    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains when it ends
        return 0
    return code


def run() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", type=Path, help="figures to fit on")
    parser.add_argument("--test", type=Path, help="figures to predict")
    parser.add_argument("--data", type=Path, default=DATA, help="figures for leave-one-out and for --write")
    parser.add_argument("--write", action="store_true", help="write the tables that ship with edgekit")
    parser.add_argument("--json", action="store_true", help="print rows as JSON")
    arguments = parser.parse_args()
    if (arguments.fit is None) != (arguments.test is None):
        parser.error("--fit and --test go together")
    try:
        if arguments.write:
            return write(arguments.data)
        trials, inside = held(arguments.fit, arguments.test) if arguments.fit else left_out(arguments.data)
    except EdgekitError as error:
        print(f"projection: {error}", file=sys.stderr)
        return error.exit_code
    rows, parts = summarise(trials, inside), summarise(trials, inside, parts=True)
    if arguments.json:
        print(json.dumps(as_json(rows, parts), indent=2))
        return 0
    print(as_table(rows), as_table(parts), sep="\n\n")
    if not arguments.fit and (rows_of_goals := goals(trials, inside)):
        print("", rows_of_goals, sep="\n")
    return 0


def held(known: Path, asked: Path) -> tuple[list[Trial], list[bool]]:
    """Fit on one file, predict another; what could not be predicted is told on stderr."""
    outcome = predict_held(_usable(known), _usable(asked))
    if outcome.published:
        print(f"{outcome.published} figures are in both files: published, and not counted", file=sys.stderr)
    for name, count in sorted(outcome.unpredicted.items()):
        print(f"not predicted: {count} figures of {name}", file=sys.stderr)
    return outcome.trials, outcome.covered


def _usable(path: Path) -> list[Figure]:
    """The figures of a file but for those of split "context", which are no latencies of ours; how many these are is told."""
    every = read_figures(path, context=True)
    usable = [figure for figure in every if figure.split != "context"]
    if len(usable) < len(every):
        print(f"left out: {len(every) - len(usable)} figures of split 'context' in {path}", file=sys.stderr)
    return usable


def left_out(path: Path) -> tuple[list[Trial], list[bool]]:
    """Leave one out, three times over: a family, a device but for one figure, a device."""
    figures = _usable(path)
    panels = panels_of(figures)
    trials: list[Trial] = []
    inside: list[bool] = []
    for tier, runs in (
        ("calibrated", without_families(panels, figures)),
        ("anchored", without_devices(panels, figures, anchored=True, one_by_one=True)),
        ("specification", without_devices(panels, figures, anchored=False, one_by_one=True)),
    ):
        kept = [trial for trial in runs if trial.tier == tier]
        trials += kept
        inside += covered(kept)
    return trials, inside


def goals(trials: list[Trial], inside: list[bool]) -> str:
    """The rows that the goals are about, but for those that no figure is in."""

    def row(name: str, tier: str, wanted: tuple[str, ...], unit: str = "", precision: str = "") -> str:
        at = [
            i
            for i, trial in enumerate(trials)
            if trial.tier == tier
            and (not wanted or trial.figure.source_id in wanted)
            and trial.figure.setting.unit_class.startswith(unit)
            and trial.figure.setting.precision_class.startswith(precision)
            and (precision != "int8" or trial.figure.setting.precision_class == "int8")
        ]
        if not at:
            return ""
        return as_table([row_of(name, tier, "", [trials[i] for i in at], [inside[i] for i in at])]).splitlines()[1]

    rows = (
        row("phones' CPUs", "calibrated", PHONES, "cpu"),
        row("phones, float", "calibrated", PHONES, "cpu", "float"),
        row("boards (ncnn)", "calibrated", ("ncnn",)),
        row("boards' CPUs", "calibrated", ("ncnn",), "cpu"),
        row("anchored", "anchored", ()),
        row("anchored CPUs", "anchored", (), "cpu"),
        row("Qualcomm NPU fp16", "calibrated", ("qai-hub",), "npu", "float"),
        row("Qualcomm NPU w8a8", "calibrated", ("qai-hub",), "npu", "int8"),
    )
    return "\n".join(filter(None, rows))


def write(path: Path) -> int:
    """Make the tables that ship with edgekit."""
    from edgekit.projection.shipping import write_tables

    for written in write_tables(read_figures(path, context=True)):
        print(f"{written}: {written.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
