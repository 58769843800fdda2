"""From picture to tensor: values worked out by hand, every mode Pillow opens, and files that are no pictures."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgekit.errors import InputError
from edgekit.preprocessing import Color, Preprocessing, Resample, read_image

ORIENTATION = 0x0112


def plain(color: Color = "RGB", **steps: object) -> Preprocessing:
    """No scaling, no normalisation: the pixels themselves."""
    channels = 1 if color == "L" else 3
    return Preprocessing(color, (0.0,) * channels, (1.0,) * channels, scale=1.0, **steps)  # type: ignore[arg-type]  # steps


def ramp(width: int, height: int) -> Image.Image:
    """Each pixel holds 16 * row + column."""
    rows, columns = np.indices((height, width))
    return Image.fromarray((16 * rows + columns).astype(np.uint8))


def column_and_row(pixels: np.ndarray) -> tuple[int, int]:
    """Where in a ramp the first pixel comes from."""
    return int(pixels[0, 0, 0]) % 16, int(pixels[0, 0, 0]) // 16


def test_values_are_scaled_shifted_and_divided_per_channel() -> None:
    image = Image.new("RGB", (1, 1), (255, 51, 0))
    preprocessing = Preprocessing("RGB", (0.5, 0.1, 0.2), (0.5, 0.2, 0.4))
    tensor = preprocessing.normalise(preprocessing.pixels(image))
    assert tensor.ravel().tolist() == pytest.approx([(1 - 0.5) / 0.5, (0.2 - 0.1) / 0.2, (0 - 0.2) / 0.4])
    assert (tensor.shape, tensor.dtype.name) == ((1, 3, 1, 1), "float32")
    assert tensor.flags.c_contiguous


def test_tensor_is_nchw() -> None:
    image = Image.new("RGB", (3, 2), (1, 2, 3))
    image.putpixel((2, 1), (7, 8, 9))  # x 2, y 1
    tensor = plain().normalise(plain().pixels(image))
    assert tensor.shape == (1, 3, 2, 3)
    assert tensor[0, :, 1, 2].tolist() == [7, 8, 9]
    assert tensor[0, :, 0, 0].tolist() == [1, 2, 3]


def test_bgr_is_rgb_reversed() -> None:
    assert plain("BGR").pixels(Image.new("RGB", (1, 1), (1, 2, 3))).ravel().tolist() == [3, 2, 1]


def test_grey_is_the_luma_of_a_colour_picture() -> None:
    # ITU-R 601: 0.299 R + 0.587 G + 0.114 B
    pixels = plain("L").pixels(Image.new("RGB", (2, 2), (100, 200, 50)))
    assert pixels.shape == (2, 2, 1)
    assert set(pixels.ravel().tolist()) == {round(29.9 + 117.4 + 5.7)}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (1, 1), 90), [90, 90, 90]),
        (Image.new("1", (1, 1), 1), [255, 255, 255]),
        (Image.new("RGBA", (1, 1), (10, 20, 30, 0)), [10, 20, 30]),  # transparency is dropped, not blended
        (Image.new("LA", (1, 1), (40, 10)), [40, 40, 40]),
        (Image.new("RGB", (1, 1), (200, 100, 0)).quantize(2), [200, 100, 0]),
        (Image.new("CMYK", (1, 1), (0, 255, 255, 0)), [255, 0, 0]),
    ],
    ids=["grey", "bilevel", "RGBA", "grey with alpha", "palette", "CMYK"],
)
def test_every_mode_becomes_rgb(image: Image.Image, expected: list[int]) -> None:
    assert plain().pixels(image).ravel().tolist() == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("color", ["L", "RGB"])
def test_sixteen_bits_are_scaled_down_and_not_cut_off(suffix: str, color: Color, tmp_path: Path) -> None:
    """Pillow's own convert() would make white of every value above 255: a scan or a depth map would be a blank page."""
    path = tmp_path / f"deep.{suffix}"
    Image.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16)).save(path)
    pixels = plain(color).pixels(read_image(path))
    assert pixels[0, :, 0].tolist() == pytest.approx([0, 100, 255], abs=1)


@pytest.mark.parametrize(
    ("size", "edge", "resized"),
    [
        ((100, 77), 36, (36, 46)),  # 36 * 100 / 77 = 46.75, truncated
        ((77, 100), 36, (46, 36)),
        ((50, 50), 36, (36, 36)),
        ((20, 30), 40, (60, 40)),  # enlarged as well
        ((3, 2), 3, (3, 4)),  # 4.5 -> 4
    ],
)
def test_shortest_edge_keeps_the_shape_and_truncates_the_longer(
    size: tuple[int, int], edge: int, resized: tuple[int, int]
) -> None:
    assert plain(shortest_edge=edge).pixels(Image.new("RGB", size)).shape[:2] == resized


def test_resize_takes_height_and_width_and_changes_the_shape() -> None:
    assert plain(resize=(5, 9)).pixels(Image.new("RGB", (30, 20))).shape == (5, 9, 3)


def test_a_picture_of_the_right_size_is_not_resampled() -> None:
    image = ramp(6, 6)
    assert np.array_equal(plain("L", resize=(6, 6), resample="lanczos").pixels(image)[:, :, 0], np.asarray(image))


def test_box_filter_averages() -> None:
    image = Image.fromarray(np.array([[0, 100], [50, 250]], np.uint8))
    assert plain("L", resize=(1, 1), resample="box").pixels(image).item() == 100


def test_nearest_invents_no_value() -> None:
    pixels = plain("L", resize=(9, 9), resample="nearest").pixels(ramp(4, 4))
    assert set(pixels.ravel().tolist()) <= set(np.asarray(ramp(4, 4)).ravel().tolist())


@pytest.mark.parametrize(
    ("size", "crop", "corner"),
    [
        ((8, 8), (4, 4), (2, 2)),
        ((9, 8), (4, 4), (2, 2)),  # (9 - 4) / 2 = 2.5, rounded down
        ((11, 7), (4, 4), (3, 1)),
        ((6, 8), (2, 6), (0, 3)),
    ],
)
def test_crop_is_from_the_centre(size: tuple[int, int], crop: tuple[int, int], corner: tuple[int, int]) -> None:
    pixels = plain("L", crop=crop).pixels(ramp(*size))
    assert pixels.shape == (*crop, 1)
    assert column_and_row(pixels) == corner


def test_a_crop_larger_than_the_picture_is_filled_with_zeros() -> None:
    pixels = plain("L", crop=(4, 5)).pixels(Image.new("L", (2, 2), 9))[:, :, 0]
    assert pixels.shape == (4, 5)
    assert int(pixels.sum()) == 4 * 9
    assert pixels[1:3, 1:3].tolist() == [[9, 9], [9, 9]]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize(("orientation", "corner"), [(1, "top left"), (3, "bottom right"), (6, "top right"), (8, "bottom left")])
def test_photographs_that_lie_on_their_side_are_turned(suffix: str, orientation: int, corner: str, tmp_path: Path) -> None:
    stored = Image.new("L", (32, 16), 255)
    stored.paste(0, (0, 0, 8, 8))  # a dark corner at the top left of what the sensor saw
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    compression = {"compression": "tiff_lzw"} if suffix == "tif" else {}  # Pillow 13 reads other turned TIFFs wrongly
    stored.save(tmp_path / f"photo.{suffix}", exif=exif, **compression)
    pixels = plain("L").pixels(read_image(tmp_path / f"photo.{suffix}"))[:, :, 0]
    assert pixels.shape == ((32, 16) if orientation in (6, 8) else (16, 32))
    corners = {
        "top left": pixels[:4, :4],
        "top right": pixels[:4, -4:],
        "bottom left": pixels[-4:, :4],
        "bottom right": pixels[-4:, -4:],
    }
    assert [name for name, part in corners.items() if part.mean() < 128] == [corner]


def test_only_the_first_frame_of_an_animation_counts(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), 10), Image.new("L", (4, 4), 200)]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    assert set(plain("L").pixels(read_image(tmp_path / "two.gif")).ravel().tolist()) == {10}


@settings(max_examples=60)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["L", "RGB", "RGBA", "P", "1"]),
    st.sampled_from(["RGB", "BGR", "L"]),
    st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]),
    st.one_of(st.none(), st.integers(1, 24)),
)
def test_any_picture_becomes_the_input_of_the_network(
    size: tuple[int, int], mode: str, color: Color, resample: Resample, edge: int | None
) -> None:
    channels = 1 if color == "L" else 3
    noise = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    preprocessing = Preprocessing(
        color, (0.5,) * channels, (0.5,) * channels, shortest_edge=edge, crop=(8, 12), resample=resample
    )
    tensor = preprocessing.normalise(preprocessing.pixels(Image.fromarray(noise).convert(mode)))
    assert (tensor.shape, tensor.dtype.name) == ((1, channels, 8, 12), "float32")
    assert tensor.min() >= -1
    assert tensor.max() <= 1


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"")


def whole_png(path: Path) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a picture",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        png_header(32, 32),
        png_header(0, 10),
        png_header(60_000, 60_000),
        png_header(2**31 - 1, 2**31 - 1),
    ],
    ids=["empty", "text", "signature", "gif", "svg", "no pixels", "no width", "bomb", "huge"],
)
def test_what_is_no_picture_is_an_input_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(content)
    with pytest.raises(InputError, match=r"picture\.png is not an image that can be read"):
        read_image(tmp_path / "picture.png")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_picture_is_an_input_error(part: float, tmp_path: Path) -> None:
    content = whole_png(tmp_path / "picture.png")
    (tmp_path / "picture.png").write_bytes(content[: int(len(content) * part)])
    with pytest.raises(InputError, match="not an image that can be read"):
        read_image(tmp_path / "picture.png")


def test_a_missing_picture_and_a_folder_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such image"):
        read_image(tmp_path / "none.png")
    with pytest.raises(InputError, match="not an image"):
        read_image(tmp_path)


def test_a_thread_thin_picture_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 x 60000 pixels, the short side enlarged to 256, would be 4 billion: Pillow's limit is on the file alone."""

    def refuse(_image: Image.Image, size: tuple[int, int], *_args: object) -> Image.Image:
        pytest.fail(f"about to make a picture of {size[0]} x {size[1]} pixels")

    monkeypatch.setattr(Image.Image, "resize", refuse)
    with pytest.raises(InputError, match="60000"):
        plain(shortest_edge=256, crop=(224, 224)).pixels(Image.new("RGB", (60_000, 1)))


@pytest.mark.parametrize(
    "damage", [lambda png: png[: len(png) // 3], lambda png: png.replace(b"IDAT", b"IDAX")], ids=["cut", "renamed"]
)
def test_a_recipe_names_the_damaged_file(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    content = whole_png(tmp_path / "picture.png")
    (tmp_path / "picture.png").write_bytes(damage(content))
    with pytest.raises(InputError, match=r"picture\.png"):
        plain().tensor(tmp_path / "picture.png")
