"""Everything that a result depends on changes its key, and nothing else does."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.errors import InputError
from edgekit.latency import LatencyPlan
from edgekit.machine import describe_machine
from edgekit.matrix import fingerprint
from edgekit.matrix.cell import Cell, Subject
from edgekit.matrix.config import Limits
from edgekit.matrix.fingerprint import key_of_accuracy, key_of_artifact, key_of_latency, key_of_preparation
from edgekit.mobilenet.overrides import Overrides

pytest.importorskip("edgekit_onnx", reason="a key needs an installed target")


@pytest.fixture(autouse=True)
def _fresh(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are hashed once in a run; here they change."""
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
    fingerprint._tree.cache_clear()
    fingerprint._digests.cache_clear()


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"weights")
    (model / "config.json").write_bytes(b"{}")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "cat.png").write_bytes(b"a cat")
    labels = tmp_path / "labels.txt"
    labels.write_text("cat\n")
    where = str(pictures)
    overrides = Overrides(labels=str(labels))
    subject = Subject("net", str(model), overrides, where, where, where, None, 8, allow_overlap=False, resolution=None)
    return Cell(subject, "onnx", "int8", {"opset": "18"})


def write(path: str) -> Callable[[Path, Cell], Cell]:
    def change(folder: Path, cell: Cell) -> Cell:
        (folder / path).write_bytes(b"other")
        return cell

    return change


CHANGES: dict[str, Callable[[Path, Cell], Cell]] = {
    "weights": write("model/model.safetensors"),
    "configuration": write("model/config.json"),
    "labels": write("labels.txt"),
    "a picture": write("pictures/cat.png"),
    "another picture": write("pictures/dog.png"),
    "precision": lambda _, cell: replace(cell, precision="float32"),
    "target": lambda _, cell: replace(cell, target="openvino"),
    "option": lambda _, cell: replace(cell, options={"opset": "19"}),
    "threads": lambda _, cell: replace(cell, num_threads=2),
    "name": lambda _, cell: replace(cell, subject=replace(cell.subject, name="other")),
    "padding": lambda _, cell: replace(cell, subject=replace(cell.subject, overrides=Overrides(padding="same"))),
    "weight bits": lambda _, cell: replace(cell, subject=replace(cell.subject, weight_bits=7)),
    "goal of the search": lambda _, cell: replace(cell, subject=replace(cell.subject, max_drop_points=1.0)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_gives_another_key(change: Callable[[Path, Cell], Cell], cell: Cell, tmp_path: Path) -> None:
    before = key_of_artifact(cell)
    changed = change(tmp_path, cell)
    fingerprint._tree.cache_clear()
    assert key_of_artifact(changed) != before


def test_what_does_not_matter_changes_nothing(cell: Cell, tmp_path: Path) -> None:
    before = key_of_artifact(cell)
    os.utime(tmp_path / "model" / "config.json", (0, 0))
    (tmp_path / "model" / ".DS_Store").write_bytes(b"hidden")
    fingerprint._tree.cache_clear()
    assert key_of_artifact(replace(cell, limits=Limits(min_sqnr_db=50))) == before


def test_a_float_artifact_does_not_depend_on_calibration(cell: Cell, tmp_path: Path) -> None:
    subject = replace(cell.subject, images=None)
    plain = replace(cell, precision="float32", subject=subject)
    before = key_of_artifact(plain)
    assert key_of_artifact(replace(plain, subject=replace(subject, calibration=None, evaluation=None, weight_bits=7))) == before


def test_a_list_of_pictures_is_known_by_what_it_names(cell: Cell, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("file,index\npictures/cat.png,3\n")
    named = replace(cell, subject=replace(cell.subject, calibration=str(listed)))
    before = key_of_artifact(named)
    (tmp_path / "pictures" / "cat.png").write_bytes(b"another cat")
    fingerprint._tree.cache_clear()
    assert key_of_artifact(replace(named, subject=replace(named.subject, images=None))) != before


def test_accuracy_and_latency_depend_on_the_artifact_and_on_how_they_are_asked_for(cell: Cell) -> None:
    here = describe_machine()
    keys = {
        key_of_accuracy("a", cell.subject),
        key_of_accuracy("b", cell.subject),
        key_of_latency("a", LatencyPlan(), 1, here),
        key_of_latency("b", LatencyPlan(), 1, here),
        key_of_latency("a", LatencyPlan(iterations=50), 1, here),
        key_of_latency("a", LatencyPlan(), 2, here),
        key_of_latency("a", LatencyPlan(), 1, replace(here, processor="another")),
        key_of_latency("a", LatencyPlan(), 1, "tcp://head:8786"),
        key_of_preparation(cell.subject, {"float32"}),
        key_of_preparation(cell.subject, {"float32", "int8"}),
    }
    assert len(keys) == 10


def test_a_model_that_is_not_there_has_no_key(cell: Cell) -> None:
    with pytest.raises(InputError, match="no such model"):
        key_of_artifact(replace(cell, subject=replace(cell.subject, model="nothing.pth")))
