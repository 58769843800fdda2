"""A model as the user names it: files, edgekit's own form, embedded models, hub ids, and names that mean nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from edgekit.errors import InputError, TargetMissing, UsageError
from edgekit.mobilenet.checkpoint import Checkpoint, imagenet_preprocessing, open_checkpoint, read_labels, save_checkpoint
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.overrides import Overrides
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.preprocessing import Preprocessing

MakeNetwork = Callable[[MobileNetSpec], MobileNet]
SPEC = MobileNetSpec("v3_small", 0.35, 32, input_channels=1, classes=3, padding="same", norm_eps=0.002)
PREPROCESSING = Preprocessing("L", (0.3,), (0.4,), resize=(32, 32), resample="box")
LABELS = ("null", "eins", "zwei ½")


@pytest.fixture(scope="module")
def network(make_network: MakeNetwork) -> MobileNet:
    return make_network(SPEC)


@pytest.fixture
def own_file(network: MobileNet, tmp_path: Path) -> Path:
    path = tmp_path / "mine.safetensors"
    save_checkpoint(path, network, preprocessing=PREPROCESSING, labels=LABELS, recipe="by hand")
    return path


@pytest.fixture
def torchvision_file(
    make_network: MakeNetwork, published_tensors: Callable[[MobileNet, str], Mapping[str, Tensor]], tmp_path: Path
) -> Path:
    path = tmp_path / "mobilenet_v2-0.pth"
    torch.save(dict(published_tensors(make_network(MobileNetSpec("v2", 0.5, 32, classes=4)), "torchvision")), path)
    return path


def rewrite_metadata(path: Path, metadata: str) -> None:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    save_file(tensors, path, metadata={"edgekit": metadata})


def test_own_form_carries_everything(own_file: Path, network: MobileNet) -> None:
    checkpoint = open_checkpoint(str(own_file))
    assert (checkpoint.spec, checkpoint.preprocessing, checkpoint.labels) == (SPEC, PREPROCESSING, LABELS)
    assert (checkpoint.name, checkpoint.source) == ("mine", str(own_file))
    assert checkpoint.sha256 == sha256(own_file.read_bytes()).hexdigest()
    loaded = checkpoint.network().state_dict()
    for name, tensor in network.state_dict().items():
        assert name.endswith("num_batches_tracked") or torch.equal(loaded[name], tensor), name


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "{}",
        "[1]",
        '{"spec": {"version": "v9"}, "preprocessing": {}, "labels": []}',
        '{"spec": {"version": "v1", "width": -1}, "preprocessing": {"color": "L", "mean": [0], "std": [1]}, "labels": []}',
    ],
)
def test_own_form_with_broken_metadata_is_an_input_error(metadata: str, own_file: Path) -> None:
    rewrite_metadata(own_file, metadata)
    with pytest.raises(InputError, match="edgekit metadata is broken"):
        open_checkpoint(str(own_file))


def test_own_form_with_too_many_labels_is_an_input_error(own_file: Path) -> None:
    with safe_open(own_file, framework="pt") as file:
        metadata = json.loads(file.metadata()["edgekit"])
    rewrite_metadata(own_file, json.dumps({**metadata, "labels": ["a", "b", "c", "d"]}))
    with pytest.raises(InputError, match="names 4 labels for a model of 3 classes"):
        open_checkpoint(str(own_file))


def test_a_bare_state_dict_gets_the_usual_preprocessing(torchvision_file: Path) -> None:
    checkpoint = open_checkpoint(str(torchvision_file))
    assert checkpoint.spec == MobileNetSpec("v2", 0.5, 224, classes=4)
    assert (checkpoint.preprocessing.shortest_edge, checkpoint.preprocessing.crop) == (256, (224, 224))
    assert checkpoint.preprocessing.mean == (0.485, 0.456, 0.406)
    assert checkpoint.labels == ()


def test_a_grey_model_gets_one_mean() -> None:
    preprocessing = imagenet_preprocessing(MobileNetSpec("v1", input_channels=1))
    assert (preprocessing.color, len(preprocessing.mean), len(preprocessing.std)) == ("L", 1, 1)


@pytest.mark.parametrize(("resolution", "edge"), [(224, 256), (192, 219), (32, 37)])
def test_resolution_of_a_bare_state_dict_is_the_users(resolution: int, edge: int, torchvision_file: Path) -> None:
    checkpoint = open_checkpoint(str(torchvision_file), Overrides(resolution=resolution))
    assert checkpoint.spec.resolution == resolution
    assert (checkpoint.preprocessing.shortest_edge, checkpoint.preprocessing.crop) == (edge, (resolution, resolution))


def test_a_width_that_no_library_publishes_must_be_said(
    make_network: MakeNetwork, published_tensors: Callable[[MobileNet, str], Mapping[str, Tensor]], tmp_path: Path
) -> None:
    odd = make_network(MobileNetSpec("v2", 0.62, 32, classes=4))
    torch.save(dict(published_tensors(odd, "torchvision")), tmp_path / "odd.pth")
    with pytest.raises(InputError, match="does not fit"):
        open_checkpoint(str(tmp_path / "odd.pth")).network()
    assert open_checkpoint(str(tmp_path / "odd.pth"), Overrides(width=0.62)).network().spec.width == 0.62


def test_a_wrong_width_is_refused_when_the_network_is_built(torchvision_file: Path) -> None:
    with pytest.raises(InputError, match=r"does not fit mobilenet_v2_1\.0_224"):
        open_checkpoint(str(torchvision_file), Overrides(width=1.0)).network()


def test_an_override_that_makes_no_sense_is_the_users_mistake(torchvision_file: Path) -> None:
    with pytest.raises(UsageError, match="resolution must be between"):
        open_checkpoint(str(torchvision_file), Overrides(resolution=5))


def test_resized_preprocessing_follows_the_resolution(own_file: Path) -> None:
    assert open_checkpoint(str(own_file), Overrides(resolution=48)).preprocessing == replace(PREPROCESSING, resize=(48, 48))


def test_a_label_file_of_another_length_is_named(torchvision_file: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("one\ntwo\n")
    with pytest.raises(InputError, match=r"labels\.txt names 2 labels for a model of 4 classes"):
        open_checkpoint(str(torchvision_file), Overrides(labels=str(labels)))


def test_labels_are_utf8_one_a_line(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes("Käse\r\nBrot\n".encode())
    assert read_labels(tmp_path / "labels.txt") == ("Käse", "Brot")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_labels_that_cannot_be_read(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read the labels in .*labels\.txt"):
        read_labels(path)


@pytest.mark.parametrize("source", ["nothing", "./nothing/here", "/no/such/model.pth", "a/b/c", ""])
def test_a_name_that_means_nothing(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        open_checkpoint(source)


def test_a_name_that_means_nothing_is_told_what_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no such model: nothing\. Give a folder .* or an embedded model \(digits\)"):
        open_checkpoint("nothing")


def test_an_embedded_model_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    digits: Checkpoint = open_checkpoint("digits")
    assert (digits.name, digits.source, len(digits.labels)) == ("digits", "digits", 10)


def test_a_folder_called_like_an_embedded_model_is_given_as_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gets another model because of what lies around in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert len(open_checkpoint("digits").labels) == 10
    for path in ("./digits", str(tmp_path / "digits")):
        with pytest.raises(InputError, match=r"digits has no model\.safetensors"):
            open_checkpoint(path)


def test_a_hub_id_without_a_network_is_a_network_error(tmp_path: Path) -> None:
    """In a process of its own: huggingface_hub reads HF_HUB_OFFLINE when it is imported."""
    pytest.importorskip("huggingface_hub")
    code = (
        "import sys\n"
        "from edgekit.errors import NetworkError\n"
        "from edgekit.mobilenet.checkpoint import open_checkpoint\n"
        "for source in sys.argv[1:]:\n"
        "    try: open_checkpoint(source)\n"
        "    except NetworkError as error: print(error)\n"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-c", code, "google/no-such-model", "hf://google/no-such-model"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("google/no-such-model is no local path, and the Hugging Face hub did not give it") == 2


def test_without_huggingface_hub_a_hub_id_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(TargetMissing, match=r'pip install "edgekit\[hub\]"'):
        open_checkpoint("google/no-such-model")


@pytest.mark.parametrize("source", ["hf://", "hf://../../etc", "hf://a/b/c", "hf://-/x"])
def test_what_cannot_be_a_hub_id_is_a_usage_error(source: str) -> None:
    with pytest.raises(UsageError, match="OWNER/NAME"):
        open_checkpoint(source)


def test_the_folder_of_edgekits_own_file_is_a_model(network: MobileNet, tmp_path: Path) -> None:
    """What `edgekit train digits --output DIR` leaves."""
    preprocessing = Preprocessing("RGB", mean=(0.5,) * 3, std=(0.5,) * 3, resize=(32, 32))
    save_checkpoint(tmp_path / "model.safetensors", network, preprocessing=preprocessing, labels=())
    checkpoint = open_checkpoint(str(tmp_path))
    assert (checkpoint.name, checkpoint.source) == (tmp_path.name, str(tmp_path))
    assert checkpoint.preprocessing == preprocessing
