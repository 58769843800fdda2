"""The Gaussian process over NPUs: devices that obey the model, and figures that obey nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgekit.projection import accelerators
from edgekit.projection.accelerators import Accelerators
from edgekit.projection.figure import Figure, Network
from edgekit.projection.fit import fit
from edgekit.projection.likeness import Rates, differences
from edgekit.projection.panel import panels_of
from edgekit.projection.predict import survey
from edgekit.projection.scale import Scales
from edgekit.projection.trial import without_devices, without_families
from tests.unit.projection.conftest import setting

Make = Callable[..., list[Figure]]
NPU = {"runtime": "qnn_dlc", "compute_unit": "npu", "unit_class": "npu"}
BLOCK = ("qnn_dlc", "npu", "float")
DEVICES = tuple(f"phone {i}" for i in range(6))


def fitted(figures: list[Figure]) -> Accelerators:
    model = fit(panels_of(figures))[BLOCK]
    assert isinstance(model, Accelerators)
    return model


def median_error(figures: list[Figure]) -> float:
    return float(np.median(np.abs([trial.error for trial in without_families(panels_of(figures), figures)])))


def test_a_family_that_was_held_back_is_predicted_and_shuffled_figures_are_not(make_figures: Make) -> None:
    figures = make_figures(DEVICES, **NPU)
    latencies = [figure.latency_ms for figure in figures]
    random.Random(0).shuffle(latencies)
    shuffled = [replace(figure, latency_ms=ms) for figure, ms in zip(figures, latencies, strict=True)]
    assert median_error(figures) < 0.2
    assert median_error(shuffled) > 3 * median_error(figures)


def test_what_is_held_back_does_not_reach_the_fit(make_figures: Make) -> None:
    figures = make_figures(DEVICES[:3], **NPU)
    wrong = [replace(f, latency_ms=f.latency_ms * 1000) if f.model == "vgg16" else f for f in figures]
    before, after = (
        [t.log_ms for t in without_families(panels_of(some), some) if t.held == "family vgg"] for some in (figures, wrong)
    )
    assert before == pytest.approx(after)


def test_one_figure_of_a_phone_is_worth_having(make_figures: Make) -> None:
    figures = make_figures(DEVICES, **NPU)
    panels = panels_of(figures)
    anchored, none = (
        np.median(np.abs([trial.error for trial in without_devices(panels, figures, anchored=one, one_by_one=True)]))
        for one in (True, False)
    )
    assert anchored < none / 2


def test_one_by_one_holds_back_every_device_by_itself(make_figures: Make) -> None:
    figures = make_figures(DEVICES, **NPU)
    trials = list(without_devices(panels_of(figures), figures, anchored=False, one_by_one=True))
    held = {trial.held: trial.figure.setting.device for trial in trials}
    assert sorted(held.values()) == sorted(DEVICES)
    assert all(held[trial.held] == trial.figure.setting.device for trial in trials)


def test_a_network_unlike_all_others_bends_the_rest_less_than_its_share(make_figures: Make) -> None:
    """One network takes five times as long everywhere: the others' predictions stay near, and it is told by itself."""
    figures = make_figures(DEVICES, **NPU)
    odd = [replace(f, latency_ms=f.latency_ms * 5) if f.model == "densenet121" else f for f in figures]
    asked = [Network("mobilenet_v2", 0.75, 224), Network("mnasnet", 0.75, 224)]
    plain, bent = (survey(fitted(some), fitted(some).there, asked).log_ms for some in (figures, odd))
    assert np.abs(plain - bent).max() < 0.15
    model = fitted(odd)
    assert model.unlike.argmax() == model.panel.columns[Network("densenet121", 1.0, 224)]


def test_a_phone_known_under_one_runtime_is_known_better_under_another(make_figures: Make) -> None:
    """Without a figure under the other runtime: the parent block tells of this very phone, or of strangers."""
    tflite = NPU | {"runtime": "tflite"}
    block, asked = ("tflite", "npu", "float"), [Network("googlenet", 1.0, 224)]
    other = make_figures(DEVICES, **tflite)
    known: list[float] = []
    strange: list[float] = []
    for phone in DEVICES:
        where = setting(phone, **tflite)
        (truth,) = (f.log_ms for f in other if f.setting == where and f.network == asked[0])
        rest = [f for f in other if f.setting != where]
        for phones, errors in ((DEVICES, known), (tuple(f"stranger {i}" for i in range(6)), strange)):
            panels = panels_of([*make_figures(phones, **NPU), *rest], [where])
            log_ms = survey(fit(panels)[block], panels[block].there, asked).log_ms
            errors.append(abs(log_ms[panels[block].rows[where], 0] - truth))
    assert np.mean(known) < 0.8 * np.mean(strange)


def test_the_spread_shrinks_with_figures_and_grows_for_work_that_none_had(make_figures: Make) -> None:
    few = fitted(make_figures(DEVICES, ("mobilenet_v1", "resnet18"), **NPU))
    many = fitted(make_figures(DEVICES, **NPU))
    asked = [Network("mobilenet_v2", 0.75, 224), Network("vision_transformer", 1.0, 224)]
    spreads = [survey(model, model.there, asked[:1]).spread for model in (few, many)]
    assert (spreads[1] < spreads[0]).all()
    assert survey(few, few.there, asked).spread[0, 1] > survey(few, few.there, asked).spread[0, 0]


def test_a_setting_without_figures_has_the_widest_spread(make_figures: Make) -> None:
    figures = make_figures(DEVICES, **NPU)
    panels = panels_of(figures, [setting("unknown", **NPU)])
    model = fit(panels)[BLOCK]
    spread = survey(model, panels[BLOCK].there, [Network("mobilenet_v2", 0.75, 224)]).spread[:, 0]
    assert spread.argmax() == panels[BLOCK].rows[setting("unknown", **NPU)]


def test_scales_are_what_is_seen_or_what_is_expected() -> None:
    """With very little noise a setting is as slow as its figure says; without a figure, as its device's other settings are."""
    settings = [setting("one"), setting("one", threads="4"), setting("two")]
    scales = Scales(0.0, Rates(), device=1.0, own=0.1)
    seen, count = np.array([1.0, 0.0, -1.0]), np.array([5.0, 0.0, 5.0])
    expected, variance = scales.expected(seen, count, differences(settings, settings), noise=1e-3)
    assert expected[[0, 2]] == pytest.approx([1.0, -1.0], abs=1e-3)
    assert expected[1] == pytest.approx(1.0, abs=0.05)
    assert variance[1] > 100 * variance[0] > 0
    noisy, _ = scales.expected(seen, count, differences(settings, settings), noise=100.0)
    assert np.abs(noisy).max() < 0.01


def test_deviations_of_student_s_kind_are_given_more_variance_the_larger_they_are() -> None:
    given = accelerators._student(np.array([0.0, 1.0, 50.0, 1e9]), 1.0, 1.0)
    assert given.tolist() == [0.5, 1.0, 25.5, 50.5]
