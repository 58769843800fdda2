"""The first edgekit.toml of a project, as a user makes it, and what comes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from edgekit.matrix.config import Config
from edgekit.matrix.file import read_config
from edgekit.matrix.schema import config_schema
from edgekit.matrix.template import first_config
from tests.e2e.conftest import Cli

OWN = ("coreml", "executorch", "onnx", "openvino")


def test_what_is_written_is_read_back(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("init", cwd=tmp_path)
    assert outcome.code == 0, outcome.stderr
    assert "Next: edgekit matrix" in outcome.stdout
    assert "Models: 1, artifacts: 12." in outcome.stdout
    found = read_config(tmp_path / "edgekit.toml")
    assert found == Config(models=found.models, targets=OWN, precisions=("float32", "float16", "int8"), calibration="digits")
    assert [each.model for each in found.entries] == ["digits"]


def test_editors_are_told_of_the_schema_beside_it(cli: Cli, tmp_path: Path) -> None:
    cli("init", cwd=tmp_path)
    first = (tmp_path / "edgekit.toml").read_text("utf-8").split("\n")[0]
    schema = json.loads((tmp_path / first.removeprefix("#:schema ")).read_text("utf-8"))
    assert schema == json.loads(cli("schema", "config").stdout)
    assert Draft202012Validator(schema).is_valid({"models": ["digits"]})
    assert not Draft202012Validator(schema).is_valid({"models": []})


def test_what_is_a_comment_is_valid_too(tmp_path: Path) -> None:
    """Whoever takes a # away gets what the comment says."""
    text = first_config(["digits"], OWN)
    opened = [
        line.removeprefix("# ") if line.startswith("# ") and (" = " in line or "[" in line) else line for line in text.split("\n")
    ]
    (tmp_path / "edgekit.toml").write_text("\n".join(opened), "utf-8")
    found = read_config(tmp_path / "edgekit.toml")
    assert found.resolutions == (192, 224)
    assert found.latency is False
    assert found.entries[0].name == "short"
    assert None not in [getattr(found.goals, name) for name in found.goals.__struct_fields__]
    assert found.goals.of("coreml").min_sqnr_db != found.goals.of("onnx").min_sqnr_db


def test_nothing_is_replaced_unasked(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "edgekit.toml").write_text("mine")
    outcome = cli("init", cwd=tmp_path)
    assert outcome.code == 5
    assert "edgekit.toml is there already. Replace it with --force" in outcome.stderr
    assert (tmp_path / "edgekit.toml").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["edgekit.toml"]
    assert cli("init", "--force", cwd=tmp_path).code == 0
    assert read_config(tmp_path / "edgekit.toml").models


def test_a_changed_schema_is_not_replaced_unasked(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "edgekit.schema.json").write_text("{}")
    outcome = cli("init", cwd=tmp_path)
    assert outcome.code == 5
    assert "edgekit.schema.json is there already" in outcome.stderr
    assert not (tmp_path / "edgekit.toml").exists()


def test_a_second_file_beside_the_first_shares_its_schema(cli: Cli, tmp_path: Path) -> None:
    assert cli("init", cwd=tmp_path).code == 0
    outcome = cli("init", "--config", "a b.toml", cwd=tmp_path)
    assert outcome.code == 0, outcome.stderr
    assert "edgekit matrix --config 'a b.toml'" in outcome.stdout


def test_models_of_the_users_own(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / 'a "quoted" é.pth').touch()
    models = ["-m", 'a "quoted" é.pth', "-m", "google/mobilenet_v2_1.0_224", "-m", str(tmp_path / "sub")]
    outcome = cli("init", "--config", "sub/edgekit.toml", *models, cwd=tmp_path)
    assert outcome.code == 0, outcome.stderr
    found = read_config(tmp_path / "sub" / "edgekit.toml")
    assert [each.model for each in found.entries] == [
        '../a "quoted" é.pth',
        "google/mobilenet_v2_1.0_224",
        str(tmp_path / "sub"),
    ]
    assert "int8" not in found.precisions, "there are no pictures to calibrate on"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["-m", "x/a", "-m", "y/a"], 2, "would be called a, as those of x/a"),
        (["--config", "nowhere/edgekit.toml"], 5, "there is no folder nowhere"),
        (["--config", "."], 5, "is a folder"),
        (["-m", ""], 2, "the string is empty"),
        (["-m", "a\udcff"], 2, "utf-8"),
        (["-m", "a" * 5000], 2, "File name too long"),
    ],
)
def test_what_cannot_be_written(cli: Cli, tmp_path: Path, arguments: list[str], code: int, told: str) -> None:
    outcome = cli("init", *arguments, cwd=tmp_path)
    assert (outcome.code, told in outcome.stderr) == (code, True), outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not list(tmp_path.iterdir())


def test_a_target_of_somebody_elses_is_in_the_file(cli: Cli, fake_plugin: dict[str, str], tmp_path: Path) -> None:
    assert cli("init", cwd=tmp_path, env=fake_plugin).code == 0
    assert "fake" in read_config(tmp_path / "edgekit.toml").targets


def test_without_targets_the_file_is_for_all_that_will_be() -> None:
    assert 'targets = ["all"]' in first_config(["digits"], ())


def test_schemas_are_printed(cli: Cli) -> None:
    assert cli("schema", "config").json == json.loads(json.dumps(config_schema()))
    assert cli("schema", "matrix").json["title"] == "matrix.json"
    outcome = cli("schema", "nothing")
    assert (outcome.code, outcome.stdout) == (2, "")


def test_mistakes_are_told_on_the_command_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "edgekit.toml").write_text("models = ['digits']\nthread = 2\nweight_bits = 9\n")
    outcome = cli("matrix", "--list", cwd=tmp_path)
    assert (outcome.code, outcome.stdout) == (5, "")
    assert outcome.stderr.split("\n")[1:3] == [
        "edgekit.toml:2:1: thread: there is no such key here; did you mean threads?",
        "edgekit.toml:3:15: weight_bits: 9 is above 8",
    ]


def test_the_first_file_works_at_once(cli: Cli, tmp_path: Path) -> None:
    cli("init", cwd=tmp_path)
    environment = {"EDGEKIT_CACHE": str(tmp_path / "cache")}
    outcome = cli("matrix", "--only", "digits-onnx-*", "--no-latency", "-q", cwd=tmp_path, env=environment)
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    matrix = json.loads((tmp_path / "out" / "matrix.json").read_text("utf-8"))
    Draft202012Validator(cli("schema", "matrix").json).validate(matrix)
    passed = [cell["name"] for cell in matrix["cells"] if cell["outcome"] == "passed"]
    assert passed == ["digits-onnx-float32", "digits-onnx-float16", "digits-onnx-int8"]
