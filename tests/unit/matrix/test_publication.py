"""An artifact is put into the output folder once, and again only where something of it is missing or other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.document import FileRecord
from edgekit.matrix.publication import publish_cells
from edgekit.report import Report
from tests import gallery

NAME = "small-onnx-float32"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for name, content in (
        ("manifest.json", "{}"),
        ("model.onnx", "model"),
        ("report.json", "that of the cache"),
        ("log.txt", ""),
    ):
        (folder / name).write_text(content)
    return folder


REPORT = replace(gallery.report(), files=(FileRecord("model.onnx", 5, "a" * 64),))


def publish(source: Path, report: Report, number: int) -> tuple[Path, tuple[str, ...]]:
    """Publish as a run of its own would."""
    output, staging = source.parent / "out", source.parent / f"staging-{number}"
    output.mkdir(exist_ok=True)
    staging.mkdir()
    unsaved = publish_cells({NAME: [source]}, {NAME: report}, output, staging)
    return output / NAME, unsaved


def test_an_artifact_gets_this_runs_report(source: Path) -> None:
    place, unsaved = publish(source, REPORT, 1)
    assert unsaved == ()
    assert (place / "model.onnx").read_text() == "model"
    assert '"small"' in (place / "report.json").read_text()


def test_what_is_there_is_left_alone(source: Path) -> None:
    place, _ = publish(source, REPORT, 1)
    before = (place / "model.onnx").stat()
    publish(source, REPORT, 2)
    assert (place / "model.onnx").stat() == before  # the inode too: nothing was copied


@pytest.mark.parametrize("damage", ["truncated", "deleted", "log", "report"])
def test_what_is_missing_or_other_is_put_back(damage: str, source: Path) -> None:
    place, _ = publish(source, REPORT, 1)
    whole = {path.name: path.read_bytes() for path in place.iterdir()}
    match damage:
        case "truncated":
            (place / "model.onnx").write_text("mod")
        case "deleted":
            (place / "model.onnx").unlink()
        case "log":
            (place / "log.txt").unlink()
        case "report":
            (place / "report.json").write_text("{}")
    publish(source, REPORT, 2)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == whole


def test_another_report_replaces_the_folder(source: Path) -> None:
    publish(source, REPORT, 1)
    place, _ = publish(source, replace(REPORT, notes=("another note",)), 2)
    assert "another note" in (place / "report.json").read_text()


def test_somebody_elses_folder_is_refused_and_said(source: Path) -> None:
    theirs = source.parent / "out" / NAME
    theirs.mkdir(parents=True)
    (theirs / "thesis.txt").write_text("three years")
    place, unsaved = publish(source, REPORT, 1)
    assert "is not edgekit's" in unsaved[0]
    assert [path.name for path in place.iterdir()] == ["thesis.txt"]
