"""Hugging Face folders: config.json and preprocessor_config.json -> spec, preprocessing and labels.

Two libraries write them: transformers (MobileNet V1 and V2) and timm (an "architecture" and its pretrained_cfg).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from edgekit.errors import InputError, UsageError
from edgekit.mobilenet.spec import Activation, MobileNetSpec
from edgekit.mobilenet.weights import infer_spec
from edgekit.preprocessing import Preprocessing, Resample

if TYPE_CHECKING:
    from torch import Tensor

PILLOW_FILTERS: tuple[Resample, ...] = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
_Described = TypeVar("_Described")
_Pixels = Annotated[int, msgspec.Meta(ge=1, le=8192)]


@dataclass(frozen=True, slots=True)
class Description:
    """What a folder's JSON files say about its tensors."""

    spec: MobileNetSpec
    preprocessing: Preprocessing
    labels: tuple[str, ...]


class _Transformers(msgspec.Struct):
    """The fields of MobileNetV1Config and MobileNetV2Config that change shapes or arithmetic."""

    model_type: str
    architectures: list[str] = []
    depth_multiplier: float = 1.0
    depth_divisible_by: int = 8
    min_depth: int = 8
    expand_ratio: float = 6.0
    output_stride: int = 32
    first_layer_is_expansion: bool = True
    finegrained_output: bool = True
    hidden_act: str = "relu6"
    tf_padding: bool = True
    layer_norm_eps: float = 1e-3
    image_size: int = 224
    num_channels: int = 3
    id2label: dict[str, str] = {}


class _Size(msgspec.Struct):
    height: _Pixels | None = None
    width: _Pixels | None = None
    shortest_edge: _Pixels | None = None


class _Processor(msgspec.Struct):
    """MobileNetV1ImageProcessor and MobileNetV2ImageProcessor, with their defaults."""

    do_resize: bool = True
    size: _Size = msgspec.field(default_factory=lambda: _Size(shortest_edge=256))
    resample: int = 2
    do_center_crop: bool = True
    crop_size: _Size = msgspec.field(default_factory=lambda: _Size(224, 224))
    do_rescale: bool = True
    rescale_factor: float = 1 / 255
    do_normalize: bool = True
    image_mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    image_std: tuple[float, ...] = (0.5, 0.5, 0.5)


class _TimmPretrained(msgspec.Struct):
    input_size: tuple[int, int, int] = (3, 224, 224)
    interpolation: str = "bicubic"
    crop_pct: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.875
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    label_names: list[str] = []


class _Timm(msgspec.Struct):
    architecture: str
    pretrained_cfg: _TimmPretrained = msgspec.field(default_factory=_TimmPretrained)
    label_names: list[str] = []


def read_folder(folder: Path, tensors: Mapping[str, Tensor]) -> Description:
    """Read the JSON files beside a `model.safetensors`.

    Args:
        folder: has config.json, and for transformers preprocessor_config.json.
        tensors: the checkpoint's, for what the JSON does not say.

    Raises:
        InputError: a file is missing or broken, or asks for something that edgekit's MobileNet does not do.
    """
    config = folder / "config.json"
    raw = _decode(config, dict[str, Any])
    try:
        if "architecture" in raw:
            return _from_timm(_decode(config, _Timm), tensors)
        return _from_transformers(
            _decode(config, _Transformers), _decode(folder / "preprocessor_config.json", _Processor), tensors
        )
    except UsageError as error:  # the values are a file's, not the user's
        raise InputError(f"{folder}: {error}") from error


def _decode(path: Path, kind: type[_Described]) -> _Described:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError as error:
        raise InputError(f"{path.parent} has no {path.name}: a Hugging Face folder has it beside the weights") from error
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _from_transformers(config: _Transformers, processor: _Processor, tensors: Mapping[str, Tensor]) -> Description:
    if config.model_type not in ("mobilenet_v1", "mobilenet_v2"):
        raise InputError(f"config.json is of a {config.model_type!r}: edgekit reads mobilenet_v1 and mobilenet_v2")
    if config.architectures and not config.architectures[0].endswith("ForImageClassification"):
        raise InputError(f"config.json is of a {config.architectures[0]}: edgekit converts classifiers so far")
    required = {
        "depth_divisible_by": 8,
        "min_depth": 8,
        "expand_ratio": 6.0,
        "output_stride": 32,
        "first_layer_is_expansion": True,
        "finegrained_output": True,
    }
    for name, value in required.items():
        if getattr(config, name) != value:
            raise InputError(f"config.json has {name} = {getattr(config, name)}: edgekit's MobileNet has {value}")
    if config.hidden_act not in ("relu", "relu6"):
        raise InputError(f"config.json has hidden_act = {config.hidden_act!r}: edgekit's MobileNet has relu6 or relu")
    activation: Activation = "relu" if config.hidden_act == "relu" else "relu6"
    size = processor.crop_size if processor.do_center_crop else processor.size
    resolution = size.height or config.image_size
    if size.height != size.width:
        raise InputError("preprocessor_config.json asks for an input that is not square: edgekit's MobileNet is")
    spec = replace(
        infer_spec(tensors, width=config.depth_multiplier, resolution=resolution),
        input_channels=config.num_channels,
        padding="same" if config.tf_padding else "symmetric",
        norm_eps=config.layer_norm_eps,
        v1_v2_activation=activation,
    )
    if f"mobilenet_{spec.version}" != config.model_type:
        raise InputError(f"config.json is of a {config.model_type}, and the tensors are of a MobileNet {spec.version}")
    return Description(spec, _preprocessing(processor, channels=spec.input_channels), _labels(config.id2label, spec.classes))


def _preprocessing(processor: _Processor, *, channels: int) -> Preprocessing:
    size, crop = processor.size, processor.crop_size
    if not 0 <= processor.resample < len(PILLOW_FILTERS):
        raise InputError(f"preprocessor_config.json has resample = {processor.resample}: Pillow has 0 to 5")
    ones, zeros = (1.0,) * channels, (0.0,) * channels
    mean, std = (processor.image_mean, processor.image_std) if processor.do_normalize else (zeros, ones)
    if not len(mean) == len(std) == channels or 0 in std:
        raise InputError(
            f"preprocessor_config.json needs {channels} values each in image_mean and image_std, none of the latter 0"
        )
    square = (size.height, size.width) if size.height and size.width else None
    return Preprocessing(
        color="L" if channels == 1 else "RGB",
        mean=mean,
        std=std,
        resize=square if processor.do_resize else None,
        shortest_edge=size.shortest_edge if processor.do_resize else None,
        resample=PILLOW_FILTERS[processor.resample],
        crop=(crop.height, crop.width) if processor.do_center_crop and crop.height and crop.width else None,
        scale=processor.rescale_factor if processor.do_rescale else 1.0,
    )


def _labels(id2label: Mapping[str, str], classes: int) -> tuple[str, ...]:
    """In the order of the outputs. transformers writes LABEL_0, LABEL_1, ... where nobody gave names."""
    try:
        labels = tuple(id2label[str(i)] for i in range(classes))
    except KeyError:
        if not id2label:
            return ()
        raise InputError(f"config.json names {len(id2label)} labels for a model of {classes} classes") from None
    return () if labels and labels[0] == "LABEL_0" else labels


def _from_timm(config: _Timm, tensors: Mapping[str, Tensor]) -> Description:
    pretrained = config.pretrained_cfg
    channels, height, width = pretrained.input_size
    if height != width:
        raise InputError("config.json asks for an input that is not square: edgekit's MobileNet is")
    if not len(pretrained.mean) == len(pretrained.std) == channels or 0 in pretrained.std:
        raise InputError(f"config.json needs {channels} values each in mean and std, none of the latter 0")
    if pretrained.interpolation not in PILLOW_FILTERS:
        raise InputError(f"config.json has interpolation = {pretrained.interpolation!r}: Pillow has {', '.join(PILLOW_FILTERS)}")
    spec = infer_spec(tensors, resolution=height)
    if config.architecture.startswith("tf_"):  # timm's names for Google's own weights, padded as TensorFlow does
        spec = replace(spec, padding="same", norm_eps=1e-3)
    preprocessing = Preprocessing(
        color="L" if channels == 1 else "RGB",
        mean=pretrained.mean,
        std=pretrained.std,
        shortest_edge=int(height / pretrained.crop_pct),
        resample=PILLOW_FILTERS[PILLOW_FILTERS.index(pretrained.interpolation)],
        crop=(height, width),
    )
    labels = tuple(config.label_names or pretrained.label_names)
    return Description(spec, preprocessing, labels if len(labels) == spec.classes else ())
