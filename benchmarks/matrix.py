"""A matrix of real checkpoints: wall time side by side against one cell after the other, a repeated run, and the memory it takes.

    python benchmarks/matrix.py CHECKPOINT_FOLDER... --images FOLDER [--one-by-one] [--output FOLDER] [--targets ...] [--no-v3]

Every checkpoint and, unless --no-v3, seeded V3-Small and V3-Large (no trained ones are at hand; their batch-norm statistics are
those of photographs), to every target, in float32, float16 and int8, from an empty cache. A third of the labelled pictures of
--images (with a labels.csv) calibrates, the others are counted on. Printed are each cell's outcome and reason, the wall time, the
most memory that all processes held at once, and the time of a second run divided by that of `edgekit --help` (the median of pairs
in turn). With --one-by-one every cell is then made again, from another empty cache, by a run of its own
(`--only`): what several share is still made once, so that only running side by side makes the difference. Goals: side by side is
faster, a repeated run takes at most 5 times `edgekit --help`, memory stays below 8 GiB.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from int8 import split  # the script beside this one

PAIRS = 7
GIB = 2**30


def seed_v3(version: str, images: Path, path: Path) -> None:
    """Write a V3 of seeded weights whose batch norms have seen photographs: without that its answers would be constant."""
    import torch

    from edgekit.mobilenet.checkpoint import save_checkpoint
    from edgekit.mobilenet.network import ConvUnit, MobileNet
    from edgekit.mobilenet.spec import MobileNetSpec
    from edgekit.preprocessing import Preprocessing

    torch.manual_seed(0)
    network = MobileNet(MobileNetSpec(version, norm_eps=1e-3))  # type: ignore[arg-type]  # one of two words
    preprocessing = Preprocessing("RGB", mean=(0.5,) * 3, std=(0.5,) * 3, shortest_edge=256, crop=(224, 224))
    pictures = sorted(images.glob("*.jpg"))[::10]
    batch = torch.cat([torch.from_numpy(preprocessing.tensor(picture)) for picture in pictures])
    for module in network.modules():
        if isinstance(module, ConvUnit) and isinstance(module.norm, torch.nn.BatchNorm2d):
            module.norm.momentum = None  # a plain mean over what it sees
    with torch.no_grad():
        network.train()(batch)
    save_checkpoint(path, network.eval(), preprocessing=preprocessing, labels=())


def write_config(arguments: argparse.Namespace, work: Path) -> Path:
    """edgekit.toml: accuracy is counted for the models that know the pictures' classes."""
    calibration, evaluation = split(arguments.images.resolve(), work)
    models = [path.resolve() for path in arguments.checkpoints]
    if not arguments.no_v3:
        for version in ("v3_small", "v3_large"):
            models.append(work / f"mobilenet_{version}.safetensors")
            seed_v3(version, arguments.images, models[-1])
    lines = [f"targets = {json.dumps(arguments.targets)}", 'precisions = ["float32", "float16", "int8"]']
    lines += [f"calibration = {json.dumps(str(calibration))}", "[latency]", "max_seconds = 1.0", "warmup = 1.0"]
    for model in models:
        lines += ["[[models]]", f"model = {json.dumps(str(model))}"]
        if model.is_dir() and len(json.loads((model / "config.json").read_text())["id2label"]) > 1000:
            lines.append(f"evaluation = {json.dumps(str(evaluation))}")
    path = work / "edgekit.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


class Memory:
    """The most memory that a process and all below it held at once, asked for five times a second."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self._root = psutil.Process(pid)
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while self._root.is_running():
            held = 0
            try:
                for process in (self._root, *self._root.children(recursive=True)):
                    held += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            self.peak_bytes = max(self.peak_bytes, held)
            time.sleep(0.2)


def run(config: Path, cache: Path, output: Path, *flags: str) -> tuple[float, int]:
    """`edgekit matrix`: seconds and bytes."""
    command = [sys.executable, "-m", "edgekit", "matrix", "-c", str(config), "-o", str(output), *flags]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | {"EDGEKIT_CACHE": str(cache)}, stdout=subprocess.DEVNULL)
    memory = Memory(process.pid)
    if process.wait() not in (0, 1, 3):
        print(f"edgekit matrix ended with {process.returncode}", file=sys.stderr)
    return time.perf_counter() - began, memory.peak_bytes


def repeated(config: Path, cache: Path, output: Path) -> tuple[float, float]:
    """Seconds of a run of which everything is known, and of `edgekit --help`: medians of pairs in turn."""
    times: dict[str, list[float]] = {"matrix": [], "help": []}
    for _ in range(PAIRS):
        times["matrix"].append(run(config, cache, output, "-q")[0])
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "edgekit", "--help"], stdout=subprocess.DEVNULL, check=True)
        times["help"].append(time.perf_counter() - began)
    return statistics.median(times["matrix"]), statistics.median(times["help"])


def main() -> None:
    """Print the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--targets", nargs="+", default=["coreml", "executorch", "onnx", "openvino"])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--no-v3", action="store_true")
    parser.add_argument("--one-by-one", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        config, output = write_config(arguments, work), arguments.output or work / "out"
        wall_s, peak_bytes = run(config, work / "cache", output)
        matrix: dict[str, Any] = json.loads((output / "matrix.json").read_text())
        for cell in matrix["cells"]:
            print(f"{cell['name']:48} {cell['outcome']:10} {cell['reason']}")
        print(f"{len(matrix['cells'])} cells, side by side: {wall_s:.1f} s; at most {peak_bytes / GIB:.2f} GiB", flush=True)
        matrix_s, help_s = repeated(config, work / "cache", output)
        print(f"again: {matrix_s:.2f} s, {matrix_s / help_s:.2f} times edgekit --help ({help_s:.2f} s)", flush=True)
        if arguments.one_by_one:
            alone = [
                run(config, work / "cache-1", work / "out-1", "--only", cell["name"], "--jobs", "1", "-q")[0]
                for cell in matrix["cells"]
            ]
            print(f"one by one: {sum(alone):.1f} s; side by side takes {wall_s / sum(alone):.2f} of it")


if __name__ == "__main__":
    main()
