"""Makes the table that ships: `python benchmarks/projection.py --write`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.projection.database import TABLE
from edgekit.projection.figure import Figure
from edgekit.projection.interval import learn
from edgekit.projection.panel import Block, Panel, panels_of
from edgekit.projection.predict import tier_of
from edgekit.projection.setting import Setting
from edgekit.projection.trial import without_devices, without_families, without_networks


def write_tables(figures: Sequence[Figure], folder: Path | None = None) -> list[Path]:
    """Write the table with all figures, and how wide the intervals of predictions are that are made from them.

    Args:
        figures: published, with those of "context", which nothing is fitted on.
        folder: to write into, instead of this package.
    """
    path = (folder or Path(__file__).parent) / TABLE
    path.write_text(json.dumps(table_of(figures), separators=(",", ":"), ensure_ascii=False) + "\n", "utf-8")
    return [path]


def table_of(figures: Sequence[Figure], *, intervals: bool = True) -> dict[str, Any]:
    """The table in its compact form; without `intervals` at once."""
    usable = [figure for figure in figures if figure.split != "context"]
    chips = _described(figures, {figure.setting.device for figure in usable})
    panels = panels_of(usable, chips)
    settings = list(dict.fromkeys([*(figure.setting for figure in figures), *chips]))
    settings.sort(key=lambda s: (s.device.lower(), s.runtime, s.compute_unit, s.precision, s.threads.zfill(3), s.cores, s.run))
    sources = list(dict.fromkeys(_source(figure) for figure in figures))
    networks = list(dict.fromkeys(figure.network for figure in figures))
    statistics = list(dict.fromkeys(figure.statistic for figure in figures))
    details = list(dict.fromkeys(figure.detail for figure in figures))
    rows: dict[Setting, list[list[Any]]] = {setting: [] for setting in settings}
    for figure in figures:
        row = [networks.index(figure.network), figure.latency_ms, statistics.index(figure.statistic)]
        row += [sources.index(_source(figure)), int(figure.source.partition("#L")[2] or 0)]
        rows[figure.setting].append([*row, *([details.index(figure.detail)] if figure.detail else [])])
    return {
        "sources": [list(source) for source in sources],
        "networks": [[n.name, n.width, n.resolution] for n in networks],
        "statistics": statistics,
        "details": details,
        "widths": _widths(panels, usable) if intervals else [],
        "settings": [
            {"setting": _fields(setting), "tier": _tier(setting, panels.get(setting.block)), "figures": rows[setting]}
            for setting in settings
        ],
    }


def _source(figure: Figure) -> tuple[str, str, str, bool]:
    return figure.source_id, figure.source.partition("#L")[0], figure.licence, figure.split == "context"


def _widths(panels: dict[Block, Panel], figures: Sequence[Figure]) -> list[tuple[str, float]]:
    rehearsal = [*without_families(panels, figures), *without_networks(panels, figures)]
    for anchored in (True, False):
        rehearsal += without_devices(panels, figures, anchored=anchored)
    return sorted(("|".join(sort), round(value, 4)) for sort, value in learn(rehearsal).quantiles.items())


def _tier(setting: Setting, panel: Panel | None) -> str:
    at = panel.rows.get(setting) if panel else None
    return "none" if panel is None or at is None else tier_of(int((panel.there[at] > 0).sum()))


def _fields(setting: Setting) -> list[Any]:
    fields = [setting.runtime, setting.device, setting.chipset, setting.precision, setting.compute_unit, setting.threads]
    return [*fields, setting.run, setting.unit_class, setting.precision_class, round(setting.year, 2), setting.cores]


def _described(figures: Sequence[Figure], measured: set[str]) -> list[Setting]:
    """Devices of which only "context" tells, with a chip that can be told: on a CPU by ncnn, which knows most chips."""
    found: dict[str, Setting] = {}
    for figure in figures:
        setting = replace(figure.setting, unit_class="cpu", runtime="ncnn", run="", year=2022.0)
        if figure.split == "context" and setting.device not in measured and setting.core != "?":
            found.setdefault(setting.device, setting)
    modes = (("fp32 or fp16 (ncnn auto by CPU/GPU features)", "float"), ("int8", "int8"))
    return [
        replace(setting, compute_unit="cpu", precision=precision, precision_class=kind, threads=threads)
        for setting in found.values()
        for precision, kind in modes
        for threads in ("1", "4")
    ]
