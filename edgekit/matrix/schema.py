"""JSON Schemas of edgekit.toml and matrix.json, made from the records: these are the one truth, docs/reference has a copy."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import msgspec

from edgekit.matrix.config import Config, Limits
from edgekit.matrix.record import MatrixReport

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VERSION = 1
Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
Schema = dict[str, Json]

_ATTRIBUTE = re.compile(r"^ {4}(\w+(?:, \w+)*): (.+(?:\n {8}.+)*)", re.MULTILINE)


def config_schema() -> Schema:
    """The schema of edgekit.toml, as the file is written: TOML has no null, and a target's goals are tables inside of `goals`."""
    schema = _titled(msgspec.json.schema(Config), "config", "edgekit.toml")
    goals = _table(_table(schema["$defs"])["Goals"])
    goals["additionalProperties"] = {"$ref": f"#/$defs/{Limits.__name__}"}
    del _table(goals["properties"])["targets"]
    return _table(_without_null(schema))


def matrix_schema() -> Schema:
    """The schema of matrix.json. A later edgekit may add fields."""
    return _titled(msgspec.json.schema(MatrixReport), "matrix", "matrix.json")


SCHEMAS: dict[str, Callable[[], Schema]] = {"config": config_schema, "matrix": matrix_schema}


def _titled(schema: Schema, name: str, title: str) -> Schema:
    """Name a schema, put the whole document's own at the top, and tell what every field means."""
    definitions = _table(schema["$defs"])
    for each in definitions.values():
        _describe(_table(each))
    whole = _table(definitions.pop(str(schema["$ref"]).rpartition("/")[2]))
    return {"$schema": DIALECT, "$id": f"urn:edgekit:schema:{name}:{VERSION}", **whole, "title": title, "$defs": definitions}


def _describe(record: Schema) -> None:
    """Give the fields of a record the descriptions in its docstring."""
    text = inspect.cleandoc(str(record.get("description", "")))
    summary, _, attributes = text.partition("\n\nAttributes:\n")
    record["description"] = " ".join(summary.split())
    for names, meaning in _ATTRIBUTE.findall(attributes):
        for name in names.split(", "):
            field = _table(_table(record["properties"])[name])
            field.setdefault("description", re.sub(r"\bNone\b", "null", " ".join(meaning.split())))


def _without_null(json: Json) -> Json:
    """Drop null from alternatives, and alternatives that then are one; types alone become one list of types."""
    if isinstance(json, list):
        return [_without_null(each) for each in json]
    if not isinstance(json, dict):
        return json
    found = {key: _without_null(value) for key, value in json.items() if not (key == "default" and value is None)}
    if isinstance(alternatives := found.get("anyOf"), list):
        rest = [each for each in alternatives if each != {"type": "null"}]
        types = [str(each["type"]) for each in rest if isinstance(each, dict) and each.keys() == {"type"}]
        del found["anyOf"]
        if len(rest) == 1:
            found = {**_table(rest[0]), **found}
        elif len(types) == len(rest):
            found["type"] = [each for each in types if not (each == "integer" and "number" in types)]
        else:
            found["anyOf"] = rest
    return found


def _table(json: Json) -> Schema:
    assert isinstance(json, dict)
    return json
