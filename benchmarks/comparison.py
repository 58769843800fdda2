"""Whether `edgekit profile --compare` tells the truth: two copies of one artifact, and one that is a tenth slower.

    python benchmarks/comparison.py ONNX_ARTIFACT_FOLDER [--runs 100] [--slow-runs 20] [--threads 1] [--busy]

The slower one is the artifact with a convolution more, whose answer is multiplied by zero and added to the output; its size is
chosen by comparing until a comparison says 8 to 12 %. With --busy a neighbour keeps one core busy meanwhile. Goals: copies are
"unproven" in at least 95 of 100 runs, the slower one is "slower". A comparison takes fifteen to fifty seconds.
"""

from __future__ import annotations

import argparse
import collections
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgekit.document import read_json, record_files, write_json
from edgekit.latency.comparison import Comparison, ComparisonPlan
from edgekit.manifest import FILE_NAME, Manifest
from edgekit.run import compare


def slow_down(folder: Path, to: Path, channels: int) -> Path:
    """Write an artifact that computes one convolution of so many channels more, for nothing."""
    shutil.copytree(folder, to, dirs_exist_ok=True)
    manifest: Manifest = read_json(to / FILE_NAME, Manifest)
    path = to / manifest.entry
    model = onnx.load(path)
    graph, (last,) = model.graph, model.graph.output
    shape = manifest.inputs[0].shape
    weights = np.random.default_rng(0).normal(size=(channels, shape[1], 3, 3)).astype(np.float32)
    for each in graph.node:
        each.output[:] = ["answer" if name == last.name else name for name in each.output]
    graph.initializer.extend(
        [numpy_helper.from_array(weights, "more_weights"), numpy_helper.from_array(np.zeros((1, 1), np.float32), "zero")]
    )
    graph.node.extend(
        [
            helper.make_node("Conv", [graph.input[0].name, "more_weights"], ["more"], strides=[2, 2], pads=[1, 1, 1, 1]),
            helper.make_node("ReduceMax", ["more"], ["most"], keepdims=1),
            helper.make_node("Flatten", ["most"], ["flat"]),
            helper.make_node("Mul", ["flat", "zero"], ["nothing"]),
            helper.make_node("Add", ["answer", "nothing"], [last.name]),
        ]
    )
    onnx.save(model, path)
    written = {each.path: each for each in record_files(to, to)}
    write_json(to / FILE_NAME, replace(manifest, files=tuple(written[each.path] for each in manifest.files)))
    return to


def find_tenth(folder: Path, work: Path, threads: int) -> Path:
    """Choose the size of the convolution: twice as many channels until it is too much, then halfway between."""
    channels, below, above = 32, 0, 0
    for _ in range(8):
        slower = slow_down(folder, work / f"slower-{channels}", channels)
        (found,) = compare((folder, slower), num_threads=threads, plan=ComparisonPlan())
        print(f"{channels} channels more: {found.ratio:.3f} ({found.low:.3f} to {found.high:.3f})", file=sys.stderr)
        if 1.08 <= found.ratio <= 1.12:
            return slower
        below, above = (channels, above) if found.ratio < 1.10 else (below, channels)
        channels = (below + above) // 2 if above else 2 * channels
    sys.exit("no size makes it a tenth slower: the machine is too noisy, or the model too small")


def run(pair: tuple[Path, Path], count: int, threads: int) -> list[Comparison]:
    """Compare so many times."""
    found: list[Comparison] = []
    for number in range(count):
        found += compare(pair, num_threads=threads, plan=ComparisonPlan())
        last, of = found[-1], len(found[-1].launches)
        print(f"{number + 1}: {last.ratio:.3f} ({last.low:.3f} to {last.high:.3f}), {of} launches", file=sys.stderr)
    return found


def show(name: str, found: list[Comparison]) -> None:
    """Print how often each verdict came."""
    counts = collections.Counter(each.verdict for each in found)
    verdicts = ", ".join(f"{verdict} {count}" for verdict, count in counts.most_common())
    widths = statistics.median(each.high / each.low - 1 for each in found)
    ratio = statistics.median(each.ratio for each in found)
    launches = statistics.fmean(len(each.launches) for each in found)
    print(f"{name:24} {len(found):4} runs: {verdicts}; ", end="")
    print(f"median ratio {ratio:.3f}, interval {widths:.1%} wide, {launches:.1f} launches", flush=True)


def main() -> None:
    """Print how often each verdict came."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--slow-runs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--busy", action="store_true")
    arguments = parser.parse_args()
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if arguments.busy else None
    try:
        with tempfile.TemporaryDirectory() as work:
            copy = Path(shutil.copytree(arguments.folder, Path(work) / "copy"))
            if arguments.runs:
                show("two copies", run((arguments.folder, copy), arguments.runs, arguments.threads))
            if arguments.slow_runs:
                slower = find_tenth(arguments.folder, Path(work), arguments.threads)
                show(f"a tenth slower ({slower.name})", run((arguments.folder, slower), arguments.slow_runs, arguments.threads))
    finally:
        if neighbour:
            neighbour.kill()


if __name__ == "__main__":
    main()
