"""`edgekit devices`, on the table that ships."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgekit.cli.devices import devices
from edgekit.errors import UsageError


@pytest.fixture
def found(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Devices that a search finds."""
    assert devices(search=request.param, json=True) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["devices"]
    return rows


@pytest.mark.parametrize(
    ("found", "column"),
    [("pixel 3", "device"), ("CORTEX-A76", "chipset"), ("radeon pro", "chipset"), ("tensorflow lite", "runtimes")],
    indirect=["found"],
)
def test_a_search_looks_at_name_chipset_and_runtime(
    found: list[dict[str, Any]], column: str, request: pytest.FixtureRequest
) -> None:
    search = request.node.callspec.params["found"]
    assert any(search.lower() in str(row[column]).lower() for row in found)


@pytest.mark.parametrize("found", ["4", "none", "calibrated", "['", "fp32"], indirect=True)
def test_a_search_looks_at_nothing_else(found: list[dict[str, Any]], request: pytest.FixtureRequest) -> None:
    """Neither at numbers of threads and networks, nor at tiers, precisions and sources."""
    search = request.node.callspec.params["found"]
    assert all(any(search in text.lower() for text in (row["device"], row["chipset"], *row["runtimes"])) for row in found)


def test_one_device_and_a_search_are_not_asked_for_at_once() -> None:
    with pytest.raises(UsageError, match=r"'Pixel 3' is one device and --search looks through all: say one of them"):
        devices("Pixel 3", search="pixel")
