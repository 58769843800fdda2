"""Whether edgekit's latencies are those of the vendors' own tools on the same file.

    python benchmarks/harness.py ARTIFACT_FOLDER... [--rounds 9] [--iterations 200] [--threads 1]

Of each artifact two tools take turns, A B B A, each time in a process of its own: `edgekit profile`'s harness, and OpenVINO's
`benchmark_app` (latency of synchronous requests, `Median`), or a loop of a dozen lines written straight against onnxruntime's or
ExecuTorch's interface, which imports nothing of edgekit. Printed are the medians of all rounds, and the median and the range of
the ratios of neighbours: a machine that changes its speed meanwhile changes both. Goal: within 5 %. Of Core ML there is nothing
to compare without a Mac.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WARMUP = 50


def loop(infer: Callable[[], object], iterations: int) -> float:
    """Median of single inferences in milliseconds, as anybody would write it."""
    for _ in range(WARMUP):
        infer()
    samples = []
    for _ in range(iterations):
        start = time.perf_counter()
        infer()
        samples.append(time.perf_counter() - start)
    return 1000 * statistics.median(samples)


def onnxruntime_loop(path: str, shape: list[int], threads: int, iterations: int) -> float:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: np.random.default_rng(0).random(shape, np.float32)}
    return loop(lambda: session.run(None, feeds), iterations)


def executorch_loop(path: str, shape: list[int], threads: int, iterations: int) -> float:
    import torch
    from executorch.extension.pybindings import _portable_lib

    _portable_lib._unsafe_reset_threadpool(threads)
    program = _portable_lib._load_program(path)
    method = program.load_method("forward")
    image = torch.rand(shape)
    return loop(lambda: method([image]), iterations)


def benchmark_app(path: str, shape: list[int], threads: int, iterations: int) -> float:
    command = [shutil.which("benchmark_app", path=str(Path(sys.executable).parent)) or "benchmark_app", "-m", path, "-d", "CPU"]
    command += ["-api", "sync", "-nireq", "1", "-nstreams", "1", "-hint", "none", "-nthreads", str(threads)]
    command += ["-ip", "f32", "-infer_precision", "f32", "-niter", str(iterations)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Median:\s+([\d.]+) ms", printed)
    assert found, printed
    return float(found[1])


VENDORS = {"onnx": onnxruntime_loop, "executorch": executorch_loop, "openvino": benchmark_app}
NAMES = {"onnx": "onnxruntime loop", "executorch": "executorch loop", "openvino": "benchmark_app"}


def edgekit_median(folder: Path, threads: int, iterations: int) -> float:
    """What `edgekit profile` reports, without the tables."""
    from edgekit import registry
    from edgekit.interface import random_input
    from edgekit.latency import LatencyPlan, measure
    from edgekit.manifest import read_manifest
    from edgekit.pipeline import load_job

    manifest = read_manifest(folder)
    job = load_job(manifest, folder, threads)
    target = registry.load(manifest.target)
    inputs = {job.inputs[0].name: random_input(job.inputs[0])}

    def load() -> Callable[[], object]:
        runner = target.load(job)
        return lambda: runner.infer(inputs)

    return measure(load, num_threads=threads, plan=LatencyPlan(iterations, max_seconds=60)).p50_ms


def median_ms(tool: str, folder: Path, arguments: argparse.Namespace) -> float:
    """Run one tool in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, str(folder), "--tool", tool]
    command += ["--iterations", str(arguments.iterations), "--threads", str(arguments.threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return float(json.loads(done.stdout.splitlines()[-1]))


def read(folder: Path) -> dict[str, Any]:
    """The manifest, as plain JSON."""
    content: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return content


def main() -> None:
    """Print the table, or one tool's median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tool", choices=("edgekit", "vendor"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.tool == "edgekit":
        print(edgekit_median(arguments.folders[0], arguments.threads, arguments.iterations))
        return
    if arguments.tool == "vendor":
        manifest = read(arguments.folders[0])
        path, shape = str(arguments.folders[0] / manifest["entry"]), manifest["inputs"][0]["shape"]
        print(VENDORS[manifest["target"]](path, shape, arguments.threads, arguments.iterations))
        return
    print(f"{'artifact':44} {'vendor tool':18} {'edgekit ms':>10} {'vendor ms':>10} {'ratio':>6}  range")
    for folder in arguments.folders:
        times: dict[str, list[float]] = {"edgekit": [], "vendor": []}
        for number in range(arguments.rounds):
            for tool in ("edgekit", "vendor") if number % 2 == 0 else ("vendor", "edgekit"):
                times[tool].append(median_ms(tool, folder, arguments))
        ours, theirs = (statistics.median(times[tool]) for tool in ("edgekit", "vendor"))
        ratios = [a / b for a, b in zip(times["edgekit"], times["vendor"], strict=True)]
        name = NAMES[read(folder)["target"]]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"{folder.name:44} {name:18} {ours:10.3f} {theirs:10.3f} {statistics.median(ratios):6.3f}  {spread}", flush=True)


if __name__ == "__main__":
    main()
