"""Fits to devices that obey the model, and to figures that were shuffled and obey nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgekit.projection import cores, cost
from edgekit.projection.figure import Figure, Network
from edgekit.projection.fit import fit
from edgekit.projection.held import predict_held
from edgekit.projection.interval import covered, learn, quantile
from edgekit.projection.likeness import Rates, differences
from edgekit.projection.panel import charges_of, known_work, panels_of
from edgekit.projection.predict import names_of, survey, tier_of
from edgekit.projection.setting import Setting, precision_class, unit_class
from edgekit.projection.summary import as_json, summarise
from edgekit.projection.trial import without_devices, without_families, without_networks
from edgekit.projection.widths import WIDEST, Widths
from tests.unit.projection.conftest import figure, network_of, setting

DEVICES = tuple(f"board {i}" for i in range(8))
BLOCK = ("ncnn", "cpu", "float")
Make = Callable[..., list[Figure]]


def errors(figures: list[Figure]) -> np.ndarray:
    return np.abs(np.expm1([trial.error for trial in without_families(panels_of(figures), figures)]))


def test_a_family_that_was_held_back_is_predicted(make_figures: Make) -> None:
    assert np.median(errors(make_figures(DEVICES))) < 0.12


def test_shuffled_latencies_cannot_be_predicted(make_figures: Make) -> None:
    """The control: if this were good as well, something would leak."""
    figures = make_figures(DEVICES)
    latencies = [figure.latency_ms for figure in figures]
    random.Random(0).shuffle(latencies)
    shuffled = [replace(figure, latency_ms=ms) for figure, ms in zip(figures, latencies, strict=True)]
    assert np.median(errors(shuffled)) > 3 * np.median(errors(figures))


def test_it_beats_scaling_by_macs(make_figures: Make) -> None:
    figures = make_figures(DEVICES)
    trials = list(without_networks(panels_of(figures), figures))
    (row,) = summarise(trials, covered(trials))
    assert row.n == len(figures)
    assert row.median_ape < row.macs_median_ape / 2


def test_what_is_held_back_does_not_reach_the_fit(make_figures: Make) -> None:
    """A held-back figure a thousand times as long changes no prediction."""
    figures = make_figures(DEVICES[:3])
    family = [trial for trial in without_families(panels_of(figures), figures) if trial.held == "family vgg"]
    wrong = [replace(f, latency_ms=f.latency_ms * 1000) if f.model == "vgg16" else f for f in figures]
    again = [trial for trial in without_families(panels_of(wrong), wrong) if trial.held == "family vgg"]
    assert [trial.log_ms for trial in again] == pytest.approx([trial.log_ms for trial in family])


def test_tiers_follow_the_networks_left_in_a_setting(make_figures: Make) -> None:
    assert [tier_of(count) for count in (0, 1, 2, 30)] == ["specification", "anchored", "calibrated", "calibrated"]
    figures = make_figures(DEVICES)
    panels = panels_of(figures)
    assert {trial.tier for trial in without_families(panels, figures)} == {"calibrated"}
    assert {trial.tier for trial in without_devices(panels, figures, anchored=True)} == {"anchored"}
    assert {trial.tier for trial in without_devices(panels, figures, anchored=False)} == {"specification"}


def test_an_anchor_beats_none(make_figures: Make) -> None:
    figures = make_figures(DEVICES)
    panels = panels_of(figures)
    anchored, none = (
        np.median(np.abs([trial.error for trial in without_devices(panels, figures, anchored=one)])) for one in (True, False)
    )
    assert anchored < none / 2


def test_slow_memory_is_expected_of_operators_that_were_not_seen(make_figures: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one board all that waits for memory takes four times as long; no figure of it has a shuffle or a concatenation."""
    names = ("mobilenet_v1", "mobilenet_v2", "mnasnet", "resnet18", "resnet50", "vgg16")
    slow = np.array([4.0 if name in cost.WAITS[1] else 1.0 for name in cost.CORE_TERMS])
    figures = make_figures(DEVICES)
    asked = Network("shufflenet_v2", 1.0, 224)
    profile = np.exp(np.random.default_rng(0).normal(0, 0.3, len(slow)))  # of `make_figures`
    figures += [figure(setting("slow"), name, float(profile * slow @ charges_of(network_of(name), BLOCK))) for name in names]
    true = np.log(profile * slow @ charges_of(asked, BLOCK))
    errors = []
    for habits in (cores.BOARDS, replace(cores.BOARDS, wait=0.0)):
        monkeypatch.setattr(cores, "BOARDS", habits)
        panels = panels_of(figures)
        ((block, panel),) = panels.items()
        row = panel.rows[setting("slow")]
        errors.append(abs(survey(fit(panels)[block], panel.there, [asked]).log_ms[row, 0] - true))
    assert errors[0] < 0.8 * errors[1]


def test_one_figure_of_a_like_board_tells_how_slow_a_board_without_any_is(make_figures: Make) -> None:
    """Boards with many figures have other cores; of this sort there is one figure, eight times as long as theirs."""
    figures = make_figures(DEVICES)
    network, new = Network("resnet50", 1.0, 224), setting("new", chipset="Cortex-A53 x 4")
    usual_ms = float(np.exp(np.mean([f.log_ms for f in figures if f.network == network])))
    figures.append(figure(setting("like it", chipset="Cortex-A53 x 4"), "resnet50", 8 * usual_ms))
    panel = panels_of(figures, asked=[new])[BLOCK]
    predicted = survey(fit({BLOCK: panel})[BLOCK], panel.there, [network]).log_ms[panel.rows[new], 0]
    assert predicted == pytest.approx(np.log(8 * usual_ms), abs=np.log(1.5))


def test_a_network_of_a_width_that_is_not_listed_is_not_known(make_figures: Make) -> None:
    """ShuffleNet V2's channels are listed width by width; there is none of 0.75."""
    assert known_work(Network("shufflenet_v2", 0.5, 224)) is not None
    assert known_work(Network("shufflenet_v2", 0.75, 224)) is None
    odd = replace(figure(setting("new"), "shufflenet_v2", 9.0), network=Network("shufflenet_v2", 0.75, 224))
    outcome = predict_held(
        [*make_figures(DEVICES[:3], ("mobilenet_v2", "resnet18", "vgg16")), odd], [replace(odd, latency_ms=8.0)]
    )
    assert outcome.unpredicted == {"shufflenet_v2 of width 0.75 and 224 pixels: its operators are not known": 1}


def test_a_device_of_which_only_an_unknown_network_was_measured_is_predicted_like_any_other(make_figures: Make) -> None:
    known = [*make_figures(DEVICES[:3], ("mobilenet_v2", "resnet18", "vgg16")), figure(setting("new"), "secretnet", 9.0)]
    outcome = predict_held(known, [figure(setting("new"), "mobilenet_v1", 12.0), figure(setting("new"), "secretnet", 8.0)])
    assert [(trial.figure.model, trial.tier) for trial in outcome.trials] == [("mobilenet_v1", "specification")]
    assert outcome.unpredicted == {"secretnet of width 1 and 224 pixels: its operators are not known": 1}


def test_one_figure_under_a_new_runtime_is_helped_by_like_cores_under_the_known_one(make_figures: Make) -> None:
    """Cores of one sort wait four times as long for memory; a board of that sort has one figure under another runtime."""
    slow = np.array([4.0 if name in cost.WAITS[1] else 1.0 for name in cost.CORE_TERMS])
    profile = np.exp(np.random.default_rng(0).normal(0, 0.3, len(slow)))  # of `make_figures`
    figures = make_figures(DEVICES)
    names = {f.network.name for f in figures}
    for board in ("little one", "little two"):
        where = setting(board, chipset="Cortex-A53 x 4")
        figures += [figure(where, name, float(profile * slow @ charges_of(network_of(name), BLOCK))) for name in names]
    block, asked = ("XNNPACK", "cpu", "float"), Network("shufflenet_v2", 1.0, 224)
    anchor, true = (float(profile * slow @ charges_of(n, block)) for n in (Network("resnet50", 1.0, 224), asked))
    errors = []
    for chip in ("Cortex-A53 x 4", "a chip of nobody's"):
        where = setting("new", runtime="XNNPACK", chipset=chip)
        panels = panels_of([*figures, figure(where, "resnet50", anchor)])
        errors.append(abs(survey(fit(panels)[block], panels[block].there, [asked]).log_ms[0, 0] - np.log(true)))
    assert errors[0] < 0.7 * errors[1]


def test_an_operator_that_no_figure_had_widens_the_prediction_and_is_named(make_figures: Make) -> None:
    names = ("mobilenet_v1", "mobilenet_v2", "resnet18", "resnet50", "squeezenet1.1", "vgg16")
    asked = [Network("mnasnet", 1.0, 224), Network("mobilenet_v2", 0.75, 224)]
    spreads = []
    for more in ((), ("proxylessnasnet",)):  # only this one has depthwise 5x5
        panels = panels_of(make_figures(DEVICES, (*names, *more)))
        ((block, panel),) = panels.items()
        surface = survey(fit(panels)[block], panel.there, asked)
        assert [names_of(mask) for mask in surface.unseen[0]] == [() if more else ("depthwise5",), ()]
        assert list(surface.kin) == [False, True]
        spreads.append(surface.spread[:, 0].mean())
    assert spreads[0] > 1.15 * spreads[1]


def test_intervals_hold_what_they_promise(make_figures: Make) -> None:
    figures = make_figures([f"board {i}" for i in range(20)])
    trials = list(without_networks(panels_of(figures), figures))
    assert 0.85 <= np.mean(covered(trials)) <= 0.97


def test_a_quantile_is_never_below_its_share() -> None:
    assert quantile([1.0]) == 1.0
    assert quantile(list(range(1, 101))) == 91
    assert Widths({(): 2.0}).half_width(("r", "cpu", "float"), "anchored", True, 0.1) == pytest.approx(0.2)
    assert Widths({}).half_width(("r", "cpu", "float"), "anchored", True, 0.1) == WIDEST, "nothing was learnt"
    assert learn([]).quantiles == {}


def test_few_held_back_figures_widen_an_interval_and_do_not_narrow_it(make_figures: Make) -> None:
    trials = list(without_networks(panels_of(figures := make_figures(DEVICES)), figures))
    spread = trials[0].spread
    elsewhere = replace(figures[0], setting=setting("one", runtime="another"))
    usual = learn(trials).quantiles[()]

    def width(count: int, error: float) -> float:
        """Of the other runtime, from so many trials that are off by so many spreads."""
        off = replace(trials[0], figure=elsewhere, log_ms=elsewhere.log_ms + error * spread, spread=spread)
        return learn([*trials, *[off] * count]).half_width(elsewhere.setting.block, off.tier, off.kin, 0.1) * 10

    assert width(5, 9.0) == pytest.approx(9.0)
    assert width(5, 0.01) == pytest.approx(usual, rel=0.2)
    assert width(4, 9.0) == pytest.approx(usual, rel=0.3)
    assert width(30, 0.01) == pytest.approx(0.01)


def test_a_second_file_is_predicted_and_what_cannot_be_is_named(make_figures: Make) -> None:
    figures = make_figures(DEVICES)
    known, asked = figures[:-4], figures[-6:]  # two are in both
    stranger = figure(setting("board 0"), "secretnet", 5.0)
    elsewhere = figure(setting("board 0", runtime="another", unit_class="npu"), "resnet18", 5.0)
    new = figure(setting("board 99"), "resnet18", 50.0)
    outcome = predict_held(known, [*asked, stranger, elsewhere, new])
    assert outcome.published == 2
    assert sum(outcome.unpredicted.values()) == 2
    assert any("secretnet" in name for name in outcome.unpredicted)
    assert [trial.tier for trial in outcome.trials] == ["calibrated"] * 4 + ["specification"]
    rows = summarise(outcome.trials, outcome.covered)
    keys = {"source", "tier", "n", "median_ape", "within_20", "within_30", "coverage_90", "macs_median_ape"}
    assert all(keys <= row.keys() for row in as_json(rows, rows))


def test_min_and_mean_of_one_measurement_are_predicted_each(make_figures: Make) -> None:
    figures = make_figures(DEVICES)
    both = [*figures, *(replace(f, statistic="min", latency_ms=f.latency_ms / 1.1) for f in figures)]
    panels = panels_of(both)
    (panel,) = panels.values()
    assert panel.lift(0, "mean", panel.there) - panel.lift(0, "min", panel.there) == pytest.approx(np.log(1.1))
    assert panel.lift(0, "min", 0 * panel.there) == 0.0, "what is held back tells nothing"
    assert len(panel.networks) == len({f.network for f in figures})


def test_the_only_statistic_of_a_setting_is_no_longer_than_itself(make_figures: Make) -> None:
    """Two figures of one network, as of its heads of 101 and of 1000 classes, which count as one."""
    figures = make_figures(DEVICES)
    (panel,) = panels_of([*figures, *(replace(f, latency_ms=f.latency_ms * 1.2) for f in figures)]).values()
    assert panel.lift(0, "mean", panel.there) == pytest.approx(0.0, abs=1e-12)


def near(first: Setting, second: Setting) -> float:
    """How alike two settings are if every fact counts one."""
    return float(Rates(1.0, 1.0, 1.0, 1.0).near(differences([first], [second]))[0, 0])


def test_likeness_counts_cores_threads_and_years() -> None:
    first = setting("one")
    assert near(first, setting("two")) == 1
    far = (
        setting("three", chipset="Cortex-A53"),
        setting("three", threads="4"),
        setting("three", year=2018.0),
    )
    assert all(near(first, other) == near(other, first) < 0.4 for other in far)
    assert near(first, setting("four", chipset="Cortex-A78")) > near(first, far[0])
    assert Rates(speed=2.0).near(differences([first], [first]), np.array([[0.5]]))[0, 0] == pytest.approx(np.exp(-1))


def test_little_cores_are_those_of_a_little_chip() -> None:
    chip = "Rockchip RK3588 (Cortex-A76 2.4GHz x 4 + Cortex-A55 1.8GHz x 4)"
    big, little = setting("one", chipset=chip, cores="big"), setting("one", chipset=chip, cores="little")
    assert (big.unit, little.unit) == ("cpu, big cores", "cpu, little cores")
    assert near(little, setting("two", chipset="Cortex-A55")) == 1 > near(little, big)


def test_two_ways_to_one_gpu_are_unlike() -> None:
    ways = [setting("one", chipset="Adreno", unit_class="gpu", compute_unit=unit) for unit in ("gpu(opencl)", "nnapi")]
    assert near(ways[0], ways[0]) == 1 > near(*ways)


@pytest.mark.parametrize(
    ("unit", "precision", "expected"),
    [
        ("cpu (big cores)", "fp32", ("cpu", "float")),
        ("gpu(vulkan)", "int8 (uint8 per-tensor)", ("gpu", "int8")),
        ("nnapi", "w8a8", ("npu", "int8")),
        ("nnapi", "fp32", ("gpu", "float")),
        ("ALL (ANE/GPU/CPU)", "fp16", ("npu", "float")),
        ("igpu", "w8a16_mixed_int16", ("gpu", "int8 with int16 activations")),
    ],
)
def test_names_of_units_and_precisions_are_understood(unit: str, precision: str, expected: tuple[str, str]) -> None:
    kind = precision_class(precision)
    assert (unit_class(unit, kind), kind) == expected
