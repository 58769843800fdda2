"""Flags become what the run is asked."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from edgekit.cli.flags import overrides, parse_options, pictures
from edgekit.cli.profile import profile
from edgekit.dataset import DIGITS
from edgekit.errors import UsageError
from edgekit.latency.comparison import ComparisonPlan
from edgekit.mobilenet.overrides import Overrides


@pytest.mark.parametrize(
    ("pairs", "parsed"),
    [
        ([], {}),
        (["opset=18"], {"": {"opset": "18"}}),
        (["onnx.opset=18"], {"onnx": {"opset": "18"}}),
        (["opset=18", "onnx.opset=20", "onnx.x=y"], {"": {"opset": "18"}, "onnx": {"opset": "20", "x": "y"}}),
        (["a=b=c"], {"": {"a": "b=c"}}),
        (["path=./x.y"], {"": {"path": "./x.y"}}),  # a dot in the value names no target
        (["empty="], {"": {"empty": ""}}),
        (["twice=1", "twice=2"], {"": {"twice": "2"}}),
    ],
)
def test_options_go_to_one_target_or_to_all(pairs: list[str], parsed: dict[str, dict[str, str]]) -> None:
    assert parse_options(pairs) == parsed


@pytest.mark.parametrize("pair", ["opset", "", "=18", "="])
def test_an_option_of_another_form_is_shown(pair: str) -> None:
    with pytest.raises(UsageError, match=f"key=value or target.key=value, not '{pair}'"):
        parse_options([pair])


def test_the_word_digits_is_the_set_that_edgekit_ships_and_a_folder_of_that_name_is_a_path(tmp_path: Path) -> None:
    assert pictures("digits") == DIGITS
    assert pictures("./digits") == Path.cwd() / "digits"
    assert pictures("digits/") == Path.cwd() / "digits"
    assert pictures("other/digits") == Path("other/digits")
    assert pictures(str(tmp_path / "digits")) == tmp_path / "digits"


def test_overrides_are_what_was_given() -> None:
    assert overrides(0.5, 192, "same", 1e-3, Path("labels.txt")) == Overrides(0.5, 192, "same", 1e-3, "labels.txt")
    assert overrides(None, None, None, None, None) == Overrides()


def test_a_padding_that_does_not_exist_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"symmetric .* or same .*, not 'valid'"):
        overrides(None, None, "valid", None, None)


def test_the_help_of_launches_tells_what_a_comparison_does_unasked() -> None:
    plan = ComparisonPlan()
    told = f"{plan.min_launches} to {plan.max_launches}, until the interval is {100 * (plan.max_width - 1):.0f} % wide"
    assert told in inspect.signature(profile, eval_str=True).parameters["launches"].annotation.__metadata__[0].help
