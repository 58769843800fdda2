"""What int8 costs and what it pays: size, accuracy and latency of int8 artifacts against float32 ones.

    python benchmarks/int8.py CHECKPOINT_FOLDER... --images LABELLED_FOLDER [-t onnx -t openvino ...] [--rounds 15] [--threads 1]

The labelled folder has a labels.csv. Every third picture calibrates, the others are counted on, by `edgekit convert` and
`edgekit evaluate` as a user runs them. For the latency each target gets a process of its own, in which single inferences of its
float32 and its int8 artifact take turns, A B A B, so that a machine that slows down slows both; a round is ten of each. The ratio
is that of the medians of all inferences, the range that of the rounds. Goals: size at most 0.30; on a CPU with VNNI a latency of
at most 0.65 (OpenVINO, ExecuTorch) and below 1 (onnxruntime). Times are of this machine; ratios carry over to CPUs with the same
instruction sets. Core ML's reference runtime says nothing about a device's speed and is not timed.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TARGETS = ("coreml", "executorch", "onnx", "openvino")
PRECISIONS = ("float32", "int8")
TURNS = 10  # inferences of each in a round
COLUMNS = "{:24} {:11} {:>6} {:>8} {:>8} {:>6} {:>8} {:>8} {:>8} {:>8}  {:>6} {}"
HEADINGS = ("model", "target", "size", "dB cost", "dB added", "top-1", "int8", "drop", "agree %", "program", "p50", "range")


def split(images: Path, folder: Path) -> tuple[Path, Path]:
    """Write two lists, one to calibrate on and one to count on."""
    rows = list(csv.DictReader((images / "labels.csv").read_text("utf-8").splitlines()))
    paths = []
    for name, chosen in {"calibration": rows[::3], "evaluation": [row for i, row in enumerate(rows) if i % 3]}.items():
        paths.append(folder / f"{name}.csv")
        with paths[-1].open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(row | {"file": str((images / row["file"]).resolve())} for row in chosen)
    return paths[0], paths[1]


def edgekit(*arguments: str) -> Any:
    """Run a command and return its JSON. Exit codes 1 (a negative result) and 3 (not verified) are figures as well."""
    command = [sys.executable, "-m", "edgekit", *arguments, "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 3):
        sys.exit(f"{arguments} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def measure(folders: list[Path], *, rounds: int, threads: int) -> dict[str, float]:
    """Time two artifacts of one target in this process, in turn."""
    from edgekit import registry
    from edgekit.interface import random_input
    from edgekit.manifest import read_manifest
    from edgekit.target import LoadJob

    functions: list[Callable[[], object]] = []
    for folder in folders:
        manifest = read_manifest(folder)
        job = LoadJob(folder / manifest.entry, manifest.precision, manifest.options, manifest.inputs, manifest.outputs, threads)
        runner, inputs = registry.load(manifest.target).load(job), {job.inputs[0].name: random_input(job.inputs[0])}
        functions.append(lambda runner=runner, inputs=inputs: runner.infer(inputs))  # type: ignore[misc]  # bound now
    take_turns(*functions)  # warm-up
    samples = [take_turns(*functions) for _ in range(rounds)]
    ratios = [statistics.median(int8) / statistics.median(floats) for floats, int8 in samples]
    medians = [statistics.median(time_s for sample in samples for time_s in sample[side]) for side in (0, 1)]
    return {"ratio": medians[1] / medians[0], "low": min(ratios), "high": max(ratios)}


def take_turns(*functions: Callable[[], object]) -> tuple[list[float], ...]:
    """Seconds of each call of each function, one call after the other in turn."""
    times: tuple[list[float], ...] = tuple([] for _ in functions)
    for _ in range(TURNS):
        for function, seconds in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    return times


def rows_of(model: str, targets: list[str], images: Path, arguments: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """Convert, evaluate and time one checkpoint."""
    with tempfile.TemporaryDirectory() as work:
        calibration, evaluation = split(images, Path(work))
        flags = [flag for target in targets for flag in ("-t", target)]
        flags += [flag for precision in PRECISIONS for flag in ("-p", precision)]
        made = edgekit("convert", "-m", model, *flags, "--calibration", str(calibration), "--no-latency", "-o", f"{work}/out")
        cells = {(each["report"]["target"], each["report"]["precision"]): each for each in made["results"]}
        whole = [each["folder"] for each in made["results"] if each["report"]["size_bytes"]]
        judged = edgekit("evaluate", *whole, "-m", model, "--images", str(evaluation), "--threads", str(arguments.threads))
        found = {
            (each["evaluation"]["target"], each["evaluation"]["precision"]): each["evaluation"] for each in judged["results"]
        }
        top1 = judged["float_model"]["accuracy"]["top1"]["value"]
        for target in targets:
            floats, int8 = (cells[target, precision] for precision in PRECISIONS)
            report, accuracy = int8["report"], found.get((target, "int8"), {}).get("accuracy")
            if not accuracy:
                yield Path(model).name, target, report["problem"]["message"] if report["problem"] else "no figures"
                continue
            timed = ("-", "not timed")
            if report["runtime"]["kind"] == "native":
                script = [sys.executable, "-W", "ignore", __file__, "--measure", floats["folder"], int8["folder"]]
                script += ["--rounds", str(arguments.rounds), "--threads", str(arguments.threads)]
                figures = json.loads(subprocess.run(script, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
                timed = (f"{figures['ratio']:.2f}", f"{figures['low']:.2f} to {figures['high']:.2f}")
            program = found[target, "int8"].get("program_agreement") or {}
            outputs = report["parity"]["outputs"]
            yield (
                Path(model).name,
                target,
                f"{report['size_bytes'] / floats['report']['size_bytes']:.3f}",
                f"{report['parity']['compression']['sqnr_db']:.1f}",
                f"{min(output['image_sqnr_db'] for output in outputs):.1f}",
                f"{100 * top1:.1f}",
                f"{100 * accuracy['top1']['value']:.1f}",
                f"{100 * (top1 - accuracy['top1']['value']):.1f}",
                f"{100 * accuracy['agreement']['value']:.1f}",
                f"{100 * program['value']:.1f}" if program else "-",
                *timed,
            )


def main() -> None:
    """Print the table, or time two artifacts in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--target", "-t", action="append", choices=TARGETS)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measure", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, rounds=arguments.rounds, threads=arguments.threads)))
        return
    if not arguments.models or not arguments.images:
        parser.error("give one checkpoint folder or more, and --images")
    from edgekit.machine import describe_machine

    machine = describe_machine()
    print(f"{machine.processor}: {', '.join(machine.instruction_sets) or 'instruction sets unknown'}")
    print(COLUMNS.format(*HEADINGS))
    for model in arguments.models:
        for row in rows_of(model, arguments.target or list(TARGETS), arguments.images, arguments):
            print(COLUMNS.format(*row) if len(row) == len(HEADINGS) else "  ".join(row), flush=True)


if __name__ == "__main__":
    main()
