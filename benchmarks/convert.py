"""One `edgekit convert --target all`, checked and profiled, against the four vendors' shortest scripts, which check nothing.

    python benchmarks/convert.py CHECKPOINT_FOLDER [--rounds 3]

The folder is a Hugging Face one that transformers reads (MobileNet V1 or V2). Each vendor script is a process of its own that
loads the checkpoint with transformers, exports, converts and saves; the four are run one after the other, as somebody without
edgekit would. Both sides are timed in turn, in one run, because only the ratio carries over to another machine. Needs every
target and transformers (`make test` installs them).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOAD = """
import sys, torch
from transformers import AutoModelForImageClassification
model = AutoModelForImageClassification.from_pretrained(sys.argv[1], return_dict=False).eval()
size = model.config.image_size
example = (torch.zeros(1, 3, size, size),)
"""
SCRIPTS = {
    "onnx": """
torch.onnx.export(model, example, sys.argv[2] + "/model.onnx", dynamo=True)
""",
    "openvino": """
import openvino
openvino.save_model(openvino.convert_model(model, example_input=example[0]), sys.argv[2] + "/model.xml")
""",
    "executorch": """
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
edge = to_edge_transform_and_lower(torch.export.export(model, example), partitioner=[XnnpackPartitioner()])
open(sys.argv[2] + "/model.pte", "wb").write(edge.to_executorch().buffer)
""",
    "coreml": """
import coremltools
program = torch.export.export(model, example).run_decompositions({})
coremltools.convert(program).save(sys.argv[2] + "/model.mlpackage")
""",
}


def time_s(command: list[str]) -> float:
    """Wall time of a whole process in seconds; what it prints is shown only if it fails."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    elapsed_s = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{command[:3]} failed:\n{done.stderr[-2000:]}")
    return elapsed_s


def one_round(model: str) -> dict[str, float]:
    """Seconds of each vendor script and of edgekit."""
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, script in SCRIPTS.items():
            seconds[name] = time_s([sys.executable, "-W", "ignore", "-c", LOAD + script, model, folder])
        edgekit = [sys.executable, "-m", "edgekit", "convert", "-m", model, "-t", "all", "-o", f"{folder}/out", "-q"]
        seconds["edgekit"] = time_s(edgekit)
    return seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rounds = [one_round(str(Path(arguments.model).resolve())) for _ in range(arguments.rounds)]
    for name in SCRIPTS:
        print(f"{name + ', alone and unchecked':34} {statistics.median(times[name] for times in rounds):7.1f} s")
    together = [sum(times[name] for name in SCRIPTS) for times in rounds]
    print(f"{'the four, one after the other':34} {statistics.median(together):7.1f} s")
    print(f"{'edgekit, all four, checked, timed':34} {statistics.median(times['edgekit'] for times in rounds):7.1f} s")
    ratios = [times["edgekit"] / total for times, total in zip(rounds, together, strict=True)]
    print(f"ratio: {statistics.median(ratios):.2f} (of {len(ratios)} rounds: {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
