"""The inputs of parity: the same in every run, real pictures and what real pictures never show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.errors import InputError
from edgekit.preprocessing import Preprocessing
from edgekit.samples import find_images, make_samples, shipped_pictures

COLOR = Preprocessing("RGB", (0.5,) * 3, (0.5,) * 3, shortest_edge=40, crop=(32, 32))
GREY = Preprocessing("L", (0.5,), (0.5,), resize=(32, 32))
SYNTHETIC = ["noise", "black", "white", "checkerboard", "zeros"]


def test_a_colour_model_sees_the_photographs_and_the_synthetic_inputs() -> None:
    samples = make_samples(COLOR, size=32)
    assert [sample.name for sample in samples] == ["astronaut.jpg", "chelsea.jpg", "coffee.jpg", "rocket.jpg", *SYNTHETIC]
    assert [sample.kind for sample in samples] == ["image"] * 4 + ["synthetic"] * 5
    for sample in samples:
        assert (sample.image_nchw.shape, sample.image_nchw.dtype.name) == ((1, 3, 32, 32), "float32")
        assert sample.image_nchw.flags.c_contiguous


def test_a_grey_model_sees_held_out_digits() -> None:
    samples = make_samples(GREY, size=32)
    images = [sample for sample in samples if sample.kind == "image"]
    assert len(images) == 12
    assert all(sample.name.startswith("held-out digit ") for sample in images)
    assert samples[0].image_nchw.shape == (1, 1, 32, 32)
    assert len({sample.name for sample in samples}) == len(samples)


def test_two_runs_get_the_same_inputs() -> None:
    for first, second in zip(make_samples(COLOR, size=32), make_samples(COLOR, size=32), strict=True):
        assert first.name == second.name
        assert np.array_equal(first.image_nchw, second.image_nchw)


def test_synthetic_inputs_are_what_their_names_say() -> None:
    arrays = {sample.name: sample.image_nchw for sample in make_samples(COLOR, size=32)}
    assert np.unique(arrays["black"]).tolist() == [-1]  # (0/255 - 0.5) / 0.5
    assert np.unique(arrays["white"]).tolist() == [1]
    assert np.unique(arrays["zeros"]).tolist() == [0]
    board = arrays["checkerboard"][0, 0]
    assert board[:2, :2].tolist() == [[-1, 1], [1, -1]]
    assert np.array_equal(board[:-1], board[1:] * -1)
    noise = arrays["noise"]
    assert abs(noise.mean()) < 0.05
    assert noise.std() == pytest.approx(1 / 3**0.5, abs=0.02)  # uniform on [-1, 1]


def test_the_users_pictures_replace_the_shipped_ones(tmp_path: Path) -> None:
    for name, grey in (("b.png", 0), ("a.png", 255)):
        Image.new("L", (50, 60), grey).save(tmp_path / name)
    samples = make_samples(COLOR, size=32, images=[tmp_path / "b.png", tmp_path / "a.png"])
    assert [sample.name for sample in samples] == ["b.png", "a.png", *SYNTHETIC]
    assert (samples[0].image_nchw.max(), samples[1].image_nchw.min()) == (-1, 1)


def test_a_preprocessing_that_does_not_fit_the_network_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"makes \[1, 3, 32, 32\] of astronaut\.jpg, and the network takes \[1, 3, 64, 64\]"):
        make_samples(COLOR, size=64)


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no")
    with pytest.raises(InputError, match=r"broken\.png"):
        make_samples(COLOR, size=32, images=[tmp_path / "broken.png"])


def test_shipped_digits_name_what_they_show() -> None:
    names = [name for name, _ in shipped_pictures(GREY)]
    assert all(name[-3] == "(" and name[-2].isdigit() and name[-1] == ")" for name in names)


def test_images_are_found_by_suffix_and_sorted(tmp_path: Path) -> None:
    for name in ("c.PNG", "a.jpg", "b.webp", "notes.txt", "d.jpeg", ".png"):
        (tmp_path / name).touch()
    assert [path.name for path in find_images(tmp_path)] == ["a.jpg", "b.webp", "c.PNG", "d.jpeg"]
    assert [path.name for path in find_images(tmp_path, limit=2)] == ["a.jpg", "b.webp"]


def test_a_single_picture_is_found_whatever_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "picture").touch()
    assert find_images(tmp_path / "picture") == (tmp_path / "picture",)


def test_no_folder_and_no_pictures_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        find_images(tmp_path / "none")
    with pytest.raises(InputError, match=r"no images in .*looked for \.bmp"):
        find_images(tmp_path)
