"""Putting an artifact in its place."""

from __future__ import annotations

from pathlib import Path

from edgekit.output import publish


def _made(folder: Path, *files: str) -> Path:
    folder.mkdir()
    for name in files:
        (folder / name).write_text("{}")
    return folder


def test_a_failure_stands_beside_an_artifact_until_the_next_success(tmp_path: Path) -> None:
    place = tmp_path / "model"
    assert publish(_made(tmp_path / "1", "manifest.json", "report.json"), place, force=False) == place
    failed = publish(_made(tmp_path / "2", "report.json"), place, force=True)
    assert (failed.name, (place / "manifest.json").exists()) == ("model.failed", True)
    publish(_made(tmp_path / "3", "manifest.json", "report.json"), place, force=True)
    assert not failed.exists()


def test_a_folder_of_somebody_elses_with_that_name_stays(tmp_path: Path) -> None:
    _made(tmp_path / "model.failed", "thesis.txt")
    publish(_made(tmp_path / "1", "manifest.json", "report.json"), tmp_path / "model", force=False)
    assert (tmp_path / "model.failed/thesis.txt").exists()
