"""What PyTorch answers: the truth (float64), and the yardsticks of what each precision costs anyone."""

from __future__ import annotations

import copy
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit.precision import APPROXIMATE
from edgekit.samples import Sample

if TYPE_CHECKING:
    from torch import nn
    from torch.fx import GraphModule

Outputs = dict[str, NDArray[np.floating]]
YARDSTICKS = {"float32": "float32", "float16": "float16", "stored-float16": "float16"}
"""The yardsticks, and the type of their answers. "float32" and "float16" are PyTorch's own arithmetic. "stored-float16" is the
float64 network again, with weights and every result rounded to float16: what storing float16 costs, whatever computes."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Inputs and PyTorch's answers to them, as arrays that need no torch to read.

    Attributes:
        samples: the inputs.
        float64: one dict of outputs per sample, computed in float64 from the network as trained, batch norms unfolded: a
            mistake in folding is an error like any other.
        yardsticks: the same with the rounding that no artifact can be blamed for, by the names of `YARDSTICKS`.
        approximate: the same of what stands in for the network, by precision: with compressed weights, or the int8 program.
    """

    samples: tuple[Sample, ...]
    float64: tuple[Outputs, ...]
    yardsticks: Mapping[str, tuple[Outputs, ...]]
    approximate: Mapping[str, Reference] = field(default_factory=dict)

    def of(self, precision: str) -> Reference:
        """What an artifact of this precision is judged against: other weights are another network.

        Raises:
            InputError: of a network that there are no answers of.
        """
        if precision not in APPROXIMATE:
            return self
        if precision not in self.approximate:
            raise InputError(f"the reference has no answers of the network in {precision}: convert again")
        return self.approximate[precision]


def compute_reference(
    network: nn.Module,
    output_names: Sequence[str],
    samples: Sequence[Sample],
    *,
    yardsticks: Collection[str] = tuple(YARDSTICKS),
    compressed: Collection[str] = (),
) -> Reference:
    """Run the network on every sample: as loaded, in float64 and for the yardsticks asked for, and with compressed weights."""
    import torch

    from edgekit.mobilenet.capture import fold_batch_norm
    from edgekit.mobilenet.compression import compress_network
    from edgekit.mobilenet.float16 import StoredAsFloat16

    def measure(kind: str) -> tuple[Outputs, ...]:
        dtype = YARDSTICKS[kind]
        stored = kind == "stored-float16"
        twin = StoredAsFloat16(fold_batch_norm(network)) if stored else copy.deepcopy(network).to(getattr(torch, dtype))
        return _run(twin, output_names, samples, dtype)

    measured = {kind: measure(kind) for kind in yardsticks}
    others = {
        precision: compute_reference(compress_network(network, precision), output_names, samples) for precision in compressed
    }
    exact = _run(copy.deepcopy(network).double(), output_names, samples, "float64")
    return Reference(tuple(samples), exact, measured, others)


def compute_int8_reference(module: GraphModule, output_names: Sequence[str], samples: Sequence[Sample]) -> Reference:
    """Run an int8 program on every sample: in exact arithmetic, and for the yardsticks as torch does and stored as float16.

    Args:
        module: float32 in and out, as `edgekit.quantization` makes it.
        output_names: in the order of its results.
        samples: the inputs.
    """
    from edgekit.quantization.exact import ExactInt8

    exact = _run(ExactInt8(module), output_names, samples, "float64")
    stored = _run(ExactInt8(module, stores_float16=True), output_names, samples, "float16")
    return Reference(tuple(samples), exact, {"float32": _run(module, output_names, samples, "float32"), "stored-float16": stored})


def _run(module: nn.Module, output_names: Sequence[str], samples: Sequence[Sample], dtype: str) -> tuple[Outputs, ...]:
    import torch

    # One thread: conversions run beside this, and OpenMP's threads spin while they wait for a core that is taken. Two threads on
    # two busy cores took 18 s for what one does in 0.1 s.
    torch.set_num_threads(1)
    answers = []
    with torch.no_grad():
        for sample in samples:
            out = module(torch.from_numpy(sample.image_nchw).to(getattr(torch, dtype)))
            tensors = out if isinstance(out, tuple) else (out,)
            answers.append({name: t.to(getattr(torch, dtype)).numpy() for name, t in zip(output_names, tensors, strict=True)})
    return tuple(answers)


def save_reference(reference: Reference, path: Path) -> None:
    """Write a compressed `.npz`: the pictures have at most 256 values a channel, so they shrink to a quarter."""
    arrays: dict[str, NDArray[np.generic]] = {
        "names": np.array([sample.name for sample in reference.samples]),
        "kinds": np.array([sample.kind for sample in reference.samples]),
        "images_nchw": np.concatenate([sample.image_nchw for sample in reference.samples]),
    }
    for prefix, part in {"": reference, **{f"{name}/": part for name, part in reference.approximate.items()}}.items():
        for kind, answers in {"float64": part.float64, **part.yardsticks}.items():
            for name in answers[0]:
                arrays[f"{prefix}{kind}/{name}"] = np.stack([answer[name] for answer in answers])
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # numpy's stub takes allow_pickle for a bool


def load_reference(path: Path) -> Reference:
    """Read what `save_reference` wrote. Never unpickles.

    Raises:
        InputError: missing, truncated, or not such a file.
    """
    try:
        with path.open("rb") as stream:  # opened here: numpy leaves a file open that it cannot read
            file = np.load(stream, allow_pickle=False)
            arrays = {name: file[name] for name in file.files}
        samples = tuple(
            Sample(str(name), "image" if kind == "image" else "synthetic", np.ascontiguousarray(image[None]))
            for name, kind, image in zip(arrays["names"], arrays["kinds"], arrays["images_nchw"], strict=True)
        )
        approximate = {name: _network(arrays, samples, f"{name}/") for name in APPROXIMATE if _has(arrays, name)}
        return replace(_network(arrays, samples, ""), approximate=approximate)
    except FileNotFoundError as error:
        raise InputError(f"{path.parent} has no {path.name}: it is needed to check the artifact's numbers") from error
    except (
        # what numpy, zipfile and zlib raise for a damaged archive, and ours for one of other arrays
        OSError,
        ValueError,
        LookupError,
        EOFError,
        TypeError,
        AttributeError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise InputError(f"{path} is not a whole reference file ({error}): convert again") from error


def _network(arrays: dict[str, NDArray[np.generic]], samples: tuple[Sample, ...], prefix: str) -> Reference:
    yardsticks = {kind: _answers(arrays, prefix, kind) for kind in YARDSTICKS if _has(arrays, f"{prefix}{kind}")}
    return Reference(samples, _answers(arrays, prefix, "float64"), yardsticks)


def _has(arrays: dict[str, NDArray[np.generic]], kind: str) -> bool:
    return any(name.startswith(f"{kind}/") for name in arrays)


def _answers(arrays: dict[str, NDArray[np.generic]], prefix: str, kind: str) -> tuple[Outputs, ...]:
    start = f"{prefix}{kind}/"
    stacks = {name.removeprefix(start): stack for name, stack in arrays.items() if name.startswith(start)}
    count = len(arrays["names"])
    if not count or not stacks or any(len(stack) != count for stack in stacks.values()):
        raise ValueError(f"the {kind} answers do not match {count} samples")
    dtype = np.dtype(YARDSTICKS.get(kind, kind))
    return tuple({name: np.asarray(stack[i], dtype) for name, stack in stacks.items()} for i in range(count))
