"""Makes the table that ships: `python benchmarks/projection.py --write`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.projection.database import TABLE
from edgekit.projection.figure import Figure, Network
from edgekit.projection.fit import Fitted, fit
from edgekit.projection.interval import learn
from edgekit.projection.networks.catalogue import family_of
from edgekit.projection.panel import Panel, panels_of
from edgekit.projection.predict import survey, tier_of
from edgekit.projection.setting import Setting
from edgekit.projection.trial import without_devices, without_families, without_networks

# What a user's artifact can be; the corrections that ship are for these.
VERSIONS = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large")
PLAIN = [Network(version, 1.0, 224) for version in VERSIONS]


def write_tables(figures: Sequence[Figure], folder: Path | None = None) -> list[Path]:
    """Fit all figures but those of "context", and write the table with all of them.

    Args:
        figures: published, with those of "context".
        folder: to write into, instead of this package.
    """
    path = (folder or Path(__file__).parent) / TABLE
    path.write_text(json.dumps(table_of(figures), separators=(",", ":"), ensure_ascii=False) + "\n", "utf-8")
    return [path]


def table_of(figures: Sequence[Figure], *, intervals: bool = True) -> dict[str, Any]:
    """The table in its compact form; without `intervals` in seconds."""
    usable = [figure for figure in figures if figure.split != "context"]
    chips = _described(figures, {figure.setting.device for figure in usable})
    panels = panels_of(usable, chips)
    fitted = fit(panels)
    rehearsal = [*without_families(panels, usable), *without_networks(panels, usable)] if intervals else []
    for anchored in (True, False) if intervals else ():
        rehearsal += without_devices(panels, usable, anchored=anchored)
    settings = list(dict.fromkeys([*(figure.setting for figure in figures), *chips]))
    settings.sort(key=lambda s: (s.device.lower(), s.runtime, s.compute_unit, s.precision, s.threads.zfill(3), s.cores, s.run))
    sources = list(dict.fromkeys((f.source_id, f.source.partition("#L")[0], f.licence) for f in figures))
    networks = list(dict.fromkeys(figure.network for figure in figures))
    statistics = list(dict.fromkeys(figure.statistic for figure in figures))
    rows: dict[Setting, list[list[Any]]] = {setting: [] for setting in settings}
    for figure in figures:
        citation, _, line = figure.source.partition("#L")
        source = sources.index((figure.source_id, citation, figure.licence))
        at = networks.index(figure.network)
        rows[figure.setting].append([at, figure.latency_ms, statistics.index(figure.statistic), source, int(line or 0)])
    surfaces = {block: survey(model, model.panel.there, PLAIN) for block, model in fitted.items()}
    return {
        "versions": list(VERSIONS),
        "sources": [list(source) for source in sources],
        "networks": [[n.name, n.width, n.resolution] for n in networks],
        "statistics": statistics,
        "widths": sorted(["|".join(sort), round(value, 4)] for sort, value in learn(rehearsal).quantiles.items())
        if intervals
        else [],
        "relatives": [
            ["|".join(block), sorted(set(panel.families) & {family_of(v) for v in VERSIONS})] for block, panel in panels.items()
        ],
        "settings": [
            _row(setting, rows[setting], panels.get(setting.block), fitted.get(setting.block), surfaces.get(setting.block))
            for setting in settings
        ],
    }


def _row(setting: Setting, figures: list[list[Any]], panel: Panel | None, model: Fitted | None, surface: Any) -> dict[str, Any]:
    at = panel.rows.get(setting) if panel else None
    tier, costs = "none", None
    if panel and model and at is not None:
        tier = tier_of(int((panel.there[at] > 0).sum()))
        costs = {
            "theta": [round(float(value), 3) for value in model.theta[at]],
            "beta": [round(float(value), 3) for value in model.beta(PLAIN)[at]],
            "spread": [round(float(value), 3) for value in surface.spread[at]],
        }
    fields = [setting.runtime, setting.device, setting.chipset, setting.precision, setting.compute_unit, setting.threads]
    fields += [setting.run, setting.unit_class, setting.precision_class]
    return {"setting": [*fields, round(setting.year, 2), setting.cores], "tier": tier, "figures": figures, "costs": costs}


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
