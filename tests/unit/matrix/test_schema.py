from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from jsonschema import Draft202012Validator

from edgekit.errors import InputError
from edgekit.matrix.cell import expand
from edgekit.matrix.config import Precision
from edgekit.matrix.file import parse_config
from edgekit.matrix.record import MatrixReport
from edgekit.matrix.schema import SCHEMAS
from edgekit.precision import PRECISIONS
from tests.gallery import everything

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
PUBLISHED = {"config": REFERENCE / "edgekit.schema.json", "matrix": REFERENCE / "matrix.schema.json"}
PAGE = REFERENCE / "edgekit-toml.md"


def published(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PUBLISHED[name].read_text("utf-8"))
    return found


def records(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schemas of all records in one, by title."""
    schema = published(name)
    yield schema["title"], schema
    yield from schema["$defs"].items()


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_published_is_what_the_records_give(name: str) -> None:
    made = json.loads(msgspec.json.encode(SCHEMAS[name]()))
    assert published(name) == made, f"edgekit schema {name} > docs/reference/{PUBLISHED[name].name}"


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_a_schema_of_2020_12_with_a_name(name: str) -> None:
    schema = published(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:edgekit:schema:{name}:1"
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_record_is_described(name: str) -> None:
    for title, record in records(name):
        assert record["description"] or "enum" in record, title
        assert "Attributes:" not in record["description"], title


def test_every_key_of_the_file_and_of_the_matrix_is_described() -> None:
    for name in SCHEMAS:
        for title, record in records(name):
            if name == "config" or title in ("matrix.json", "CellResult", "GoalResult", "Report"):
                assert all(field.get("description") for field in record["properties"].values()), title


def test_the_file_has_no_null() -> None:
    assert '"null"' not in PUBLISHED["config"].read_text("utf-8")


def test_the_precisions_are_those_of_edgekit() -> None:
    assert get_args(Precision) == PRECISIONS


def test_every_key_is_on_the_page_with_its_default() -> None:
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE))
    places = {"edgekit.toml": "The file", "Model": "[[models]]", "Timing": "[latency]", "Goals": "[goals]", "Limits": "[goals]"}
    for title, record in records("config"):
        rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| ", sections[places[title]], re.MULTILINE))
        assert rows.keys() == record["properties"].keys(), title
        for key, field in record["properties"].items():
            if key in record["required"]:
                assert rows[key] == "required"
            elif "default" in field:
                assert rows[key] == f"`{json.dumps(field['default'])}`"
            else:
                assert rows[key] in ("-", "none", "the table's defaults")


def test_the_page_names_every_precision() -> None:
    row = next(line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `precisions` |"))
    assert all(f"`{each}`" in row for each in PRECISIONS)


def test_the_example_on_the_page_is_read() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    Draft202012Validator(published("config")).validate(tomllib.loads(example))
    cells = expand(parse_config(example, Path("edgekit.toml")), Path(), ["onnx"])
    counts = [
        sum(cell.subject.name == name for cell in cells) for name in ("mobilenet_v2", "small-160px", "small-192px", "digits")
    ]
    assert counts == [12, 8, 8, 3]


def test_examples_on_other_pages_are_read() -> None:
    pages = sorted(REFERENCE.parent.rglob("*.md"))
    blocks = [block for page in pages for block in re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)]
    files = [block for block in blocks if "\nmodels = " in f"\n{block}" or "[[models]]" in block]
    assert len(files) >= 2
    for file in files:
        assert parse_config(file, Path("edgekit.toml")).models


def test_the_mistakes_on_the_page_are_those_that_are_told() -> None:
    shown = re.findall(r"^(?:edgekit: )?(edgekit\.toml.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    text = 'models = ["digits"]\nprecisions = ["int4"]\nthread = 2\n\n[goals]\nmin_sqnr_db = "high"\n'
    with pytest.raises(InputError) as caught:
        parse_config(text, Path("edgekit.toml"))
    assert str(caught.value).split("\n") == shown


def is_readable(matrix: Any) -> bool:
    try:
        msgspec.convert(matrix, MatrixReport)
    except msgspec.ValidationError:
        return False
    return True


def test_the_schema_takes_a_matrix_that_edgekit_reads_and_no_other() -> None:
    matrix = json.loads(msgspec.json.encode(everything()))
    validator = Draft202012Validator(published("matrix"))
    cells = matrix["cells"]
    cells += [
        {**cells[0], field: value} for field, value in (("outcome", "good"), ("exit_code", "1"), ("report", 3), ("goals", [{}]))
    ]
    cells += [{key: value for key, value in cells[0].items() if key != "target"}]
    verdicts = []
    for cell in cells:
        each = {**matrix, "cells": [cell]}
        assert validator.is_valid(each) == is_readable(each), cell["name"]
        verdicts.append(validator.is_valid(each))
    assert verdicts.count(True) > 5
    assert not any(verdicts[-5:])
    assert not validator.is_valid({key: matrix[key] for key in matrix if key != "machine"})
