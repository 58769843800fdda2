"""Strict loading: whatever does not fit is named, and nothing in a checkpoint is ever executed."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file
from torch import Tensor

from edgekit.errors import InputError
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.mobilenet.weights import infer_spec, load_network, read_tensors

SPEC = MobileNetSpec("v2", 0.25, 32, classes=5)
EXPAND = "features.2.conv.0.0.weight"  # the first expansion in torchvision's names
SMALL = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(1)}


@pytest.fixture(scope="module")
def tensors(
    make_network: Callable[[MobileNetSpec], MobileNet], published_tensors: Callable[[MobileNet, str], Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    return dict(published_tensors(make_network(SPEC), "torchvision"))


def test_a_whole_state_dict_loads_in_eval_mode(tensors: dict[str, Tensor]) -> None:
    network = load_network(SPEC, tensors, source="file.pth")
    assert not network.training
    assert torch.equal(network.stem.conv.weight, tensors["features.0.0.weight"])


@pytest.mark.parametrize("layout", ["huggingface", "torchvision", "timm", "edgekit"])
def test_a_network_gives_the_same_answers_from_every_layout(
    layout: str,
    make_network: Callable[[MobileNetSpec], MobileNet],
    published_tensors: Callable[[MobileNet, str], Mapping[str, Tensor]],
) -> None:
    original = make_network(SPEC)
    image = torch.randn(1, 3, 32, 32)
    loaded = load_network(SPEC, published_tensors(original, layout), source=layout)
    with torch.no_grad():
        torch.testing.assert_close(loaded(image), original(image))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_become_float32(dtype: torch.dtype, tensors: dict[str, Tensor]) -> None:
    network = load_network(SPEC, {name: tensor.to(dtype) for name, tensor in tensors.items()}, source="file.pth")
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({EXPAND: None}, r"tensor features\.2\.conv\.0\.0\.weight \[48, 8, 1, 1\] is missing"),
        ({"features.7.extra": torch.ones(1)}, r"tensor features\.7\.extra has no place"),
        ({EXPAND: torch.ones(47, 8, 1, 1)}, r"features\.2\.conv\.0\.0\.weight should be \[48, 8, 1, 1\] and is \[47, 8, 1, 1\]"),
        ({EXPAND: torch.ones(48, 8)[:, :, None]}, r"features\.2\.conv\.0\.0\.weight should be .* and is \[48, 8, 1\]"),
        ({EXPAND: torch.ones(48, 8, 1, 1, dtype=torch.int32)}, r"features\.2\.conv\.0\.0\.weight should be of a float type"),
        ({EXPAND: torch.ones(48, 8, 1, 1, dtype=torch.complex64)}, r"features\.2\.conv\.0\.0\.weight should be of a float type"),
        ({EXPAND: torch.full((48, 8, 1, 1), float("nan"))}, r"features\.2\.conv\.0\.0\.weight has values that are not finite"),
        ({EXPAND: torch.full((48, 8, 1, 1), float("inf"))}, r"features\.2\.conv\.0\.0\.weight has values that are not finite"),
        ({"features.2.conv.0.1.running_mean": None}, r"features\.2\.conv\.0\.1\.running_mean \[48\] is missing"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named(
    change: dict[str, Tensor | None], message: str, tensors: dict[str, Tensor]
) -> None:
    changed = {name: tensor for name, tensor in {**tensors, **change}.items() if tensor is not None}
    with pytest.raises(InputError, match=message):
        load_network(SPEC, changed, source="file.pth")


def test_of_two_misfits_the_first_in_order_is_named(tensors: dict[str, Tensor]) -> None:
    changed = {**tensors, "classifier.1.bias": torch.ones(9)}
    del changed[EXPAND]
    with pytest.raises(InputError, match=r"features\.2\.conv\.0\.0\.weight"):
        load_network(SPEC, changed, source="file.pth")


def test_an_extra_tensor_is_refused_even_under_one_of_our_own_names(tensors: dict[str, Tensor]) -> None:
    """Our "classifier" is torchvision's "classifier.1": the stranger must not take its place, nor be overlooked."""
    with pytest.raises(InputError, match=r"classifier\.weight"):
        load_network(SPEC, {**tensors, "classifier.weight": torch.zeros(5, 1280)}, source="file.pth")


def test_a_float64_value_too_large_for_float32_is_refused(tensors: dict[str, Tensor]) -> None:
    changed = {**tensors, EXPAND: torch.full((48, 8, 1, 1), 1e300, dtype=torch.float64)}
    with pytest.raises(InputError, match=r"features\.2\.conv\.0\.0\.weight"):
        load_network(SPEC, changed, source="file.pth")


def test_a_float8_tensor_is_refused_or_read_but_does_not_crash(tensors: dict[str, Tensor]) -> None:
    changed = {**tensors, EXPAND: tensors[EXPAND].to(torch.float8_e4m3fn)}
    try:
        load_network(SPEC, changed, source="file.pth")
    except InputError as error:
        assert "blocks.1.expand.conv.weight" in str(error)  # noqa: PT017 (either outcome is right)


def test_the_counters_of_training_are_ignored(tensors: dict[str, Tensor]) -> None:
    load_network(SPEC, {**tensors, "features.0.1.num_batches_tracked": torch.tensor(9)}, source="file.pth")


def test_another_version_than_the_tensors_is_refused(tensors: dict[str, Tensor]) -> None:
    with pytest.raises(InputError, match=r"holds a MobileNet v2, but mobilenet_v1_0\.25_32 was asked for"):
        load_network(MobileNetSpec("v1", 0.25, 32, classes=5), tensors, source="file.pth")


def test_another_width_than_the_tensors_is_refused(tensors: dict[str, Tensor]) -> None:
    with pytest.raises(InputError, match=r"does not fit mobilenet_v2_1\.0_32 with 5 classes: tensor features\.0\.0\.weight"):
        load_network(MobileNetSpec("v2", 1.0, 32, classes=5), tensors, source="file.pth")


@pytest.mark.parametrize("shape", [(), (5,)])
def test_a_stem_of_too_few_axes_is_an_input_error(shape: tuple[int, ...], tensors: dict[str, Tensor]) -> None:
    with pytest.raises(InputError):
        infer_spec({**tensors, "features.0.0.weight": torch.ones(shape)})


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensors: tensors,
        lambda tensors: {"state_dict": tensors, "epoch": 3},
        lambda tensors: {"model": tensors},
        lambda tensors: {"state_dict_ema": tensors, "state_dict": {"old": torch.zeros(1)}},
        lambda tensors: {f"module.{name}": tensor for name, tensor in tensors.items()},
        lambda tensors: {"state_dict": {f"module.{name}": tensor for name, tensor in tensors.items()}},
    ],
    ids=["bare", "state_dict", "model", "ema", "DataParallel", "both"],
)
def test_what_training_scripts_wrap_around_is_taken_off(suffix: str, wrap: Callable[[Any], Any], tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    torch.save(wrap(SMALL), path)
    found = read_tensors(path)
    assert found.keys() == SMALL.keys()
    assert all(torch.equal(found[name], SMALL[name]) for name in SMALL)


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(SMALL, tmp_path / "model.safetensors")
    found = read_tensors(tmp_path / "model.safetensors")
    assert all(torch.equal(found[name], SMALL[name]) for name in SMALL)


class Bomb:
    """Unpickling this writes a file: what a malicious checkpoint could do to a user."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return (open, (str(self.sentinel), "w"))


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_checkpoint_is_refused_and_not_executed(legacy: bool, tmp_path: Path) -> None:
    sentinel, path = tmp_path / "executed", tmp_path / "model.pth"
    torch.save({"state_dict": Bomb(sentinel)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(InputError, match="would run Python code, so edgekit does not"):
        read_tensors(path)
    assert not sentinel.exists()


def test_the_bomb_would_go_off_without_care(tmp_path: Path) -> None:
    """Negative control for the test above."""
    pickle.loads(pickle.dumps(Bomb(tmp_path / "executed"))).close()  # noqa: S301 (a bomb of our own)
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 3}, "holds no tensors"),
        ({}, "holds no tensors"),
        ([torch.ones(1)], "holds a list, not a state dict"),
        (torch.ones(1), "holds a Tensor, not a state dict"),
    ],
)
def test_a_file_that_is_no_state_dict(content: object, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "model.pth")
    with pytest.raises(InputError, match=message):
        read_tensors(tmp_path / "model.pth")


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"not a checkpoint", b"\x00" * 64, b"\xff" * 64])
def test_a_file_that_is_no_checkpoint(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        read_tensors(tmp_path / name)


def test_a_text_in_place_of_a_checkpoint_is_not_called_dangerous(tmp_path: Path) -> None:
    """What `git clone` without Git LFS leaves: the remedy is to download the file, not to save its state_dict."""
    (tmp_path / "model.pth").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 14000000\n")
    with pytest.raises(InputError, match="not a PyTorch checkpoint"):
        read_tensors(tmp_path / "model.pth")


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
def test_a_missing_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such checkpoint file"):
        read_tensors(tmp_path / name)


def test_a_safetensors_file_cut_off_anywhere_is_an_input_error(tmp_path: Path) -> None:
    whole, path = save(SMALL), tmp_path / "model.safetensors"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="not a whole safetensors file"):
            read_tensors(path)


@pytest.fixture(scope="module", params=[True, False], ids=["zip", "legacy"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "model.pth"
    torch.save(SMALL, path, _use_new_zipfile_serialization=request.param)
    return path


@pytest.mark.filterwarnings("ignore")  # torch's and zipfile's opinions of a broken file
@settings(max_examples=150, phases=[Phase.generate])  # torch.load is slow at failing: no search for a smaller example
@given(data=st.data())
def test_a_damaged_checkpoint_is_read_or_an_input_error(data: st.DataObject, saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    length = data.draw(st.integers(0, len(content)))
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        content[position] = data.draw(st.integers(0, 255))
    path = saved.with_name("damaged.pth")
    path.write_bytes(content[: length if data.draw(st.booleans()) else None])
    try:
        read_tensors(path)
    except InputError as error:
        assert "damaged.pth" in str(error)  # noqa: PT017 (some damage does not show)
