"""A model as the user names it -> its spec, tensors, labels and preprocessing.

Four forms: a Hugging Face folder (transformers' or timm's) or hub id, a state dict file of torchvision or timm, edgekit's own
`.safetensors` with its metadata inside, and the name of an embedded model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from edgekit.document import sha256_of
from edgekit.errors import InputError, UsageError
from edgekit.mobilenet import huggingface, weights
from edgekit.mobilenet.hub import download, is_hub_id
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.overrides import Overrides
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.preprocessing import Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

EMBEDDED = ("digits",)
_METADATA_KEY = "edgekit"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model read from disk.

    Attributes:
        name: short, for file names and tables.
        source: what the user gave.
        sha256: of the tensors' file.
        spec: what to build.
        tensors: the state dict, names as in the file.
        preprocessing: what turns a picture into its input.
        labels: one per class, or empty where nobody said.
    """

    name: str
    source: str
    sha256: str
    spec: MobileNetSpec
    tensors: Mapping[str, Tensor]
    preprocessing: Preprocessing
    labels: tuple[str, ...]

    def network(self) -> MobileNet:
        """Build the network with these weights, eval mode, float32. Strict.

        Raises:
            InputError: naming the first tensor that does not fit.
        """
        return weights.load_network(self.spec, self.tensors, source=self.source)


class _OwnMetadata(msgspec.Struct, forbid_unknown_fields=True):
    """What an edgekit file says of itself."""

    spec: MobileNetSpec
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    recipe: str = ""


def open_checkpoint(source: str, overrides: Overrides | None = None) -> Checkpoint:
    """Read a model.

    Args:
        source: "digits", which is always the embedded model ("./digits" is a folder), a folder, a file, or a Hugging Face id
            ("google/mobilenet_v2_1.0_224", with or without "hf://"). Only an id that names no local path goes to the network.
        overrides: what the files do not say.

    Raises:
        InputError: nothing there, or not a MobileNet that edgekit reads.
        NetworkError: the hub was needed and could not be reached.
        UsageError: an override that contradicts itself.
    """
    overrides = overrides or Overrides()
    if source in EMBEDDED:
        with resources.as_file(resources.files("edgekit") / source / "model.safetensors") as path:
            return replace(_open_file(path, overrides), name=source, source=source)
    path = Path(source.removeprefix("hf://")).expanduser()
    if source.startswith("hf://") or (not path.exists() and is_hub_id(source)):
        path = download(source.removeprefix("hf://"))
        return replace(_open_folder(path, overrides), name=source.rpartition("/")[2], source=source)
    if path.is_dir():
        return _open_folder(path, overrides)
    if not path.exists():
        raise InputError(
            f"no such model: {source}. Give a folder with config.json and model.safetensors, a .safetensors or .pth file, "
            f"a Hugging Face id, or an embedded model ({', '.join(EMBEDDED)})"
        )
    return _open_file(path, overrides)


def save_checkpoint(
    path: Path, network: MobileNet, *, preprocessing: Preprocessing, labels: tuple[str, ...], recipe: str = ""
) -> None:
    """Write edgekit's own form: one `.safetensors` file with spec, preprocessing and labels in its header."""
    metadata = _OwnMetadata(network.spec, preprocessing, labels, recipe)
    tensors = {
        name: tensor.contiguous() for name, tensor in network.state_dict().items() if not name.endswith(".num_batches_tracked")
    }
    save_file(tensors, path, metadata={_METADATA_KEY: msgspec.json.encode(metadata).decode()})


def read_labels(path: Path) -> tuple[str, ...]:
    """Read a label file: one a line.

    Raises:
        InputError: missing, or not UTF-8 text.
    """
    try:
        return tuple(path.read_text("utf-8-sig").rstrip("\n").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the labels in {path}: {error}") from error


def _open_folder(folder: Path, overrides: Overrides) -> Checkpoint:
    file = folder / "model.safetensors"
    if not file.is_file():
        raise InputError(f"{folder} has no model.safetensors: a Hugging Face folder has it beside config.json")
    name = folder.resolve().name
    if not (folder / "config.json").exists() and _own_metadata(file):
        return replace(_open_file(file, overrides), name=name, source=str(folder))
    tensors = weights.read_tensors(file)
    described = huggingface.read_folder(folder, tensors)
    checkpoint = Checkpoint(
        name,
        str(folder),
        sha256_of(file),
        described.spec,
        tensors,
        described.preprocessing,
        described.labels,
    )
    return _overridden(checkpoint, overrides)


def _open_file(path: Path, overrides: Overrides) -> Checkpoint:
    tensors = weights.read_tensors(path)
    own = _own_metadata(path)
    if own:
        spec, preprocessing, labels = own.spec, own.preprocessing, own.labels
    else:
        resolution = overrides.resolution or 224
        spec = weights.infer_spec(tensors, width=overrides.width, resolution=resolution)
        preprocessing = imagenet_preprocessing(spec)
        labels = ()
    checkpoint = Checkpoint(path.stem, str(path), sha256_of(path), spec, tensors, preprocessing, labels)
    return _overridden(checkpoint, overrides)


def imagenet_preprocessing(spec: MobileNetSpec) -> Preprocessing:
    """torchvision's and timm's usual recipe: short side to 8/7 of the input, centre crop, ImageNet mean and deviation."""
    size, grey = spec.resolution, spec.input_channels == 1
    return Preprocessing(
        color="L" if grey else "RGB",
        mean=(0.449,) if grey else IMAGENET_MEAN,
        std=(0.226,) if grey else IMAGENET_STD,
        shortest_edge=round(size * 8 / 7),
        crop=(size, size),
    )


def _own_metadata(path: Path) -> _OwnMetadata | None:
    if path.suffix != ".safetensors":
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise InputError(f"{path} is not a whole safetensors file ({error})") from error
    if _METADATA_KEY not in metadata:
        return None
    try:
        return msgspec.json.decode(metadata[_METADATA_KEY], type=_OwnMetadata)
    except (msgspec.MsgspecError, UsageError) as error:
        raise InputError(f"{path}: its edgekit metadata is broken ({error})") from error


def _overridden(checkpoint: Checkpoint, overrides: Overrides) -> Checkpoint:
    spec, preprocessing = checkpoint.spec, checkpoint.preprocessing
    changes = {
        name: value for name in ("width", "resolution", "padding", "norm_eps") if (value := getattr(overrides, name)) is not None
    }
    if overrides.resolution and overrides.resolution != spec.resolution:
        factor, size = overrides.resolution / spec.resolution, (overrides.resolution, overrides.resolution)
        preprocessing = replace(
            preprocessing,
            resize=size if preprocessing.resize else None,
            shortest_edge=preprocessing.shortest_edge and round(preprocessing.shortest_edge * factor),
            crop=size if preprocessing.crop else None,
        )
    spec = replace(spec, **changes)
    labels = read_labels(Path(overrides.labels)) if overrides.labels else checkpoint.labels
    if labels and len(labels) != spec.classes:
        raise InputError(
            f"{overrides.labels or checkpoint.source} names {len(labels)} labels for a model of {spec.classes} classes"
        )
    return replace(checkpoint, spec=spec, preprocessing=preprocessing, labels=labels)
