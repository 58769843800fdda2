"""The tables, the channel arithmetic and the padding rule, against the papers and against brute force."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import UsageError
from edgekit.mobilenet.spec import VERSIONS, MobileNetSpec, Version, padding_before_after, round_channels


@pytest.mark.parametrize(
    ("channels", "rounded"),
    [(16, 16), (8.4, 8), (18, 24), (11.2, 16), (33.6, 32), (44.8, 48), (41.6, 40), (1, 8), (0.1, 8), (12, 16), (1792, 1792)],
)
def test_round_channels_of_known_values(channels: float, rounded: int) -> None:
    assert round_channels(channels) == rounded


@given(st.floats(0.01, 5000), st.sampled_from([1, 2, 4, 8, 16]))
def test_round_channels_is_a_multiple_and_never_ten_percent_below(channels: float, divisor: int) -> None:
    rounded = round_channels(channels, divisor)
    assert rounded % divisor == 0
    assert rounded >= divisor
    assert rounded >= 0.9 * channels
    assert rounded <= channels + divisor


@given(st.integers(1, 600))
def test_round_channels_keeps_what_is_a_multiple_already(multiple: int) -> None:
    assert round_channels(8 * multiple) == 8 * multiple


@given(st.integers(1, 300), st.sampled_from([1, 3, 5, 7]), st.sampled_from([1, 2]))
def test_same_padding_is_the_least_that_gives_one_output_per_stride(size: int, kernel: int, stride: int) -> None:
    before, after = padding_before_after(size, kernel=kernel, stride=stride, padding="same")

    def outputs(padding: int) -> int:
        return len(range(0, size + padding - kernel + 1, stride))

    wanted = len(range(0, size, stride))
    least = next(padding for padding in range(kernel + 1) if outputs(padding) >= wanted)
    assert outputs(before + after) == wanted
    assert before + after == least
    assert after - before in (0, 1), "TensorFlow puts an odd row at the end"


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [(224, 3, 2, (0, 1)), (225, 3, 2, (1, 1)), (112, 5, 2, (1, 2)), (7, 5, 2, (2, 2)), (7, 3, 1, (1, 1)), (1, 3, 2, (1, 1))],
)
def test_same_padding_of_known_sizes(size: int, kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert padding_before_after(size, kernel=kernel, stride=stride, padding="same") == expected


@given(st.integers(1, 300), st.sampled_from([1, 3, 5]), st.sampled_from([1, 2]))
def test_symmetric_padding_is_half_the_kernel_whatever_the_size(size: int, kernel: int, stride: int) -> None:
    half = kernel // 2
    assert padding_before_after(size, kernel=kernel, stride=stride, padding="symmetric") == (half, half)


@pytest.mark.parametrize(
    ("version", "blocks", "shortcuts", "stem", "features", "hidden"),
    [
        ("v1", 13, 0, 32, 1024, 0),
        ("v2", 17, 10, 32, 1280, 0),
        ("v3_large", 15, 10, 16, 960, 1280),
        ("v3_small", 11, 6, 16, 576, 1024),
    ],
)
def test_shape_of_the_published_networks(
    version: Version, blocks: int, shortcuts: int, stem: int, features: int, hidden: int
) -> None:
    spec = MobileNetSpec(version)
    assert len(spec.blocks()) == blocks
    assert sum(block.has_shortcut for block in spec.blocks()) == shortcuts
    assert (spec.stem_channels, spec.feature_channels, spec.hidden_features) == (stem, features, hidden)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("width", [0.25, 1.0, 1.4])
def test_each_block_takes_what_the_one_before_gives(version: Version, width: float) -> None:
    spec = MobileNetSpec(version, width)
    channels = spec.stem_channels
    for block in spec.blocks():
        assert block.in_channels == channels
        channels = block.out_channels


@pytest.mark.parametrize(("width", "channels"), [(0.35, 1280), (1.0, 1280), (1.4, 1792)])
def test_v2_never_narrows_its_head(width: float, channels: int) -> None:
    assert MobileNetSpec("v2", width).head_channels == channels


def test_v1_truncates_its_channels_and_keeps_eight() -> None:
    assert MobileNetSpec("v1", 0.3).stem_channels == 9  # 9.6: not a multiple of 8, not rounded
    assert MobileNetSpec("v1", 0.1).stem_channels == 8


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (MobileNetSpec("v2"), "mobilenet_v2_1.0_224"),
        (MobileNetSpec("v1", 0.75, 192), "mobilenet_v1_0.75_192"),
        (MobileNetSpec("v3_small", 0.35, 32), "mobilenet_v3_small_0.35_32"),
    ],
)
def test_name_is_the_usual_one(spec: MobileNetSpec, name: str) -> None:
    assert spec.name == name


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": "v4"}, "unknown MobileNet version 'v4'"),
        ({"width": 0}, "width must be greater than 0"),
        ({"width": -1.0}, "width must be"),
        ({"width": float("nan")}, "width must be"),
        ({"width": float("inf")}, "width must be"),
        ({"norm_eps": 0.0}, "norm_eps must be"),
        ({"classes": 0}, "classes must be"),
        ({"classes": 10**9}, "classes must be"),
        ({"input_channels": 0}, "input_channels must be"),
        ({"resolution": 7}, "between 8 and 4096 pixels, not 7"),
        ({"resolution": 4097}, "between 8 and 4096 pixels, not 4097"),
        ({"padding": "valid"}, "padding"),
        ({"v1_v2_activation": "gelu"}, "activation"),
    ],
)
def test_a_definition_that_makes_no_sense_is_a_usage_error(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MobileNetSpec(**{"version": "v2", **changed})
