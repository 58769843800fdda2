"""PyTorch's answers, and the file that carries them: read without torch and never unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.errors import InputError
from edgekit.mobilenet.compression import compress_network
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.preprocessing import Preprocessing
from edgekit.reference import YARDSTICKS, Outputs, Reference, compute_reference, load_reference, save_reference
from edgekit.samples import Sample, make_samples

GREY = Preprocessing("L", (0.5,), (0.5,), resize=(32, 32))


def make_reference() -> Reference:
    rng = np.random.default_rng(0)
    names = ("bild ü.png", "b", "noise")
    samples = tuple(
        Sample(name, "synthetic" if name == "noise" else "image", rng.standard_normal((1, 1, 4, 4), np.float32)) for name in names
    )

    def answers(dtype: type) -> tuple[Outputs, ...]:
        return tuple({"logits": rng.standard_normal((1, 5)).astype(dtype), "map": np.ones((1, 2, 3, 3), dtype)} for _ in names)

    def network() -> Reference:
        return Reference(samples, answers(np.float64), {"float32": answers(np.float32), "float16": answers(np.float16)})

    return replace(network(), approximate={"int8-weights": network(), "palettized-4": network()})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_reference(make_reference(), tmp_path / "reference.npz")
    return tmp_path / "reference.npz"


def change(path: Path, **arrays: Any) -> None:
    """Write the file again with some arrays replaced, or left out where None."""
    with np.load(path) as file:
        content = {name: file[name] for name in file.files}
    content.update({name.replace("__", "/"): array for name, array in arrays.items()})
    np.savez(path, **{name: array for name, array in content.items() if array is not None})


def assert_same(left: tuple[Outputs, ...], right: tuple[Outputs, ...]) -> None:
    for one, other in zip(left, right, strict=True):
        assert one.keys() == other.keys()
        for name, array in one.items():
            assert array.dtype == other[name].dtype
            assert np.array_equal(array, other[name])


def test_a_reference_survives_the_disk(saved: Path) -> None:
    original, loaded = make_reference(), load_reference(saved)
    for sample, again in zip(original.samples, loaded.samples, strict=True):
        assert (sample.name, sample.kind) == (again.name, again.kind)
        assert np.array_equal(sample.image_nchw, again.image_nchw)
        assert again.image_nchw.flags.c_contiguous
    assert original.approximate.keys() == loaded.approximate.keys()
    for precision in ("float16", *original.approximate):
        one, other = original.of(precision), loaded.of(precision)
        assert_same(one.float64, other.float64)
        assert one.yardsticks.keys() == other.yardsticks.keys()
        for kind, answers in one.yardsticks.items():
            assert_same(answers, other.yardsticks[kind])


def test_a_missing_file_says_what_it_is_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no reference\.npz: it is needed to check"):
        load_reference(tmp_path / "reference.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not an archive", b"\x93NUMPY\x01\x00"])
def test_a_file_of_another_kind_is_an_input_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "reference.npz").write_bytes(content)
    with pytest.raises(InputError, match="not a whole reference file"):
        load_reference(tmp_path / "reference.npz")


def test_a_single_array_is_an_input_error(tmp_path: Path) -> None:
    with (tmp_path / "reference.npz").open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(InputError, match="not a whole reference file"):
        load_reference(tmp_path / "reference.npz")


@pytest.mark.parametrize("part", [0.01, 0.3, 0.6, 0.99])
def test_a_truncated_file_is_an_input_error(part: float, saved: Path) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(InputError, match="not a whole reference file"):
        load_reference(saved)


@pytest.mark.filterwarnings("ignore")  # zipfile's and numpy's opinions of a broken file
def test_a_flipped_byte_is_an_input_error_or_harmless(saved: Path) -> None:
    content = saved.read_bytes()
    for position in range(0, len(content), 7):
        saved.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        try:
            load_reference(saved)
        except InputError:
            continue


class Bomb:
    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return (open, (str(self.sentinel), "w"))


def test_a_pickled_object_is_refused_and_not_executed(saved: Path, tmp_path: Path) -> None:
    change(saved, names=np.array([Bomb(tmp_path / "executed")] * 3, dtype=object))
    with pytest.raises(InputError, match="not a whole reference file"):
        load_reference(saved)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "arrays",
    [
        {"names": None},
        {"images_nchw": None},
        {"float64__logits": None, "float64__map": None},
        {"names": np.array(["a", "b"])},
        {"float32__logits": np.ones((2, 1, 5), np.float32)},
        {"int8-weights__float64__logits": None, "int8-weights__float64__map": None},
        {"palettized-4__float16__map": np.ones((2, 1, 2, 3, 3), np.float16)},
        {"float64__logits": np.array(["a", "b", "c"])},
        {"names": np.array("a")},
        {"float64__logits": np.array(1.0)},
        {"images_nchw": np.array(["a", "b", "c"])},
    ],
    ids=",".join,
)
def test_what_is_missing_or_does_not_match_is_an_input_error(arrays: dict[str, Any], saved: Path) -> None:
    change(saved, **arrays)
    with pytest.raises(InputError, match="not a whole reference file"):
        load_reference(saved)


def test_a_reference_of_no_samples_is_an_input_error(saved: Path) -> None:
    """It would let any artifact pass, or crash the judge."""
    with np.load(saved) as file:
        empty = {name.replace("/", "__"): file[name][:0] for name in file.files}
    change(saved, **empty)
    with pytest.raises(InputError, match="not a whole reference file"):
        load_reference(saved)


def test_the_file_holds_arrays_alone(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        assert all(name.endswith(".npy") for name in archive.namelist())


class Doubler(nn.Module):
    """Two outputs, one of them in need of float64 to be right."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1 / 3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * 2, x + self.weight


def test_every_precision_is_computed_in_that_precision() -> None:
    network = Doubler()
    sample = Sample("s", "image", np.full((1, 1, 1, 1), 2.0, np.float32))
    reference = compute_reference(network, ("double", "shifted"), [sample])
    third = float(np.float32(1 / 3))  # the weight as trained
    assert reference.float64[0]["double"].item() == 4.0
    assert reference.float64[0]["shifted"].item() == 2.0 + third
    assert reference.yardsticks["float32"][0]["shifted"].item() == np.float32(2) + np.float32(third)
    assert reference.yardsticks["float16"][0]["shifted"].item() == np.float16(2) + np.float16(third)
    dtypes = {kind: answers[0]["double"].dtype.name for kind, answers in reference.yardsticks.items()}
    assert dtypes == {"float32": "float32", "float16": "float16", "stored-float16": "float16"}
    assert network.weight.dtype == torch.float32, "the network itself is left as it was"


class Summer(nn.Module):
    """A sum of products, and two operations on it, one in place."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 1)
        with torch.no_grad():
            self.linear.weight.copy_(torch.tensor([[1 / 3, 1.0, 1.0]]))
            self.linear.bias.fill_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu_(self.linear(x)).mul_(3)


def test_stored_float16_rounds_weights_and_results_and_nothing_else() -> None:
    """A sum of which a float16 accumulator would lose a part is exact on its way."""
    x = np.array([[2.0, 2048.0, 2**-11]], np.float32)
    reference = compute_reference(Summer(), ("y",), [Sample("s", "image", x)])
    total = float(np.float16(1 / 3)) * 2 + 2048 + 2**-11 + float(np.float16(0.1))
    expected = np.float16(3 * float(np.float16(total)))
    assert expected != np.float16(3 * total), "the sum is rounded before the product"
    assert reference.yardsticks["stored-float16"][0]["y"].item() == expected
    x[0, 1] = 0
    small = compute_reference(Summer(), ("y",), [Sample("s", "image", x)], yardsticks=["stored-float16"])
    total = float(np.float16(1 / 3)) * 2 + 2**-11 + float(np.float16(0.1))
    assert small.yardsticks["stored-float16"][0]["y"].item() == np.float16(3 * float(np.float16(total)))


def test_an_output_without_a_name_is_not_dropped() -> None:
    with pytest.raises(ValueError, match="zip"):
        compute_reference(Doubler(), ("one",), [Sample("s", "image", np.ones((1, 1, 1, 1), np.float32))])


def test_answers_of_a_mobilenet_are_those_of_the_unfolded_network(make_network: Callable[[MobileNetSpec], MobileNet]) -> None:
    network = make_network(MobileNetSpec("v1", 0.25, 32, input_channels=1, classes=4))
    samples = make_samples(GREY, size=32)
    reference = compute_reference(network, network.output_names, samples)
    assert reference.samples == samples
    with torch.no_grad():
        expected = network.double()(torch.from_numpy(samples[0].image_nchw).double()).numpy()
    network.float()
    assert np.allclose(reference.float64[0]["logits"], expected, rtol=1e-12)
    errors = {
        kind: float(np.abs(answers[0]["logits"] - expected).max() / np.abs(expected).max())
        for kind, answers in reference.yardsticks.items()
    }
    assert 0 < errors["float32"] < 1e-5 < errors["stored-float16"] < 0.05
    assert 1e-5 < errors["float16"] < 0.05


def test_a_compressed_network_has_answers_of_its_own(make_network: Callable[[MobileNetSpec], MobileNet]) -> None:
    network = make_network(MobileNetSpec("v1", width=0.25, resolution=32, input_channels=1, classes=10))
    samples = make_samples(GREY, size=32)[:3]
    reference = compute_reference(network, network.output_names, samples, yardsticks=["float32"], compressed=["palettized-4"])
    compressed = reference.of("palettized-4")
    assert set(reference.yardsticks) == {"float32"}
    assert set(compressed.yardsticks) == set(YARDSTICKS), "targets compute with these weights in float32 and in float16"
    twin = compress_network(network, "palettized-4").double()
    for sample, before, after in zip(samples, reference.float64, compressed.float64, strict=True):
        with torch.no_grad():
            expected = twin(torch.from_numpy(sample.image_nchw).double())
        assert np.array_equal(after["logits"], (expected[0] if isinstance(expected, tuple) else expected).numpy())
        assert not np.allclose(after["logits"], before["logits"], rtol=1e-2)
