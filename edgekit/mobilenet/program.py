"""The captured program on disk: a `.pt2` that carries the names and shapes of its inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch

from edgekit.mobilenet.capture import capture
from edgekit.mobilenet.network import MobileNet
from edgekit.target import Program, TensorSpec

INPUT_NAME = "image"
_NAMES = "edgekit.json"


@dataclass(frozen=True, slots=True)
class _Signature:
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def capture_program(network: MobileNet) -> Program:
    """Capture a network for a batch of one image, with the names that every artifact will use."""
    exported = capture(network)
    spec = network.spec
    image = TensorSpec(INPUT_NAME, (1, spec.input_channels, spec.resolution, spec.resolution), "float32", "NCHW")
    results = [node.meta["val"] for node in exported.graph.output_node().args[0]]
    outputs = tuple(
        TensorSpec(name, tuple(result.shape), "float32", {2: "NK", 4: "NCHW"}.get(result.dim(), ""))
        for name, result in zip(network.output_names, results, strict=True)
    )
    return Program(exported, (image,), outputs)


def save_program(program: Program, path: Path) -> None:
    """Write a `.pt2`."""
    names = msgspec.json.encode(_Signature(program.inputs, program.outputs)).decode()
    torch.export.save(program.exported, path, extra_files={_NAMES: names})


def load_program(path: Path) -> Program:
    """Read what `save_program` wrote."""
    import torch.ao.quantization.fx._decomposed

    extra = {_NAMES: ""}
    exported = torch.export.load(path, extra_files=extra)
    signature = msgspec.json.decode(extra[_NAMES], type=_Signature)
    return Program(exported, signature.inputs, signature.outputs)
