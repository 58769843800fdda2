"""Unit costs of every setting, from figures: a posterior mode around the profile of its runtime and of the settings like it.

In a block (one runtime, unit and precision) the latency of network m in setting d is

    log t(d, m) = log sum_k exp(theta(d, k)) f(m, k) + beta(d, m) + noise

with the charges f of `cost`. theta has a normal prior whose mean is the block's profile, what similar settings deviate from it
(for int8 also the same device in float; for a CPU with one figure or none also like cores under ncnn), and the setting's own
scale; exp keeps every unit cost above 0, and the error is relative. beta is what the sum cannot tell about a network: the mean
of its residuals in similar settings, or of its family's if it has none, and 0 for a family that is not in the file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgekit.projection.cost import alike, charges
from edgekit.projection.figure import Figure, Network
from edgekit.projection.networks.catalogue import family_of, workload_of
from edgekit.projection.setting import Setting, distance, hardware_distance

Array = npt.NDArray[np.float64]
Block = tuple[str, str, str]

NOISE = 0.1  # of a log latency around the sum
MISFIT = 0.1  # of a network's mean position around the sum
OWN = 0.7  # standard deviation of a log unit cost around the profile
OWN_NPU = 0.4  # likewise; accelerators of one runtime are more alike
WAIT = 0.3  # of what the unit costs have in common that wait for the same: a device's memory is slow for all that wait for it
PROFILE_ROOT = 0.5  # of a profile around the scales of `cost`, where nothing better is known
PROFILE = 0.4  # of a runtime's profile around its parent's
SCALE = 1.0  # of a setting's scale around the first estimate
FLOAT = 1.0  # weight of what a device deviates in float, for its int8; a neighbour like it in all has 1
KIN = 0.03  # weight of a relative's residual beside the network's own, from another setting
FREEDOM = 4.0  # of Student's distribution of the errors around the sum
STEPS = 8  # of Gauss and Newton
TINY = 1e-9
# Whose profile another block's starts from: floats on a CPU with most networks; likewise for NPUs.
CPU_ROOT: Block = ("ncnn", "cpu", "float")
NPU_ROOT: Block = ("qnn_dlc", "npu", "float")


def parent_of(block: Block) -> Block | None:
    """Where a block's profile starts from."""
    runtime, unit, precision = block
    if unit == "npu":
        return None if block == NPU_ROOT else NPU_ROOT
    if block == CPU_ROOT:
        return None
    if precision != "float":
        return runtime, unit, "float"
    return CPU_ROOT


@dataclass
class Panel:
    """The figures of one block as a table: settings down, networks across.

    Attributes:
        block: which.
        settings: of the rows.
        networks: of the columns.
        families: of the columns.
        work: (networks, terms) charges in ms.
        logs: (settings, networks) log ms; 0 where there is no figure.
        there: 1.0 where there is a figure.
        likeness: (settings, settings) exp of minus the distance; 0 on the diagonal.
        lift: (setting, statistic) -> log of how much longer this statistic is than the mean of all that the source gives.
        rows: of the settings.
        loose_rows: of the settings, by what runs have in common.
        columns: of the networks.
    """

    block: Block
    settings: list[Setting]
    networks: list[Network]
    families: npt.NDArray[np.str_]
    work: Array
    logs: Array
    there: Array
    likeness: Array
    lift: dict[tuple[int, str], float]
    rows: dict[Setting, int]
    loose_rows: dict[tuple[str, ...], int]
    columns: dict[Network, int]

    def row(self, setting: Setting) -> int | None:
        """Of a setting, or else of another run of it, or None."""
        return self.rows.get(setting, self.loose_rows.get(setting.loosely))


@dataclass
class Fitted:
    """A block's settings with their unit costs.

    Attributes:
        panel: what was fitted.
        profile: (terms,) log unit costs of the runtime, mean 0.
        theta: (settings, terms) log unit costs.
        spread: (settings, terms, terms) posterior covariance of theta.
        lent_residual: (settings, networks) figure less the sum at the unit costs that are lent to similar settings.
        residual: (settings, networks) figure less the sum at theta; 0 where there is no figure.
        near: (settings, settings) likeness with the speed counted in.
        scale: (settings,) log of how slow a setting is, against the profile.
        count: (settings,) figures that were used.
    """

    panel: Panel
    profile: Array
    theta: Array
    spread: Array
    lent_residual: Array
    residual: Array
    near: Array
    scale: Array
    count: Array


def charges_of(network: Network, block: Block) -> Array | None:
    """Charges of a published network in ms, or None if its operators are not known here."""
    work = workload_of(network.name, network.width, network.resolution)
    return None if work is None else np.array(charges(work, block[0], block[1])) + TINY


def panels_of(figures: Sequence[Figure], asked: Iterable[Setting] = ()) -> dict[Block, Panel]:
    """Sort figures into blocks; figures of networks whose operators are not known are left out.

    Args:
        figures: published ones.
        asked: settings that there may be no figure of, to have rows of their own.
    """
    sorted_in: dict[Block, list[Figure]] = defaultdict(list)
    for figure in figures:
        if workload_of(figure.network.name, figure.network.width, figure.network.resolution) is not None:
            sorted_in[figure.setting.block].append(figure)
    measured = {figure.setting.loosely for figure in figures}
    empty: dict[Block, list[Setting]] = defaultdict(list)
    for setting in asked:
        if setting.loosely not in measured:
            empty[setting.block].append(setting)
    return {block: _panel(block, found, empty[block]) for block, found in sorted(sorted_in.items())}


def _panel(block: Block, figures: Sequence[Figure], empty: Sequence[Setting]) -> Panel:
    settings = list(dict.fromkeys([*(figure.setting for figure in figures), *empty]))
    networks = list(dict.fromkeys(figure.network for figure in figures))
    rows, columns = {s: i for i, s in enumerate(settings)}, {n: j for j, n in enumerate(networks)}
    total, count = np.zeros((len(settings), len(networks))), np.zeros((len(settings), len(networks)))
    for figure in figures:
        at = rows[figure.setting], columns[figure.network]
        total[at] += figure.log_ms
        count[at] += 1
    logs = total / np.maximum(count, 1)
    lifts: dict[tuple[int, str], list[float]] = defaultdict(list)
    for figure in figures:
        at = rows[figure.setting], columns[figure.network]
        lifts[at[0], figure.statistic].append(figure.log_ms - logs[at])
    likeness = np.zeros((len(settings), len(settings)))
    for i, setting in enumerate(settings):
        likeness[i, :i] = likeness[:i, i] = [np.exp(-distance(setting, other)) for other in settings[:i]]
    work = np.array([charges_of(network, block) for network in networks])
    families = np.array([family_of(network.name) for network in networks])
    there = (count > 0).astype(float)
    loose = {setting.loosely: i for i, setting in reversed(list(enumerate(settings)))}
    lift = {key: float(np.median(values)) for key, values in lifts.items()}
    return Panel(block, settings, networks, families, work, logs, there, likeness, lift, rows, loose, columns)


def fit(
    panels: dict[Block, Panel], there: dict[Block, Array] | None = None, only: Iterable[Block] | None = None
) -> dict[Block, Fitted]:
    """Fit every block.

    Args:
        panels: the figures.
        there: which figures to use, instead of all.
        only: fit these blocks, instead of all.
    """
    use = {block: panel.there if there is None else there[block] for block, panel in panels.items()}
    profiles: dict[Block, Array] = {}
    fitted: dict[Block, Fitted] = {}

    def fitted_block(block: Block) -> Fitted:
        if block not in fitted:
            source = _source_of(block)
            model = fitted_block(source) if source and source in panels and use[source].any() else None
            fitted[block] = _fit_block(panels[block], use[block], _profile(block, panels, use, profiles), model)
        return fitted[block]

    return {block: fitted_block(block) for block in (panels if only is None else only)}


def _source_of(block: Block) -> Block | None:
    """Whose fit tells of this block's devices: for int8 the same runtime in float, for floats on CPUs the best known runtime."""
    if block[2] != "float":
        return block[0], block[1], "float"
    return CPU_ROOT if block[1] == "cpu" and block != CPU_ROOT else None


def _profile(block: Block, panels: dict[Block, Panel], use: dict[Block, Array], known: dict[Block, Array]) -> Array:
    """The runtime's log unit costs, mean 0: one fit to the mean position of every network, each counted once."""
    if block in known:
        return known[block]
    parent = parent_of(block)
    start = None if parent is None else _profile(parent, panels, use, known)
    if block not in panels:
        known[block] = np.zeros(len(_any_work(panels, block))) if start is None else start
        return known[block]
    panel, there = panels[block], use[block]
    start = np.zeros(panel.work.shape[1]) if start is None else start
    seen = there.sum(0) > 0
    theta = start
    for _ in range(6):
        level = np.log(panel.work @ np.exp(theta))
        scale = _mean(panel.logs - level, there, 1)
        position = np.where(seen, _mean(panel.logs - scale[:, None], there, 0), 0.0)
        wide = np.eye(len(theta)) * (PROFILE_ROOT if parent is None else PROFILE) ** 2 + 25.0
        theta = _mode(panel.work, position[None], seen[None].astype(float), start[None], np.linalg.inv(wide), MISFIT)[0][0]
        theta = theta - theta.mean()
    known[block] = theta
    return theta


def _any_work(panels: dict[Block, Panel], block: Block) -> Array:
    return next(p.work[0] for b, p in panels.items() if (b[1] == "npu") == (block[1] == "npu"))


def _fit_block(panel: Panel, there: Array, profile: Array, source: Fitted | None) -> Fitted:
    prior = np.linalg.inv(_covariance(panel.block[1]))
    count = there.sum(1)
    scale = _mean(panel.logs - np.log(panel.work @ np.exp(profile)), there, 1)
    theta, _ = _mode(panel.work, panel.logs, there, profile + scale[:, None], prior, NOISE)
    slower = np.abs(scale[:, None] - scale[None])
    own_device = np.array([[a.device == b.device for b in panel.settings] for a in panel.settings])
    known = count > 0
    fresh = own_device | ~known[:, None]  # no speed to compare, or the same device in another mode
    near = panel.likeness * np.where(fresh, 1.0, np.exp(-1.5 * slower)) * known[None]
    deviation = theta - profile
    deviation = deviation - _mean_of_terms(deviation)[:, None]
    near = near * (np.maximum(count - 1, 0) / (count + 4.0))[None]  # a setting of one figure has no profile to lend
    lent, trust = _lent(panel, source, count, len(profile))
    around = (near @ deviation + trust * lent) / (near.sum(1, keepdims=True) + trust + 1e-4)
    lent_residual = (panel.logs - _log_sum(panel.work, theta)) * there
    beta = _smoothed(near, lent_residual, there, panel.networks)
    scale = _mean(panel.logs - beta - np.log(panel.work @ np.exp(profile + around).T).T, there, 1)
    guessed = (near @ scale) / np.maximum(near.sum(1), TINY)
    scale = np.where(known, scale, guessed)
    theta, spread = _mode(panel.work, panel.logs - beta, there, profile + around + scale[:, None], prior, NOISE)
    residual = (panel.logs - _log_sum(panel.work, theta)) * there
    return Fitted(panel, profile, theta, spread, lent_residual, residual, near, scale, count)


def _covariance(unit: str) -> Array:
    """Of a setting's log unit costs around the profile."""
    together = np.array(alike(unit), float)
    own = np.eye(len(together)) * (OWN_NPU if unit == "npu" else OWN) ** 2
    result: Array = own + SCALE + (0.0 if unit == "npu" else WAIT**2) * together
    return result


def _lent(panel: Panel, source: Fitted | None, count: Array, terms: int) -> tuple[Array, Array]:
    """What the fit of another block says that these settings deviate from their profile, and how much that counts."""
    if source is None:
        return np.zeros((len(panel.settings), terms)), np.zeros((len(panel.settings), 1))
    if source.panel.block[0] == panel.block[0]:
        return _from_float(panel, source, terms)
    return _from_like_cores(panel, source, count)


def _from_like_cores(panel: Panel, source: Fitted, count: Array) -> tuple[Array, Array]:
    """What cores like these deviate under another runtime: for settings of none or one figure, which tell no profile.

    What is lent to the settings that shaped this runtime's profile is in that profile already, and taken off.
    """
    deviation = source.theta - source.profile
    deviation = deviation - _mean_of_terms(deviation)[:, None]
    like = np.array([[np.exp(-hardware_distance(a, b)) for b in source.panel.settings] for a in panel.settings])
    like = like * (np.maximum(source.count - 1, 0) / (source.count + 4.0))[None]
    total = like.sum(1, keepdims=True)
    lent = like @ deviation / (total + TINY)
    shaped = np.maximum(count - 1, 0) / (count + 4.0)
    needs = (count <= 1)[:, None]
    return (lent - shaped @ lent / (shaped.sum() + 1.0)) * needs, np.minimum(1.0, total) * needs


def _from_float(panel: Panel, in_float: Fitted, terms: int) -> tuple[Array, Array]:
    """What the same device deviates from its profile in float, and how much that counts: little, if it has few figures."""
    lent, trust = np.zeros((len(panel.settings), terms)), np.zeros((len(panel.settings), 1))
    deviation = in_float.theta - in_float.profile
    count = in_float.count
    for i, setting in enumerate(panel.settings):
        same = [
            j
            for j, other in enumerate(in_float.panel.settings)
            if (other.device, other.threads, other.compute_unit) == (setting.device, setting.threads, setting.compute_unit)
        ]
        if same:
            j = max(same, key=lambda j: (in_float.panel.settings[j].run == setting.run, count[j]))
            lent[i] = deviation[j] - deviation[j].mean()
            trust[i] = FLOAT * max(count[j] - 1, 0) / (count[j] + 4)
    return lent, trust


def _mean_of_terms(deviation: Array) -> Array:
    mean: Array = deviation.mean(1)
    return mean


def _log_sum(work: Array, theta: Array) -> Array:
    result: Array = np.log(np.exp(theta) @ work.T)
    return result


def _smoothed(near: Array, residual: Array, there: Array, networks: Sequence[Network]) -> Array:
    """The mean residual of each network, or of its family, in the settings around each."""
    kin = kinship(networks, networks)
    total, weight = near @ (residual * there) @ kin.T, near @ there @ kin.T
    result: Array = total / (weight + 1e-3)
    return result


def kinship(asked: Sequence[Network], known: Sequence[Network], relative: float = KIN) -> Array:
    """How much a known network's residual says of another: 1 for itself, `relative` for its family, 0 for others."""
    families = np.array([family_of(network.name) for network in known])
    rows = [
        np.where(families == family_of(network.name), np.where([network == other for other in known], 1.0, relative), 0.0)
        for network in asked
    ]
    return np.array(rows, float).reshape(len(asked), len(known))


def _mean(values: Array, weight: Array, axis: int) -> Array:
    mean: Array = (values * weight).sum(axis) / np.maximum(weight.sum(axis), TINY)
    return mean


def _mode(
    work: Array, logs: Array, there: Array, prior_mean: Array, prior: npt.NDArray[Any], noise: float
) -> tuple[Array, Array]:
    """Gauss-Newton to the mode of every row's posterior, and the covariance there.

    The errors are Student's, by weighting anew in every step (Lange, Little and Taylor 1989, doi:10.1080/01621459.1989.10478852):
    a network that is unlike all others would bend the unit costs of the rest.
    """
    theta = prior_mean.copy()
    for _ in range(STEPS):
        terms = np.exp(theta)[:, None, :] * work[None]
        total = terms.sum(2)
        share = terms / total[:, :, None]
        off = (logs - np.log(total)) / noise
        weighted = share * (there * (FREEDOM + 1) / (FREEDOM + off**2))[:, :, None]
        curvature = np.swapaxes(weighted, 1, 2) @ share / noise**2 + prior
        slope = np.einsum("dmk,dm->dk", weighted, logs - np.log(total)) / noise**2 - (theta - prior_mean) @ prior
        step = np.linalg.solve(curvature, slope[:, :, None])[:, :, 0]
        theta = theta + step * np.minimum(1.0, 1.0 / np.maximum(np.abs(step).max(1, keepdims=True), TINY))
    covariance: Array = np.linalg.inv(curvature)
    return theta, covariance
