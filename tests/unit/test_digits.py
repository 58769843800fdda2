"""The embedded model and the shipped pictures are what their docstrings claim."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from edgekit import digits, photographs
from edgekit.digits import recipe
from edgekit.errors import OutputError, TargetMissing, UsageError
from edgekit.mobilenet.checkpoint import Checkpoint, open_checkpoint
from edgekit.preprocessing import read_image

FILE = resources.files("edgekit.digits") / "model.safetensors"


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return open_checkpoint("digits")


@pytest.fixture
def own_metadata() -> dict[str, Any]:
    with resources.as_file(FILE) as path, safe_open(path, framework="pt") as file:
        metadata: dict[str, Any] = json.loads(file.metadata()["edgekit"])
    return metadata


def test_embedded_model_carries_spec_preprocessing_and_labels(checkpoint: Checkpoint) -> None:
    assert checkpoint.name == "digits"
    assert checkpoint.spec == recipe.SPEC
    assert checkpoint.preprocessing == recipe.PREPROCESSING
    assert checkpoint.labels == tuple("0123456789")


def test_embedded_model_is_small() -> None:
    with resources.as_file(FILE) as path:
        assert path.stat().st_size < 1_500_000


def test_accuracy_on_held_out_pictures_is_as_claimed(checkpoint: Checkpoint, own_metadata: dict[str, Any]) -> None:
    pictures, labels = digits.held_out()
    claim = re.search(r"(\d+) of 360 held-out pictures right", own_metadata["recipe"])
    assert claim, own_metadata["recipe"]
    correct = recipe.count_correct(checkpoint.network(), pictures, labels)
    assert correct == int(claim[1])
    assert correct / len(labels) >= 0.98
    assert f"{correct} of the 360 held-out pictures" in " ".join((recipe.__doc__ or "").split())


def test_every_digit_is_recognised_at_least_nine_times_in_ten(checkpoint: Checkpoint) -> None:
    pictures, labels = digits.held_out()
    network = checkpoint.network()
    for digit in range(10):
        chosen = labels == digit
        assert recipe.count_correct(network, pictures[chosen], labels[chosen]) >= 0.9 * chosen.sum(), digit


def test_a_picture_read_from_a_file_gives_the_same_input(tmp_path: Path) -> None:
    from PIL import Image

    pictures, _ = digits.held_out()
    Image.fromarray(pictures[0]).save(tmp_path / "digit.png")
    np.testing.assert_array_equal(recipe.PREPROCESSING.tensor(tmp_path / "digit.png"), recipe.input_tensor(pictures[:1]).numpy())


def test_logits_depend_on_the_input(checkpoint: Checkpoint) -> None:
    pictures, _ = digits.held_out()
    with torch.no_grad():
        logits = checkpoint.network()(recipe.input_tensor(pictures[:50]))
    assert torch.isfinite(logits).all()
    assert torch.unique(logits, dim=0).shape[0] == 50
    assert (logits.std(0) > 0.5).all()


def test_batch_norm_statistics_were_measured(checkpoint: Checkpoint) -> None:
    norms = {name: m for name, m in checkpoint.network().named_modules() if isinstance(m, nn.BatchNorm2d)}
    assert len(norms) == 34
    for name, norm in norms.items():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.running_mean.abs().max() > 1e-3, name
        assert (norm.running_var - 1).abs().max() > 1e-3, name
        # a variance of 0 is a dead channel: a few are no harm, a dead layer is
        assert (norm.running_var > 1e-6).float().mean() > 0.5, name


def test_batch_norm_statistics_are_those_of_the_data(checkpoint: Checkpoint) -> None:
    """In training mode a norm uses the batch's own statistics: the stored ones must give nearly the same answers."""
    pictures, _ = digits.held_out()
    network = checkpoint.network()
    with torch.no_grad():
        stored = network(recipe.input_tensor(pictures))
        fresh = network.train()(recipe.input_tensor(pictures))
    assert (stored.argmax(1) == fresh.argmax(1)).float().mean() > 0.97


def test_folded_scales_fit_in_float16(checkpoint: Checkpoint) -> None:
    for name, norm in checkpoint.network().named_modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_var is not None
            assert (norm.weight.abs() / (norm.running_var + norm.eps).sqrt()).max() < 1000, name


def test_held_out_pictures_are_well_formed() -> None:
    pictures, labels = digits.held_out()
    assert (pictures.dtype.name, pictures.shape) == ("uint8", (360, 8, 8))
    assert (labels.dtype.name, labels.shape) == ("uint8", (360,))
    assert (pictures.min(), pictures.max()) == (0, 255)
    assert np.bincount(labels).tolist() == [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]
    assert len(np.unique(pictures, axis=0)) == 360


def test_held_out_pictures_are_the_split_and_were_not_trained_on() -> None:
    pytest.importorskip("sklearn")
    split = recipe.load_split()
    pictures, labels = digits.held_out()
    np.testing.assert_array_equal(pictures, split.held_out_pictures)
    np.testing.assert_array_equal(labels, split.held_out_labels)
    assert len(split.pictures) == len(split.labels) == 1797 - 360
    assert not {picture.tobytes() for picture in pictures} & {picture.tobytes() for picture in split.pictures}


def test_preprocessing_centres_the_training_pictures() -> None:
    pytest.importorskip("sklearn")
    images = recipe.input_tensor(recipe.load_split().pictures)
    assert abs(float(images.mean())) < 0.01
    assert abs(float(images.std()) - 1) < 0.01


def test_without_scikit_learn_training_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(TargetMissing, match=r'pip install "edgekit\[train\]"'):
        recipe.train(seed=0)


def test_no_epochs_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="at least 1, not 0"):
        recipe.train(seed=0, epochs=0)


def test_written_model_opens_again_and_an_unwritable_place_is_an_output_error(tmp_path: Path, checkpoint: Checkpoint) -> None:
    pictures, labels = digits.held_out()
    trained = recipe.TrainedDigits(checkpoint.network(), recipe.Split(pictures[:2], labels[:2], pictures, labels), 7, 3, 90, 1.5)
    assert trained.accuracy == 0.25
    model, held_out = trained.write(tmp_path / "new" / "folder")
    assert held_out.name == digits.HELD_OUT_FILE
    again = open_checkpoint(str(model))
    assert (again.spec, again.labels) == (checkpoint.spec, checkpoint.labels)
    for name, tensor in checkpoint.tensors.items():
        assert torch.equal(again.tensors[name], tensor), name
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write the trained model"):
        trained.write(tmp_path / "file" / "folder")


def test_importing_the_shipped_data_imports_nothing_heavy() -> None:
    code = (
        "import sys, edgekit.digits, edgekit.photographs; edgekit.digits.held_out(); edgekit.photographs.paths(); "
        "heavy = {'torch', 'sklearn', 'safetensors'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_photographs_are_small_colour_jpegs() -> None:
    assert [path.name for path in photographs.paths()] == ["astronaut.jpg", "chelsea.jpg", "coffee.jpg", "rocket.jpg"]
    for path in photographs.paths():
        image = read_image(path)
        assert (image.mode, min(image.size)) == ("RGB", 256)
        assert path.stat().st_size < 40_000
        channels = np.asarray(image).reshape(-1, 3).astype(np.float64)
        assert (channels.std(0) > 20).all()
        assert not np.array_equal(channels[:, 0], channels[:, 2])


def test_every_photograph_has_a_licence() -> None:
    licences = resources.files(photographs.__name__).joinpath("LICENSES.md").read_text("utf-8")
    for path in photographs.paths():
        assert f"`{path.name}`" in licences
