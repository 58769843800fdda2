"""What models and artifacts are called."""

from __future__ import annotations

from pathlib import Path


def name_model(model: str) -> str:
    """`path/to/mobilenet_v2_1.0_224` and `google/mobilenet_v2_1.0_224` -> `mobilenet_v2_1.0_224`."""
    path = Path(model.removeprefix("hf://"))
    name = path.expanduser().resolve().name if path.exists() else path.name
    for suffix in (".safetensors", ".pth", ".pt", ".bin"):
        name = name.removesuffix(suffix)
    return name or "model"


def name_artifact(model: str, target: str, precision: str) -> str:
    """Name the folder of an artifact, given its model's name."""
    return f"{model}-{target}-{precision}"
