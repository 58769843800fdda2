"""Runs an ONNX artifact on every input of a file: edgekit's own runner, on a system that has onnxruntime and numpy alone.

    python run_onnx.py ARTIFACT INPUTS OUTPUT_FOLDER

Files are as run_pte.cpp has them. Prints what the runtime found itself on, as JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from edgekit.machine import describe_machine
from edgekit.target import LoadJob, TensorSpec
from edgekit_onnx.runner import OnnxRunner


def read_job(folder: Path) -> LoadJob:
    """What the manifest says, without msgspec."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    inputs, outputs = (_tensors(manifest[part]) for part in ("inputs", "outputs"))
    return LoadJob(folder / manifest["entry"], manifest["precision"], manifest["options"], inputs, outputs, num_threads=1)


def _tensors(facts: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(**{**each, "shape": tuple(each["shape"])}) for each in facts)


def main() -> None:
    """Run."""
    artifact, inputs, folder = map(Path, sys.argv[1:])
    job = read_job(artifact)
    values = np.fromfile(inputs, np.float32).reshape(-1, *job.inputs[0].shape)
    with OnnxRunner(job) as runner:
        answers = [runner.infer({job.inputs[0].name: value}) for value in values]
    for i, output in enumerate(job.outputs):
        np.stack([answer[output.name] for answer in answers]).tofile(folder / f"{i}.f32")
    print(json.dumps({"onnxruntime": onnxruntime.__version__, **asdict(describe_machine())}))


if __name__ == "__main__":
    main()
