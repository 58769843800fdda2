"""config.json and preprocessor_config.json of transformers, and timm's config.json, each with what it may not ask for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from edgekit.errors import InputError
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.overrides import Overrides
from edgekit.mobilenet.spec import MobileNetSpec

MakeNetwork = Callable[[MobileNetSpec], MobileNet]
PublishedTensors = Callable[[MobileNet, str], Mapping[str, Tensor]]

SPECS = {
    "v1": MobileNetSpec("v1", 0.25, 32, classes=4, padding="same", norm_eps=1e-3),
    "v2": MobileNetSpec("v2", 0.35, 32, classes=4, padding="same", norm_eps=1e-3),
}
CONFIG: dict[str, Any] = {
    "architectures": ["MobileNetV2ForImageClassification"],
    "classifier_dropout_prob": 0.8,
    "depth_divisible_by": 8,
    "depth_multiplier": 0.35,
    "expand_ratio": 6,
    "finegrained_output": True,
    "first_layer_is_expansion": True,
    "hidden_act": "relu6",
    "id2label": {"0": "background", "1": "cat", "2": "dog", "3": "tench, Tinca tinca"},
    "image_size": 32,
    "initializer_range": 0.02,
    "label2id": {"background": 0, "cat": 1, "dog": 2, "tench, Tinca tinca": 3},
    "layer_norm_eps": 0.001,
    "min_depth": 8,
    "model_type": "mobilenet_v2",
    "num_channels": 3,
    "output_stride": 32,
    "semantic_loss_ignore_index": 255,
    "tf_padding": True,
    "torch_dtype": "float32",
    "transformers_version": "4.25.0.dev0",
}
PROCESSOR: dict[str, Any] = {
    "crop_size": {"height": 32, "width": 32},
    "do_center_crop": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "MobileNetV2ImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 36},
}
TIMM: dict[str, Any] = {
    "architecture": "mobilenetv2_035",
    "num_classes": 4,
    "num_features": 1280,
    "pretrained_cfg": {
        "tag": "ra_in1k",
        "input_size": [3, 32, 32],
        "fixed_input_size": False,
        "interpolation": "bicubic",
        "crop_pct": 0.875,
        "crop_mode": "center",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "pool_size": [1, 1],
    },
}


@pytest.fixture
def folder(tmp_path: Path, make_network: MakeNetwork, published_tensors: PublishedTensors) -> Path:
    """A folder as transformers writes it for a MobileNetV2 of width 0.35."""
    save_file(dict(published_tensors(make_network(SPECS["v2"]), "huggingface")), tmp_path / "model.safetensors")
    write(tmp_path, CONFIG, PROCESSOR)
    return tmp_path


@pytest.fixture
def timm_folder(tmp_path: Path, make_network: MakeNetwork, published_tensors: PublishedTensors) -> Path:
    save_file(dict(published_tensors(make_network(SPECS["v2"]), "timm")), tmp_path / "model.safetensors")
    write(tmp_path, TIMM)
    return tmp_path


def write(folder: Path, config: dict[str, Any], processor: dict[str, Any] | None = None) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    if processor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_folder_of_transformers_opens(
    version: str, tmp_path: Path, make_network: MakeNetwork, published_tensors: PublishedTensors
) -> None:
    spec, original = SPECS[version], make_network(SPECS[version])
    save_file(dict(published_tensors(original, "huggingface")), tmp_path / "model.safetensors")
    write(tmp_path, {**CONFIG, "model_type": f"mobilenet_{version}", "depth_multiplier": spec.width}, PROCESSOR)
    checkpoint = open_checkpoint(str(tmp_path))
    image = torch.randn(1, 3, 32, 32)
    assert (checkpoint.spec, checkpoint.name) == (spec, tmp_path.name)
    with torch.no_grad():
        torch.testing.assert_close(checkpoint.network()(image), original(image))


def test_labels_are_in_the_order_of_the_outputs(folder: Path) -> None:
    shuffled = dict(sorted(CONFIG["id2label"].items(), reverse=True))
    write(folder, {**CONFIG, "id2label": shuffled})
    assert open_checkpoint(str(folder)).labels == ("background", "cat", "dog", "tench, Tinca tinca")


@pytest.mark.parametrize("id2label", [{}, {str(i): f"LABEL_{i}" for i in range(4)}])
def test_placeholders_are_no_labels(id2label: dict[str, str], folder: Path) -> None:
    write(folder, {**CONFIG, "id2label": id2label})
    assert open_checkpoint(str(folder)).labels == ()


def test_too_few_labels_are_an_input_error(folder: Path) -> None:
    write(folder, {**CONFIG, "id2label": {"0": "cat", "1": "dog"}})
    with pytest.raises(InputError, match="names 2 labels for a model of 4 classes"):
        open_checkpoint(str(folder))


def test_preprocessing_is_the_processors(folder: Path) -> None:
    preprocessing = open_checkpoint(str(folder)).preprocessing
    assert (preprocessing.color, preprocessing.resample) == ("RGB", "bilinear")
    assert (preprocessing.shortest_edge, preprocessing.resize, preprocessing.crop) == (36, None, (32, 32))
    assert (preprocessing.mean, preprocessing.std) == ((0.5,) * 3, (0.5,) * 3)
    assert preprocessing.scale == pytest.approx(1 / 255)


@pytest.mark.parametrize(
    ("changed", "field", "expected"),
    [
        ({"size": {"height": 40, "width": 48}}, "resize", (40, 48)),
        ({"do_resize": False}, "shortest_edge", None),
        ({"do_center_crop": False, "size": {"height": 32, "width": 32}}, "crop", None),
        ({"do_rescale": False}, "scale", 1.0),
        ({"do_normalize": False}, "mean", (0.0,) * 3),
        ({"do_normalize": False}, "std", (1.0,) * 3),
        ({"resample": 3}, "resample", "bicubic"),
        ({"resample": 0}, "resample", "nearest"),
        ({"resample": 1}, "resample", "lanczos"),
    ],
)
def test_each_switch_of_the_processor(changed: dict[str, Any], field: str, expected: object, folder: Path) -> None:
    write(folder, CONFIG, {**PROCESSOR, **changed})
    assert getattr(open_checkpoint(str(folder)).preprocessing, field) == expected


def test_input_size_is_the_crop(folder: Path) -> None:
    write(folder, {**CONFIG, "image_size": 224}, {**PROCESSOR, "crop_size": {"height": 48, "width": 48}})
    assert open_checkpoint(str(folder)).spec.resolution == 48


@pytest.mark.parametrize(
    ("changed", "field", "expected"),
    [
        ({"tf_padding": False}, "padding", "symmetric"),
        ({"layer_norm_eps": 1e-5}, "norm_eps", 1e-5),
        ({"hidden_act": "relu"}, "v1_v2_activation", "relu"),
    ],
)
def test_what_leaves_no_trace_in_the_tensors_is_the_configs(
    changed: dict[str, Any], field: str, expected: object, folder: Path
) -> None:
    write(folder, {**CONFIG, **changed})
    assert getattr(open_checkpoint(str(folder)).spec, field) == expected


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"depth_divisible_by": 4}, "depth_divisible_by = 4"),
        ({"min_depth": 16}, "min_depth = 16"),
        ({"expand_ratio": 4}, r"expand_ratio = 4(\.0)?:"),
        ({"output_stride": 16}, "output_stride = 16"),
        ({"first_layer_is_expansion": False}, "first_layer_is_expansion = False"),
        ({"finegrained_output": False}, "finegrained_output = False"),
        ({"hidden_act": "gelu"}, "hidden_act = 'gelu'"),
        ({"model_type": "vit"}, "is of a 'vit'"),
        ({"model_type": "mobilenet_v1"}, "is of a mobilenet_v1, and the tensors are of a MobileNet v2"),
        ({"architectures": ["MobileNetV2ForSemanticSegmentation"]}, "MobileNetV2ForSemanticSegmentation"),
        ({"depth_multiplier": "wide"}, "config.json cannot be read"),
        ({"depth_multiplier": -1}, "width must be greater than 0"),
        ({"layer_norm_eps": 0}, "norm_eps must be greater than 0"),
    ],
)
def test_a_config_that_asks_for_another_network_is_refused_by_name(changed: dict[str, Any], message: str, folder: Path) -> None:
    write(folder, {**CONFIG, **changed})
    with pytest.raises(InputError, match=message):
        open_checkpoint(str(folder))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"resample": 6}, "resample = 6"),
        ({"image_mean": [0.5]}, "needs 3 values"),
        ({"image_std": [0.5, 0.0, 0.5]}, "none of the latter 0"),
        ({"crop_size": {"height": 32, "width": 48}}, "not square"),
        ({"crop_size": {"height": 0, "width": 0}}, "preprocessor_config.json cannot be read"),
        ({"crop_size": {"height": 10**6, "width": 10**6}}, "preprocessor_config.json cannot be read"),
        ({"size": "large"}, "preprocessor_config.json cannot be read"),
    ],
)
def test_a_processor_that_makes_no_sense_is_refused(changed: dict[str, Any], message: str, folder: Path) -> None:
    write(folder, CONFIG, {**PROCESSOR, **changed})
    with pytest.raises(InputError, match=message):
        open_checkpoint(str(folder))


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_missing_file_is_named(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"has no {name}"):
        open_checkpoint(str(folder))


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe{}", b"[" * 100_000])
def test_broken_json_is_named(name: str, content: bytes, folder: Path) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        open_checkpoint(str(folder))


def test_a_truncated_tensors_file_is_an_input_error(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        open_checkpoint(str(folder))


def test_a_folder_of_timm_opens(timm_folder: Path) -> None:
    checkpoint = open_checkpoint(str(timm_folder))
    assert checkpoint.spec == MobileNetSpec("v2", 0.35, 32, classes=4)
    preprocessing = checkpoint.preprocessing
    assert (preprocessing.resample, preprocessing.shortest_edge, preprocessing.crop) == ("bicubic", 36, (32, 32))
    assert preprocessing.std == (0.229, 0.224, 0.225)
    checkpoint.network()


def test_timms_tf_models_pad_as_tensorflow_does(timm_folder: Path) -> None:
    write(timm_folder, {**TIMM, "architecture": "tf_mobilenetv2_035"})
    spec = open_checkpoint(str(timm_folder)).spec
    assert (spec.padding, spec.norm_eps) == ("same", 1e-3)


def test_timms_labels_must_be_as_many_as_its_classes(timm_folder: Path) -> None:
    write(timm_folder, {**TIMM, "label_names": ["a", "b", "c", "d"]})
    assert open_checkpoint(str(timm_folder)).labels == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"input_size": [3, 32, 48]}, "not square"),
        ({"interpolation": "random"}, "interpolation = 'random'"),
        ({"input_size": [3, 32]}, "config.json cannot be read"),
        ({"crop_pct": 0}, "crop_pct"),
        ({"mean": [0.5]}, "mean"),
        ({"std": [0.0, 1.0, 1.0]}, "std"),
    ],
)
def test_a_timm_config_that_makes_no_sense_is_refused(changed: dict[str, Any], message: str, timm_folder: Path) -> None:
    write(timm_folder, {**TIMM, "pretrained_cfg": {**TIMM["pretrained_cfg"], **changed}})
    with pytest.raises(InputError, match=message):
        open_checkpoint(str(timm_folder))


def test_overrides_win_over_the_files(folder: Path) -> None:
    labels = folder / "labels.txt"
    labels.write_text("eins\nzwei\ndrei\nvier\n", "utf-8")
    overrides = Overrides(resolution=64, padding="symmetric", norm_eps=1e-4, labels=str(labels))
    checkpoint = open_checkpoint(str(folder), overrides)
    assert (checkpoint.spec.resolution, checkpoint.spec.padding, checkpoint.spec.norm_eps) == (64, "symmetric", 1e-4)
    assert checkpoint.labels == ("eins", "zwei", "drei", "vier")
    assert (checkpoint.preprocessing.shortest_edge, checkpoint.preprocessing.crop) == (72, (64, 64))
