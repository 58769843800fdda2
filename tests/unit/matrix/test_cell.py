from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import UsageError
from edgekit.matrix.cell import Cell, expand, select
from edgekit.matrix.config import Config, Goals, Limits, Model

INSTALLED = ("onnx", "openvino")


def cells_of(folder: Path, **fields: object) -> tuple[Cell, ...]:
    return expand(Config(**fields), folder, INSTALLED)  # type: ignore[arg-type]  # msgspec checks files, not us


def test_the_product_has_models_first(tmp_path: Path) -> None:
    cells = cells_of(tmp_path, models=("digits", "net.pth"), targets=("onnx", "coreml"), precisions=("float32", "int8"))
    assert [cell.name for cell in cells][:5] == [
        "digits-onnx-float32",
        "digits-onnx-int8",
        "digits-coreml-float32",
        "digits-coreml-int8",
        "net-onnx-float32",
    ]
    assert len({cell.subject for cell in cells}) == 2  # what a model's cells share is one thing


def test_all_stands_for_what_is_installed_and_nothing_comes_twice(tmp_path: Path) -> None:
    cells = cells_of(tmp_path, models=("digits",), targets=("all", "onnx"), precisions=("float32", "float32"))
    assert [cell.target for cell in cells] == ["onnx", "openvino"]


def test_a_resolution_that_is_asked_for_is_in_the_name(tmp_path: Path) -> None:
    entry = Model(model="digits", resolutions=(32, 64))
    cells = cells_of(tmp_path, models=(entry,), targets=("onnx",))
    assert [(cell.name, cell.subject.overrides.resolution) for cell in cells] == [
        ("digits-32px-onnx-float32", 32),
        ("digits-64px-onnx-float32", 64),
    ]


def test_two_cells_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two cells are called net-onnx-float32"):
        cells_of(tmp_path, models=("a/net.pth", "b/net.pth"), targets=("onnx",))


def test_paths_are_the_files_and_a_hub_id_stays_one(tmp_path: Path) -> None:
    (tmp_path / "net.pth").touch()
    here, hub = cells_of(tmp_path, models=("net.pth", "google/other"), targets=("onnx",), images="pictures")
    assert here.subject.model == str(tmp_path / "net.pth")
    assert here.subject.images == str(tmp_path / "pictures")
    assert hub.subject.model == "google/other"


def test_options_are_those_of_the_command_line(tmp_path: Path) -> None:
    options = {"onnx": {"opset": 18, "external": True}, "coreml": {"io": "float16"}}
    (cell,) = cells_of(tmp_path, models=("digits",), targets=("onnx",), options=options)
    assert cell.options == {"opset": "18", "external": "true"}


def test_a_targets_goals_stand_before_those_of_all(tmp_path: Path) -> None:
    goals = Goals(min_sqnr_db=40, max_size_mb=9, targets={"onnx": Limits(min_sqnr_db=20)})
    onnx, openvino = cells_of(tmp_path, models=("digits",), targets=("onnx", "openvino"), goals=goals)
    assert (onnx.limits.min_sqnr_db, onnx.limits.max_size_mb) == (20, 9)
    assert (openvino.limits.min_sqnr_db, openvino.limits.max_size_mb) == (40, 9)


def test_the_hardest_drop_is_what_int8_is_made_for(tmp_path: Path) -> None:
    goals = Goals(max_top1_drop=2, targets={"onnx": Limits(max_top1_drop=1)})
    fields = {"models": ("digits",), "targets": ("onnx", "openvino"), "precisions": ("int8",), "goals": goals}
    cells = cells_of(tmp_path, **fields, evaluation="digits", calibration="digits")
    assert {cell.subject.max_drop_points for cell in cells} == {1}
    assert cells[0].subject.preparation(["int8"]).max_drop_points == 1
    assert cells[0].subject.preparation(["float32"]).max_drop_points is None


@pytest.mark.parametrize(
    ("only", "skip", "left"),
    [
        ((), (), {"digits-onnx-float32", "digits-onnx-int8", "digits-coreml-float32", "digits-coreml-int8"}),
        (("*-onnx-*",), (), {"digits-onnx-float32", "digits-onnx-int8"}),
        (("target=onnx", "precision=int8"), (), {"digits-onnx-float32", "digits-onnx-int8", "digits-coreml-int8"}),
        (("model=dig*",), ("*-int8", "target=coreml"), {"digits-onnx-float32"}),
    ],
)
def test_patterns_choose(only: tuple[str, ...], skip: tuple[str, ...], left: set[str], tmp_path: Path) -> None:
    cells = cells_of(tmp_path, models=("digits",), targets=("onnx", "coreml"), precisions=("float32", "int8"))
    out = select(cells, only, skip)
    assert {cell.name for cell in cells} - set(out) == left
    assert all(reason.startswith(("--only", "--skip")) for reason in out.values())


@pytest.mark.parametrize("pattern", ["tflite", "target=tflite", "targets=onnx", "="])
def test_a_pattern_that_matches_nothing_is_a_mistake(pattern: str, tmp_path: Path) -> None:
    cells = cells_of(tmp_path, models=("digits",), targets=("onnx",))
    with pytest.raises(UsageError, match="matches no cell"):
        select(cells, (), (pattern,))
