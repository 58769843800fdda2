"""What running a Core ML package on the reference runtime costs, against PyTorch running the same captured program.

    python benchmarks/coreml.py [--rounds 15] [--threads 1]

Each network gets a process of its own that imports no coremltools. There, single inferences of PyTorch (eager) and of the
reference runtime (exact mode) take turns, A B A B, so that a machine that slows down slows both; a round is ten of each. The
ratio is that of the medians of all inferences, the range that of the rounds. The package is read and prepared once in each round,
and the best of these times counts: protobuf is imported then. Goals: a ratio of at most 1.5, and prepared within 0.1 s. Times are
of this machine; ratios carry over.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NETWORKS = ("v1", "v2", "v3_small", "v3_large")
TURNS = 10  # inferences of each in a round
MAX_RATIO, MAX_PREPARATION_S = 1.5, 0.1
PROGRAM, PACKAGE = "program.pt2", "model.mlpackage"


def make(version: str, folder: Path) -> None:
    """Capture and convert a network of random weights whose batch norms have seen an input, so that no signal dies on its way."""
    import torch

    from edgekit.mobilenet.network import MobileNet
    from edgekit.mobilenet.program import capture_program, save_program
    from edgekit.mobilenet.spec import MobileNetSpec
    from edgekit.target import ConvertJob
    from edgekit_coreml.target import CoreMLTarget

    torch.manual_seed(0)
    network = MobileNet(MobileNetSpec(version))  # type: ignore[arg-type]  # one of NETWORKS
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network.train()(torch.randn(4, 3, 224, 224))
    program = capture_program(network.eval())
    save_program(program, folder / PROGRAM)
    CoreMLTarget().convert(ConvertJob(program, "float32", {}, folder))


def measure(folder: Path, *, rounds: int, threads: int) -> dict[str, Any]:
    """Time both sides in this process."""
    import numpy as np
    import torch

    from edgekit.mobilenet.program import load_program
    from edgekit_coreml.reference import ReferenceModel

    torch.set_num_threads(threads)
    model = ReferenceModel(folder / PACKAGE)
    eager = load_program(folder / PROGRAM).exported.module()
    image = np.random.default_rng(0).standard_normal((1, 3, 224, 224), dtype=np.float32)

    def pytorch() -> Any:
        with torch.inference_mode():
            return eager(torch.from_numpy(image)).numpy()

    def reference() -> Any:
        return next(iter(model.predict({model.inputs[0].name: image}).values()))

    np.testing.assert_allclose(reference(), pytorch(), atol=1e-3)
    take_turns(pytorch, reference)  # warm-up
    samples, preparations = [], []
    for _ in range(rounds):
        preparations += take_turns(lambda: ReferenceModel(folder / PACKAGE), turns=1)[0]
        samples.append(take_turns(pytorch, reference))
    ratios = [statistics.median(b) / statistics.median(a) for a, b in samples]
    medians = [statistics.median(time_s for sample in samples for time_s in sample[side]) for side in (0, 1)]
    return {
        "preparation_s": min(preparations),
        "pytorch_ms": medians[0] * 1e3,
        "reference_ms": medians[1] * 1e3,
        "ratio": medians[1] / medians[0],
        "low": min(ratios),
        "high": max(ratios),
        "imports_coremltools": "coremltools" in sys.modules,
    }


def take_turns(*functions: Callable[[], object], turns: int = TURNS) -> tuple[list[float], ...]:
    """Seconds of each call of each function, one call after the other in turn."""
    times: tuple[list[float], ...] = tuple([] for _ in functions)
    for _ in range(turns):
        for function, seconds in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    return times


def in_a_process(*arguments: str) -> str:
    """Run a part of this script in a process of its own and return what it prints."""
    done = subprocess.run([sys.executable, "-W", "ignore", __file__, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{arguments} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def main() -> None:
    """Compare all networks, or do a part of it in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--make", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make:
        make(arguments.make, arguments.folder)
    elif arguments.folder:
        print(json.dumps(measure(arguments.folder, rounds=arguments.rounds, threads=arguments.threads)))
    else:
        compare(rounds=arguments.rounds, threads=arguments.threads)


def compare(*, rounds: int, threads: int) -> None:
    """Print the table of all networks."""
    headings = f"{'PyTorch ms':>10} {'reference ms':>12} {'ratio':>6} {'range of rounds':>16} {'prepared s':>10}  coremltools"
    print(f"{'network':10} {headings}")
    kept = True
    for version in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            in_a_process("--make", version, "--folder", folder)
            plan = ("--rounds", str(rounds), "--threads", str(threads))
            found = json.loads(in_a_process("--folder", folder, *plan))
        times = f"{found['pytorch_ms']:10.1f} {found['reference_ms']:12.1f} {found['ratio']:6.2f}"
        imported = "IMPORTED" if found["imports_coremltools"] else "not imported"
        print(f"{version:10} {times} {found['low']:7.2f} to {found['high']:5.2f} {found['preparation_s']:10.3f}  {imported}")
        kept &= found["ratio"] <= MAX_RATIO and found["preparation_s"] <= MAX_PREPARATION_S and not found["imports_coremltools"]
    print(f"goals (ratio {MAX_RATIO}, prepared in {MAX_PREPARATION_S} s, no coremltools): {'met' if kept else 'MISSED'}")


if __name__ == "__main__":
    main()
