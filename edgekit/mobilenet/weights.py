"""Checkpoint files -> a network with every tensor filled in, or an error that names the first tensor that does not fit.

Nothing in a checkpoint is ever executed: `.safetensors`, or `.pth` through `torch.load(weights_only=True)`.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from edgekit.errors import InputError
from edgekit.mobilenet.layouts import LAYOUTS, recognise
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.spec import MobileNetSpec

PUBLISHED_WIDTHS = (1.0, 0.25, 0.35, 0.5, 0.75, 1.1, 1.2, 1.25, 1.3, 1.4, 1.5, 2.0)
_COUNTER = ".num_batches_tracked"  # a training counter: no arithmetic of ours reads it


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read every tensor of a `.safetensors`, `.pth`, `.pt` or `.bin` file.

    Raises:
        InputError: the file is missing, truncated, not a checkpoint, or wants to run code.
    """
    if not path.is_file():
        raise InputError(f"no such checkpoint file: {path}")
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        except (SafetensorError, OSError, ValueError) as error:
            raise InputError(f"{path} is not a whole safetensors file ({error}): download or copy it again") from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _is_pickle(path):
            raise InputError(f"{path} is not a PyTorch checkpoint: download or copy it again") from error
        raise InputError(
            f"{path} holds more than tensors: loading it would run Python code, so edgekit does not. "
            "Save its state_dict() alone, or as .safetensors"
        ) from error
    except (
        # what torch's reader raises for a damaged file
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        AssertionError,
        struct.error,
    ) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(f"{path} is not a PyTorch checkpoint ({reason})") from error
    return _state_dict(content, path)


def _is_pickle(path: Path) -> bool:
    """Whether a file begins as torch.save's do, with a zip archive or a pickle: a web page or a Git LFS pointer does not."""
    with path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    """Unwrap what training scripts save: {"state_dict": ...}, {"model": ...}, and DataParallel's "module." prefix."""
    for key in ("state_dict_ema", "state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping):
        raise InputError(f"{path} holds a {type(content).__name__}, not a state dict")
    tensors = {str(k).removeprefix("module."): v for k, v in content.items() if isinstance(v, Tensor)}
    if not tensors:
        raise InputError(f"{path} holds no tensors")
    return tensors


def infer_spec(tensors: Mapping[str, Tensor], *, width: float | None = None, resolution: int = 224) -> MobileNetSpec:
    """Work out version, width, input channels and classes from names and shapes.

    Padding, epsilon and rectifier leave no trace in the tensors: they are those of the layout's own library.

    Raises:
        InputError: the names belong to no MobileNet edgekit knows, or the stem or classifier is missing.
    """
    layout, version = recognise(set(tensors))
    spec = MobileNetSpec(
        version,
        resolution=resolution,
        padding="same" if layout == "huggingface" else "symmetric",
        norm_eps=1e-3 if layout == "huggingface" or (layout == "torchvision" and version.startswith("v3")) else 1e-5,
    )
    theirs = dict(LAYOUTS[layout](spec))
    try:
        stem, classifier = tensors[f"{theirs['stem.conv']}.weight"], tensors[f"{theirs['classifier']}.weight"]
    except KeyError as error:
        raise InputError(f"the checkpoint has no tensor {error}: edgekit converts whole classifiers") from error
    if stem.dim() != 4 or classifier.dim() < 2:
        raise InputError(
            f"the first convolution is {list(stem.shape)} and the classifier {list(classifier.shape)}: no MobileNet's"
        )
    spec = replace(spec, input_channels=stem.shape[1], classes=classifier.shape[0])
    if width is not None:
        return replace(spec, width=width)
    # The best and not only a perfect fit: one odd tensor must be reported as that, and not as a network of another width.
    misfits: dict[int, MobileNetSpec] = {}
    for candidate in PUBLISHED_WIDTHS:
        wide = replace(spec, width=candidate)
        misfits.setdefault(sum(1 for _ in _mismatches(_places(wide, layout), tensors)), wide)
        if 0 in misfits:
            break
    return misfits[min(misfits)]


def load_network(spec: MobileNetSpec, tensors: Mapping[str, Tensor], *, source: str) -> MobileNet:
    """Build the network in eval mode with float32 weights from a state dict of any known layout. Strict.

    Raises:
        InputError: naming the first tensor that is missing, left over, of another shape, or not finite.
    """
    layout, version = recognise(set(tensors))
    if version != spec.version:
        raise InputError(f"{source} holds a MobileNet {version}, but {spec.name} was asked for")
    places = _places(spec, layout)
    if problem := next(_mismatches(places, tensors), None):
        raise InputError(f"{source} does not fit {spec.name} with {spec.classes} classes: {problem}")
    state = {}
    for name, (ours, shape) in places.items():
        state[ours] = tensors[name].float().reshape(shape)
        if not torch.isfinite(state[ours]).all():
            raise InputError(f"{source}: tensor {name} has values that are not finite")
    with torch.device("meta"):
        network = MobileNet(spec)
    counters = {name: torch.tensor(0) for name in network.state_dict() if name.endswith(_COUNTER)}
    network.load_state_dict({**counters, **state}, strict=True, assign=True)
    return network.eval()


def _places(spec: MobileNetSpec, layout: str) -> dict[str, tuple[str, torch.Size]]:
    """What a checkpoint must hold: name in the file -> our name, and the shape."""
    theirs = dict(LAYOUTS[layout](spec))
    with torch.device("meta"):
        state = MobileNet(spec).state_dict()
    places = {}
    for name, tensor in state.items():
        module, _, leaf = name.rpartition(".")
        if not name.endswith(_COUNTER):
            places[f"{theirs[module]}.{leaf}"] = name, tensor.shape
    return places


def _mismatches(places: Mapping[str, tuple[str, torch.Size]], found: Mapping[str, Tensor]) -> Iterator[str]:
    for name, (_, shape) in places.items():
        if name not in found:
            yield f"tensor {name} {list(shape)} is missing"
        # timm keeps the layer after the pooling as a 1x1 convolution: the same numbers with two axes of 1 more
        elif _squeezed(found[name].shape) != _squeezed(shape):
            yield f"tensor {name} should be {list(shape)} and is {list(found[name].shape)}"
        elif not found[name].is_floating_point():
            yield f"tensor {name} should be of a float type and is {found[name].dtype}"
    for name in found:
        if name not in places and not name.endswith(_COUNTER):
            yield f"tensor {name} has no place in it"


def _squeezed(shape: torch.Size) -> tuple[int, ...]:
    return tuple(shape[:2]) if len(shape) == 4 and tuple(shape[2:]) == (1, 1) else tuple(shape)
