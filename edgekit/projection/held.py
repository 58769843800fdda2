"""A file of figures to fit on, another to be predicted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.projection.figure import Figure
from edgekit.projection.fit import fit
from edgekit.projection.interval import learn
from edgekit.projection.panel import known_work, panels_of
from edgekit.projection.predict import by_macs, names_of, survey, tier_of
from edgekit.projection.trial import Trial, without_devices, without_families, without_networks


@dataclass(frozen=True)
class Outcome:
    """What was predicted, and what could not be.

    Attributes:
        trials: predictions.
        covered: whether each figure is in its interval.
        published: figures that the first file has as they are.
        unpredicted: names of what could not be predicted, and how many figures of each.
    """

    trials: list[Trial]
    covered: list[bool]
    published: int
    unpredicted: dict[str, int]


def predict_held(known: Sequence[Figure], asked: Sequence[Figure]) -> Outcome:
    """Fit on the figures that are known and predict the others."""
    keys = {figure.key for figure in known}
    fresh = [figure for figure in asked if figure.key not in keys]
    panels = panels_of(known, [figure.setting for figure in fresh])
    fitted = fit(panels)
    rehearsal = [*without_families(panels, known), *without_networks(panels, known)]
    rehearsal += [t for anchored in (True, False) for t in without_devices(panels, known, anchored=anchored)]
    widths = learn(rehearsal)
    trials: list[Trial] = []
    unpredicted: Counter[str] = Counter()
    blocks = {figure.setting.block for figure in fresh}
    for block in sorted(blocks):
        wanted = [figure for figure in fresh if figure.setting.block == block]
        if block not in panels:
            unpredicted.update(f"{' '.join(block)}: no figures of it to fit on" for _ in wanted)
            continue
        panel = panels[block]
        networks = list(dict.fromkeys(figure.network for figure in wanted if known_work(figure.network) is not None))
        columns = {network: i for i, network in enumerate(networks)}
        surface = survey(fitted[block], panel.there, networks) if networks else None
        macs = by_macs(panel, panel.there, networks) if networks else None
        for figure in wanted:
            column = columns.get(figure.network)
            if column is None or surface is None or macs is None:
                size = f"of width {figure.network.width:g} and {figure.network.resolution} pixels"
                unpredicted[f"{figure.model} {size}: its operators are not known"] += 1
                continue
            row = panel.row(figure.setting)
            assert row is not None  # every setting that is asked for has one
            trials.append(
                Trial(
                    figure,
                    float(surface.log_ms[row, column]) + panel.lift(row, figure.statistic, panel.there),
                    float(surface.spread[row, column]),
                    tier_of(int(np.count_nonzero(panel.there[row]))),
                    bool(surface.kin[column]),
                    names_of(surface.unseen[row, column]),
                    float(macs[row, column]),
                    "file",
                )
            )
    covered = [abs(t.error) <= widths.half_width(t.figure.setting.block, t.tier, t.kin, t.spread) for t in trials]
    return Outcome(trials, covered, len(asked) - len(fresh), dict(unpredicted))
