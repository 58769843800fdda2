"""The published figures themselves: the benchmark's two files, and the table that ships."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit.projection.database import TABLE, read_database
from edgekit.projection.figure import Network, read_figures
from edgekit.projection.fit import fit
from edgekit.projection.panel import panels_of
from edgekit.projection.predict import survey, work_of
from edgekit.projection.predictor import Predictor
from edgekit.projection.shipping import table_of

pytestmark = pytest.mark.shared_data
REPOSITORY = Path(__file__).parents[2]
BENCHMARK = REPOSITORY / "benchmarks" / "projection.py"


@pytest.fixture(scope="module")
def published(shared_data: Path) -> Path:
    return shared_data / "latency" / "published.csv"


def ran(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, BENCHMARK, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_figures_held_back_at_random_are_predicted(published: Path, tmp_path: Path) -> None:
    """Phones and NPUs whole, every sixteenth board of ncnn; a seventh of the figures is held back, and one unknown network."""
    with published.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["suggested_split"] != "context"]
    boards = sorted({row["device"] for row in rows if row["source_id"] == "ncnn"})[::16]
    rows = [row for row in rows if row["source_id"] != "ncnn" or (row["device"] in boards and row["statistic"] == "min")]
    random.Random(7).shuffle(rows)
    held = len(rows) // 7
    stranger = rows[0] | {"model": "secretnet", "variant": "secretnet"}
    for name, part in (("a.csv", rows[held:]), ("b.csv", [*rows[:held], stranger, rows[-1]])):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(part)
    done = ran("--fit", tmp_path / "a.csv", "--test", tmp_path / "b.csv", "--json")
    assert done.returncode == 0, done.stderr
    assert "secretnet" in done.stderr
    assert "1 figures are in both files" in done.stderr
    found: dict[tuple[str, str], dict[str, Any]] = {(row["source"], row["tier"]): row for row in json.loads(done.stdout)}
    for source, median in (("tflite-hosted", 0.12), ("ncnn", 0.11), ("qai-hub", 0.14), ("paddleclas-sd855", 0.12)):
        row = found[source, "calibrated"]
        assert row["median_ape"] < median, row
        assert row["median_ape"] < row["macs_median_ape"] / 2, row
    every = [row for (_, tier), row in found.items() if tier == "calibrated"]
    inside = sum(row["coverage_90"] * row["n"] for row in every) / sum(row["n"] for row in every)
    assert 0.83 <= inside <= 0.99


def test_a_file_that_is_none_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("model,latency_ms\nx,nan\n")
    done = ran("--fit", tmp_path / "a.csv", "--test", tmp_path / "a.csv")
    assert done.returncode == 5
    assert "lacks the column" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_table_that_ships_is_what_the_script_makes(published: Path) -> None:
    """But for the intervals' quantiles, which take a minute: `benchmarks/projection.py --write` makes those too."""
    made = json.loads(json.dumps(table_of(read_figures(published, context=True), intervals=False)))
    shipped = json.loads((REPOSITORY / "edgekit" / "projection" / TABLE).read_text("utf-8"))
    assert {**made, "widths": shipped["widths"]} == shipped


def test_what_a_user_is_told_is_what_was_tried_with_figures_held_back(published: Path) -> None:
    """The fit of the figures that ship is that of the file, for networks of every size."""
    networks = [Network("mobilenet_v2", 1.0, 224), Network("mobilenet_v1", 0.3, 100), Network("mobilenet_v3_small", 0.35, 32)]
    works = [work_of(network) for network in networks]
    panels, database = panels_of(read_figures(published)), read_database()
    predictor = Predictor(database)
    for block, model in fit(panels).items():
        surface = survey(model, panels[block].there, networks)
        for known in database.settings:
            row = panels[block].rows.get(known.setting) if known.setting.block == block else None
            if row is not None:
                said = [predictor.predict(known.setting, known.tier, *each).log_ms for each in zip(networks, works, strict=True)]
                assert said == pytest.approx(surface.log_ms[row], abs=5e-3), "dates are rounded"
