"""Packages that edgekit did not make, run on files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from numpy.typing import NDArray
from PIL import Image

from edgekit.errors import InputError, UsageError
from edgekit.foreign import Stranger
from edgekit_coreml.foreign import answer
from edgekit_coreml.reference import ReferenceModel
from edgekit_coreml.target import CoreMLTarget

X = np.array([[1.0, -2.0, 3.0]], np.float32)
Y = np.array([[10.0, 20.0, 30.0]], np.float32)


@pytest.fixture(scope="module")
def sum_of_two(build: Callable[..., Path]) -> Path:
    return build(lambda x, y: mb.add(x=x, y=y, name="sum"), x=X, y=Y)


@pytest.fixture(scope="module")
def picture(save_program: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives the pixels of a picture of 4 x 6 back."""
    program = mb.program(input_specs=[mb.TensorSpec(shape=(1, 3, 4, 6))], opset_version=ct.target.iOS16)(
        lambda image: mb.mul(x=image, y=1.0, name="pixels")
    )
    path = tmp_path_factory.mktemp("picture") / "picture.mlpackage"
    inputs = [ct.ImageType("image", (1, 3, 4, 6), color_layout=ct.colorlayout.RGB)]
    save_program(program, path, inputs=inputs, compute_precision=ct.precision.FLOAT32, pass_pipeline=ct.PassPipeline.EMPTY)
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[str, NDArray[Any]], Path]:
    def saved(name: str, values: NDArray[Any]) -> Path:
        np.save(tmp_path / name, values)
        return tmp_path / name

    return saved


def test_the_target_runs_strangers() -> None:
    assert isinstance(CoreMLTarget(), Stranger)


def test_each_input_is_given_by_name(sum_of_two: Path, saved: Callable[[str, NDArray[Any]], Path]) -> None:
    files = {"x": saved("a.npy", X), "y": saved("b.npy", Y.astype(np.float64))}
    runtime, (found,) = answer(sum_of_two, [files], num_threads=1)
    assert runtime.kind == "reference"
    (values,) = found.outputs.values()
    np.testing.assert_array_equal(values, X + Y)
    assert found.inputs == {"x": str(files["x"]), "y": str(files["y"])}
    assert found.notes == ()


def test_a_picture_of_the_right_size_is_taken_as_it_is(picture: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    _, (found,) = answer(picture, [{"": tmp_path / "a.png"}], num_threads=1)
    (values,) = found.outputs.values()
    np.testing.assert_array_equal(values[0].transpose(1, 2, 0), pixels)
    assert found.notes == ()
    assert found.inputs == {"image": str(tmp_path / "a.png")}


def test_a_picture_of_another_size_is_resized_and_that_is_said(picture: Path, tmp_path: Path) -> None:
    Image.new("L", (20, 10), 77).save(tmp_path / "a.png")
    _, (found,) = answer(picture, [{"": tmp_path / "a.png"}], num_threads=1)
    (values,) = found.outputs.values()
    assert (values == 77).all()
    assert found.notes == ("a.png resized from 20 x 10 to 6 x 4 pixels, bilinear, its shape changed",)


def test_a_float16_package_is_rounded_as_it_is_stored(
    save_program: Callable[..., None], saved: Callable[[str, NDArray[Any]], Path], tmp_path: Path
) -> None:
    program = mb.program(input_specs=[mb.TensorSpec(shape=(1, 3))], opset_version=ct.target.iOS16)(lambda x: mb.exp(x=x))
    save_program(program, tmp_path / "exp.mlpackage", compute_precision=ct.precision.FLOAT16)
    _, (found,) = answer(tmp_path / "exp.mlpackage", [{"": saved("a.npy", X)}], num_threads=1)
    expected = ReferenceModel(tmp_path / "exp.mlpackage", "float16").predict({"x": X})
    assert expected.keys() == found.outputs.keys()
    (values,), (rounded,) = found.outputs.values(), expected.values()
    np.testing.assert_array_equal(values, rounded)
    np.testing.assert_array_equal(np.asarray(values, np.float32), np.asarray(values, np.float16).astype(np.float32))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"": "a.npy"}, "give NAME=FILE for each"),
        ({"x": "a.npy"}, "'y'"),
        ({"x": "a.npy", "z": "a.npy"}, "no input z: it takes 'x' float32"),
        ({"x": "a.npy", "y": "long.npy"}, "'y'"),
        ({"x": "a.npy", "y": "a.png"}, "y=FILE.npy"),
    ],
)
def test_wrong_inputs_are_the_users_mistake(
    sum_of_two: Path, saved: Callable[[str, NDArray[Any]], Path], files: dict[str, str], message: str
) -> None:
    folder = saved("a.npy", X).parent
    saved("long.npy", np.zeros((1, 4), np.float32))
    with pytest.raises(UsageError, match=message):
        answer(sum_of_two, [{name: folder / file for name, file in files.items()}], num_threads=1)


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"]
)
def test_a_file_that_is_no_array(sum_of_two: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npy"):
        answer(sum_of_two, [dict.fromkeys(("x", "y"), tmp_path / "a.npy")], num_threads=1)
    with pytest.raises(InputError, match="no such file"):
        answer(sum_of_two, [dict.fromkeys(("x", "y"), tmp_path / "b.npy")], num_threads=1)


def test_several_arrays_in_one_file(sum_of_two: Path, tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.savez(file, x=X, y=Y)
    with pytest.raises(InputError, match="several arrays"):
        answer(sum_of_two, [dict.fromkeys(("x", "y"), tmp_path / "a.npy")], num_threads=1)
