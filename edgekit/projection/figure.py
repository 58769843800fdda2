"""A published figure, and how a file of them is read. The file is anybody's: whatever is wrong with it is an `InputError`."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import InputError, UsageError
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.projection.networks.catalogue import canonical, usual_resolution
from edgekit.projection.setting import Setting, precision_class, unit_class

REQUIRED = ("source_id", "model", "precision", "runtime", "compute_unit", "threads", "device", "chipset", "latency_ms")
_RUN = re.compile(r"run\d+")
_CORES = {"1": "little", "2": "big"}  # what ncnn's benchmark calls powersave; 0 is all cores


@dataclass(frozen=True, slots=True)
class Network:
    """A published network: its name in the catalogue (or the source's, if it is not there), width and resolution."""

    name: str
    width: float
    resolution: int


@dataclass(frozen=True, slots=True)
class Figure:
    """One published latency at batch 1.

    Attributes:
        split: "dev", "anchor", "context" or empty; figures of "context" are not latencies of ours.
        source_id: who published it.
        network: of what.
        setting: where and how.
        latency_ms: greater than 0.
        statistic: "min", "mean", ... as the source has it.
        model: as the source calls it.
        source: the citation.
        licence: of the source.
        line: in the file, from 2.
        detail: what sets the network apart from others of its name: "101 classes", "grayscale input"; empty if not told.
    """

    split: str
    source_id: str
    network: Network
    setting: Setting
    latency_ms: float
    statistic: str
    model: str
    source: str
    licence: str
    line: int
    detail: str = ""

    @property
    def log_ms(self) -> float:
        """Natural logarithm of the latency in ms."""
        return math.log(self.latency_ms)

    @property
    def key(self) -> tuple[object, ...]:
        """What makes it the very same measurement."""
        return (self.source_id, self.network, self.setting, self.statistic, self.latency_ms, self.source)


def read_figures(path: Path, *, context: bool = False) -> tuple[Figure, ...]:
    """Read figures from a CSV file with the columns of `REQUIRED` and, if it has them, those of `Figure`.

    Args:
        path: of the file, UTF-8.
        context: keep the figures that nothing should be fitted on.

    Raises:
        InputError: no such file, no such columns, or a row with a value that cannot be.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            figures = tuple(_figures(csv.DictReader(file), path))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no CSV file in UTF-8: {error}") from error
    if not figures:
        raise InputError(f"{path} has no figures")
    return tuple(figure for figure in figures if context or figure.split != "context")


def _figures(rows: csv.DictReader[str], path: Path) -> Iterator[Figure]:
    missing = [name for name in REQUIRED if name not in (rows.fieldnames or ())]
    if missing:
        raise InputError(f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    for row in rows:
        if None in row or None in row.values():
            raise InputError(f"{path}, line {rows.line_num}: has another number of columns than the first line")
        try:
            yield _figure(row, rows.line_num)
        except (ValueError, UsageError) as error:
            raise InputError(f"{path}, line {rows.line_num}: {error}") from error


def _figure(row: dict[str, str], line: int) -> Figure:
    for name in ("source_id", "model", "device", "runtime"):
        if not row[name].strip():
            raise ValueError(f"{name} is empty")
    width = _number(row, "width", 1.0, 0.01, 100.0)
    latency = _number(row, "latency_ms", None, 1e-6, 1e9)
    source, note = row["source_id"], row.get("note", "")
    name = canonical(row["model"], source)
    resolution = _number(row, "resolution", usual_resolution(name), 8.0, 10_000.0)
    MobileNetSpec("v2", width=width, resolution=int(resolution))  # raises: nothing beyond its bounds can be asked for
    run = _RUN.match(note) if source == "ncnn" else None
    precision = precision_class(row["precision"])
    setting = Setting(
        runtime=row["runtime"],
        device=row["device"],
        chipset=row["chipset"],
        precision=f"{row['precision']} per-tensor" if "per-tensor" in note else row["precision"],  # may be six times faster
        compute_unit=row["compute_unit"],
        threads=row["threads"],
        run=f"{row.get('as_of', '')} {run.group()}" if run else "",
        unit_class=unit_class(row["compute_unit"], precision),
        precision_class=precision,
        year=_year(row.get("as_of", "")),
        cores=_cores(note) if source == "ncnn" else "",
    )
    return Figure(
        row.get("suggested_split", ""),
        source,
        Network(name, width, int(resolution)),
        setting,
        latency,
        row.get("statistic", ""),
        row["model"],
        row.get("source", ""),
        row.get("licence", ""),
        line,
        _detail(note),
    )


def _number(row: dict[str, str], name: str, default: float | None, least: float, most: float) -> float:
    text = row.get(name, "").strip()
    if not text and default is not None:
        return default
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, not a number") from None
    if not least <= value <= most:  # false for NaN as well
        raise ValueError(f"{name} is {text}, not between {least:g} and {most:g}")
    return value


def _cores(note: str) -> str:
    found = re.search(r"powersave=(\d)", note)
    return _CORES.get(found[1], "") if found else ""


def _detail(note: str) -> str:
    found = re.search(r"head=(\d+)", note)
    return ", ".join([*([f"{found[1]} classes"] if found else []), *(["grayscale input"] if "grayscale" in note else [])])


def _year(text: str) -> float:
    """Of a date such as 2022-04-24 or 2020 (Android 10); 2022 if there is none."""
    found = re.search(r"(20[12]\d)(?:-(\d\d))?", text)
    return float(found[1]) + (int(found[2] or 7) - 1) / 12 if found else 2022.0
