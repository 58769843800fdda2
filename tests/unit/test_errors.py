"""Exit codes are an interface: scripts and CI jobs branch on them."""

from __future__ import annotations

import pytest

from edgekit import errors
from edgekit.errors import BY_NAME, EdgekitError


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("EdgekitError", 70),
        ("NegativeResult", 1),
        ("UsageError", 2),
        ("TargetMissing", 3),
        ("NetworkError", 4),
        ("InputError", 5),
        ("OutputError", 5),
    ],
)
def test_each_class_has_its_exit_code(name: str, code: int) -> None:
    assert BY_NAME[name].exit_code == code


def test_every_class_can_be_found_by_its_name() -> None:
    defined = {name: cls for name, cls in vars(errors).items() if isinstance(cls, type) and issubclass(cls, EdgekitError)}
    assert defined == BY_NAME


def test_every_class_is_an_edgekit_error() -> None:
    assert all(issubclass(cls, EdgekitError) for cls in BY_NAME.values())
