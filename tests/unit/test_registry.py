"""Targets are found by metadata alone; what goes wrong with one is told by name."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, EntryPoints
from types import ModuleType

import pytest

from edgekit import registry
from edgekit.errors import TargetMissing, UsageError


def advertise(monkeypatch: pytest.MonkeyPatch, *plugins: tuple[str, str]) -> None:
    points = EntryPoints(EntryPoint(name, value, registry.GROUP) for name, value in plugins)
    monkeypatch.setattr(registry, "advertised", lambda: tuple(points.select(group=registry.GROUP)))


def test_targets_are_listed_by_name_and_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    advertise(monkeypatch, ("zebra", "no_such_module:Target"), ("apple", "no_such_module:Target"))
    assert list(registry.installed()) == ["apple", "zebra"]
    assert registry.find("zebra").value == "no_such_module:Target"


def test_an_unknown_target_is_a_usage_error_that_lists_the_known(monkeypatch: pytest.MonkeyPatch) -> None:
    advertise(monkeypatch, ("onnx", "plugin:Target"))
    with pytest.raises(UsageError, match=r"no target 'tflite' \(installed: onnx\).*coreml, executorch, onnx, openvino"):
        registry.find("tflite")


@pytest.mark.parametrize("name", ["coreml", "executorch", "onnx", "openvino"])
def test_one_of_ours_that_is_not_installed_says_how_to_install_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    advertise(monkeypatch)
    with pytest.raises(TargetMissing, match=rf'\(installed: none\).*pip install "edgekit\[{name}\]"'):
        registry.find(name)


def test_two_plugins_of_one_name_are_both_named(monkeypatch: pytest.MonkeyPatch) -> None:
    advertise(monkeypatch, ("onnx", "ours:Target"), ("onnx", "theirs:Target"))
    with pytest.raises(TargetMissing, match="ours:Target and theirs:Target"):
        registry.installed()


def test_one_plugin_seen_twice_is_no_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """An editable install can leave its metadata in two places."""
    advertise(monkeypatch, ("onnx", "ours:Target"), ("onnx", "ours:Target"))
    assert list(registry.installed()) == ["onnx"]


def test_load_makes_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("fake_plugin")
    module.Target = type("Target", (), {"name": "fake"})  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, "fake_plugin", module)
    advertise(monkeypatch, ("fake", "fake_plugin:Target"))
    assert registry.load("fake").name == "fake"


@pytest.mark.parametrize(
    ("value", "cause"),
    [("no_such_module:Target", ModuleNotFoundError), ("json:Target", AttributeError), ("builtins:int.from_bytes", TypeError)],
)
def test_a_plugin_that_fails_is_named_and_the_cause_kept(
    value: str, cause: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    advertise(monkeypatch, ("onnx", value))
    with pytest.raises(TargetMissing, match=rf"plugin of target onnx \({value}\) cannot be imported: {cause.__name__}") as caught:
        registry.load("onnx")
    assert isinstance(caught.value.__cause__, cause)
