"""The JSON Schema of edgekit.toml and the records accept and refuse the same documents."""

from __future__ import annotations

import datetime
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgekit.errors import InputError
from edgekit.matrix.cell import expand
from edgekit.matrix.config import Config, Limits, Model, Timing
from edgekit.matrix.file import convert, parse_config
from edgekit.matrix.mistake import find_mistakes

FILE = Path("edgekit.toml")

# Documents that are right, and such with one thing changed.
SCALARS = (
    st.text(max_size=5)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.just(datetime.UTC))
)
TREES = st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)
NEARLY: list[Any] = [-1, 0, 0.0, 0.1, 0.5, 1, 1.0, 1.5, 7, 8, 9, 15, 16, 19, 20, 224.0, 1024, 1025, 3600, 3601, 4096, 4097, 10**6]
NEARLY += ["", "a", "a\n", ".a", "é", "a" * 100, "a" * 101, "same", "valid", "int8", "int4", True]
NEARLY += [[], {}, [[]], [{}], ["a"], [16], ["int8"], ["float32"]]
KEYS = st.sampled_from(
    [*Config.__struct_fields__, *Model.__struct_fields__, *Timing.__struct_fields__, *Limits.__struct_fields__]
)


def table(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these keys."""
    return st.fixed_dictionaries({}, optional=fields)


def some(*values: str | int) -> st.SearchStrategy[list[str | int]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


LISTS = {"targets": some("onnx", "all"), "precisions": some("float32", "float16"), "resolutions": some(16, 4096)}
FIGURES = st.sampled_from([0.5, 1])
LIMITS = table(**dict.fromkeys(("min_sqnr_db", "max_p95_ms", "max_size_mb", "min_delegated"), FIGURES))
NAMED = table(name=st.sampled_from(["b.c", "d" * 100]), padding=st.just("same"), width=FIGURES, norm_eps=FIGURES, **LISTS)
MODELS = st.builds(lambda rest: {"model": "a", **rest}, NAMED)
RIGHT_DOCUMENTS = st.builds(
    lambda models, rest: {"models": models, **rest},
    MODELS.map(lambda each: [each]) | st.just(["a"]) | MODELS.map(lambda each: ["x", each]),
    table(
        weight_bits=st.integers(7, 8),
        threads=st.sampled_from([1, 1024]),
        output=st.just("a"),
        images=st.just("a"),
        evaluation=st.just("a"),
        allow_overlap=st.booleans(),
        latency=table(iterations=st.just(20), max_seconds=st.sampled_from([0.1, 3600]), warmup=st.just(1)) | st.booleans(),
        options=table(onnx=st.dictionaries(st.text(max_size=2), st.sampled_from(["a", 1, 0.5, True]), max_size=2)),
        goals=st.builds(lambda limits, target: {**limits, "onnx": target}, LIMITS, LIMITS),
        **LISTS,
    ),
)


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    """A right document with one value, key or element replaced, added or taken away."""
    document: dict[str, Any] = deepcopy(draw(RIGHT_DOCUMENTS))
    owners: list[Any] = [document]
    for owner in owners:
        owners += [each for each in (owner.values() if isinstance(owner, dict) else owner) if isinstance(each, dict | list)]
    owner = draw(st.sampled_from(owners))
    new = deepcopy(draw(st.sampled_from(NEARLY) | SCALARS | TREES))
    if isinstance(owner, list):
        owner[draw(st.integers(0, len(owner) - 1)) if owner else 0 :] = draw(st.sampled_from([[], [new]]))
    elif owner and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(owner)))
        owner[key] = new
        if draw(st.integers(0, 4)) == 0:
            del owner[key]
    else:
        owner[draw(KEYS | st.text(max_size=3))] = new
    return document


DOCUMENTS = RIGHT_DOCUMENTS | changed()


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(document=DOCUMENTS)
@example(document={"models": ["a"], "threads": 1.0})
@example(document={"models": ["a"], "goals": {"targets": {"onnx": {}}}})
@example(document={"models": ["a"], "goals": {"targets": {"max_size_mb": 1}}})
def test_the_schema_and_the_records_accept_the_same_documents(document: dict[str, Any]) -> None:
    mistakes = [mistake for mistake in find_mistakes(document) if not mistake.message.endswith("is there twice")]
    if mistakes:
        with pytest.raises(msgspec.ValidationError):
            convert(document)
    else:
        convert(document)


@given(document=RIGHT_DOCUMENTS)
def test_right_documents_are_right(document: dict[str, Any]) -> None:
    assert convert(document).models
    assert not list(find_mistakes(document))


@given(document=DOCUMENTS)
def test_what_is_accepted_can_be_expanded(document: dict[str, Any]) -> None:
    """What `edgekit matrix` does next raises nothing for a file that was accepted."""
    text = "\n".join(f"{key} = {inline(value)}" for key, value in document.items() if key.isalpha() and key.isascii())
    with suppress(InputError):
        found = parse_config(text, FILE)
        expand(found, Path(), ["onnx", "openvino"])


def inline(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{inline(key)} = {inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
