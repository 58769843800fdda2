"""`--option key=value` pairs become a plugin's own record, or a message that says what there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from edgekit.errors import UsageError
from edgekit.option import option_strings, parse_options


@dataclass(frozen=True)
class Options:
    opset: int = 20
    units: Literal["ALL", "CPU"] = "ALL"
    fast: bool = False
    scale: float = 1.0


@dataclass(frozen=True)
class NoOptions:
    pass


def test_without_pairs_the_defaults_hold() -> None:
    assert parse_options(Options, {}, target="t") == Options()


def test_strings_become_what_the_annotations_say() -> None:
    given = {"opset": "18", "units": "CPU", "fast": "true", "scale": "0.5"}
    assert parse_options(Options, given, target="t") == Options(18, "CPU", True, 0.5)


@pytest.mark.parametrize("key", ["opsets", "", "Opset", "onnx.opset"])
def test_an_unknown_key_lists_the_valid_ones(key: str) -> None:
    with pytest.raises(UsageError, match=f"target t has no option '{key}'. Its options: opset, units, fast, scale"):
        parse_options(Options, {key: "1"}, target="t")


def test_a_target_without_options_says_so() -> None:
    with pytest.raises(UsageError, match="Its options: none"):
        parse_options(NoOptions, {"x": "1"}, target="t")


@pytest.mark.parametrize(
    ("key", "value"), [("opset", "new"), ("opset", "1.5"), ("units", "TPU"), ("fast", "maybe"), ("scale", "")]
)
def test_a_wrong_value_names_its_option(key: str, value: str) -> None:
    with pytest.raises(UsageError, match=rf"an option of target t has a wrong value: .*\$\.{key}"):
        parse_options(Options, {key: value}, target="t")


@pytest.mark.parametrize("options", [Options(), Options(18, "CPU", True, 0.25)])
def test_options_in_force_are_strings_that_give_them_again(options: Options) -> None:
    strings = option_strings(options)
    assert all(isinstance(value, str) for value in strings.values())
    assert parse_options(Options, strings, target="t") == options
