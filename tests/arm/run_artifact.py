"""Runs an artifact on every input of a file: the plugin's own runner, where its runtime and numpy are and nothing else is.

    python run_artifact.py PACKAGE.MODULE:OPENER ARTIFACT INPUTS OUTPUT_FOLDER

The opener is a target's, see edgekit.board.portable. The files are as run_pte.cpp has them.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.target import LoadJob, TensorSpec


def read_job(folder: Path) -> LoadJob:
    """What the manifest says, without msgspec."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    inputs, outputs = (_tensors(manifest[part]) for part in ("inputs", "outputs"))
    return LoadJob(folder / manifest["entry"], manifest["precision"], manifest["options"], inputs, outputs, num_threads=1)


def _tensors(facts: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(**{**each, "shape": tuple(each["shape"])}) for each in facts)


def main() -> None:
    """Run."""
    module, _, opener = sys.argv[1].partition(":")
    artifact, inputs, folder = map(Path, sys.argv[2:])
    job = read_job(artifact)
    values = np.fromfile(inputs, np.float32).reshape(-1, *job.inputs[0].shape)
    with getattr(import_module(module), opener)(job) as runner:
        answers = [runner.infer({job.inputs[0].name: value}) for value in values]
    for i, output in enumerate(job.outputs):
        np.stack([answer[output.name] for answer in answers]).tofile(folder / f"{i}.f32")


if __name__ == "__main__":
    main()
