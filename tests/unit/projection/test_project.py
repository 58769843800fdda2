"""What a user is told about a device, from the table that ships."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from edgekit.errors import UsageError
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.projection import Projection, project
from edgekit.projection.database import TABLE, read_database


def on_cpu(projections: tuple[Projection, ...]) -> Projection:
    return next(projection for projection in projections if projection.compute_unit.startswith("cpu"))


def test_an_exact_published_figure_is_returned_as_such() -> None:
    """tensorflow/lite/g3doc/guide/hosted_models.md: Mobilenet_V1_0.50_224, CPU, 4 threads, on a Pixel 3: 7.9 ms."""
    found = on_cpu(project(MobileNetSpec("v1", width=0.5), precision="float32", target="executorch", device="Pixel 3"))
    assert (found.tier, found.latency_ms, found.low_ms, found.high_ms) == ("published", 7.9, 7.9, 7.9)
    assert "hosted_models.md" in found.basis
    assert found.sources[0][1] == "Apache-2.0 (code) / CC-BY-4.0 (docs)"


@pytest.mark.parametrize(
    "spec",
    [
        MobileNetSpec("v1", width=0.6),
        MobileNetSpec("v1", width=0.5, resolution=200),
        MobileNetSpec("v1", width=0.5, classes=10),
        MobileNetSpec("v1", width=0.5, input_channels=1),
        MobileNetSpec("v2"),
    ],
)
def test_any_other_network_is_predicted_with_an_interval(spec: MobileNetSpec) -> None:
    found = on_cpu(project(spec, precision="float32", target="onnx", device="pixel 3"))
    assert found.tier == "calibrated"
    assert found.low_ms < found.latency_ms < found.high_ms
    assert any("another runtime" in note for note in found.notes)


def test_a_wider_network_is_slower() -> None:
    widths = [0.35, 0.6, 0.9, 1.2]
    found = [
        on_cpu(project(MobileNetSpec("v2", width=width, resolution=190), precision="float32", target="onnx", device="Pixel 1"))
        for width in widths
    ]
    assert sorted(p.latency_ms for p in found) == [p.latency_ms for p in found]


def test_a_device_of_one_figure_is_anchored_and_one_of_none_has_a_wide_interval() -> None:
    anchored = on_cpu(project(MobileNetSpec("v2"), precision="float32", target="executorch", device="Pixel 2"))
    alone = on_cpu(project(MobileNetSpec("v2"), precision="float32", target="executorch", device="xiaomi 6"))
    near = on_cpu(project(MobileNetSpec("v2"), precision="float32", target="executorch", device="Pixel 3"))
    assert (near.tier, anchored.tier, alone.tier) == ("calibrated", "anchored", "specification")
    widths = [math.log(p.high_ms / p.low_ms) for p in (near, anchored, alone)]
    assert widths == sorted(widths)


def test_an_operator_the_setting_never_had_is_named() -> None:
    notes = [
        note
        for p in project(MobileNetSpec("v3_large"), precision="int8", target="executorch", device="Pixel 3")
        for note in p.notes
    ]
    assert any("squeeze" in note and "wider" in note for note in notes)


def test_core_ml_is_told_of_its_own_and_compressed_weights_of_theirs() -> None:
    spec = MobileNetSpec("v2")
    (plain,) = project(spec, precision="float16", target="coreml", device="iPhone 14 Pro")
    (packed,) = project(spec, precision="palettized-4", target="coreml", device="iPhone 14 Pro")
    assert (plain.runtime, plain.precision, plain.tier) == ("Core ML", "fp16", "published")
    assert "4 bit" in packed.precision
    assert not any("another runtime" in note for note in plain.notes)


def test_an_unknown_device_is_told_with_names_near_it() -> None:
    with pytest.raises(UsageError, match=r"'Pixel 3'"):
        project(MobileNetSpec("v2"), precision="float32", target="onnx", device="pixle 3")
    with pytest.raises(UsageError, match="edgekit devices"):
        project(MobileNetSpec("v2"), precision="float32", target="onnx", device="")


def test_a_precision_that_nobody_published_is_told() -> None:
    with pytest.raises(UsageError, match="It has: "):
        project(MobileNetSpec("v2"), precision="int8", target="onnx", device="Pixel 1".replace("1", "2"))


def test_the_table_is_small_and_whole() -> None:
    from importlib.resources import files

    assert len(files("edgekit.projection").joinpath(TABLE).read_bytes()) < 1_000_000
    database = read_database()
    for known in database.settings:
        assert all(figure.source.citation and figure.source.licence for figure in known.figures)
    assert len(database.devices) > 100


def test_nothing_is_fitted_on_what_is_only_context() -> None:
    hailo = read_database().of_device("HAILO8")
    assert {known.tier for known in hailo} == {"none"}
    assert sum(len(known.figures) for known in hailo) > 10


@pytest.mark.parametrize(
    ("spec", "device", "published_ms"),
    [
        (MobileNetSpec("v1"), "STM32N6570-DK", [19.41]),  # and 16.94 with 101 classes
        (MobileNetSpec("v1", width=0.25), "STM32H747I-DISCO", [166.75]),  # and 163.78 with 5
        (MobileNetSpec("v1", width=0.25, resolution=96), "STM32H747I-DISCO", []),  # 29.94 with 5, 28.34 with one channel
        (MobileNetSpec("v2"), "STM32MP257F-DK2", [11.92, 76.29]),  # per-tensor; per-channel, as edgekit quantises
    ],
)
def test_another_head_or_another_quantisation_is_another_network(
    spec: MobileNetSpec, device: str, published_ms: list[float]
) -> None:
    found = project(spec, precision="int8", target="onnx", device=device)
    assert [row.latency_ms for row in found if row.tier == "published"] == published_ms
    assert all(("per-tensor" in row.precision) == (row.latency_ms == 11.92) for row in found if row.tier == "published")


@pytest.mark.parametrize("device", ["STM32N6570-DK", "STM32MP257F-DK2"])
@pytest.mark.parametrize("width", [0.25, 0.5])
def test_a_quarter_of_the_work_may_take_no_longer(device: str, width: float) -> None:
    """Of campaigns that contradict each other the interval is as wide as they are apart: it reaches below the whole work's."""
    whole, quarter = (
        project(MobileNetSpec("v1", width=width, resolution=side, classes=10), precision="int8", target="onnx", device=device)[0]
        for side in (224, 112)
    )
    assert quarter.low_ms < whole.latency_ms


def test_intervals_widen_away_from_what_was_published() -> None:
    """The embedded model is a small network of a kind that was published at 1.0/224 alone."""
    near, far = (
        project(spec, precision="float32", target="executorch", device="Raspberry Pi 4 Model B Broadcom BCM2711B0, Cortex-A72")[0]
        for spec in (MobileNetSpec("v3_small", classes=10), MobileNetSpec("v3_small", width=0.35, resolution=32, classes=10))
    )
    assert far.high_ms / far.low_ms > 2 * near.high_ms / near.low_ms


def test_figures_in_another_precision_say_so() -> None:
    """Of a float32 artifact: an accelerator computes in float16."""
    for row in project(MobileNetSpec("v2"), precision="float32", target="onnx", device="Samsung Galaxy S24"):
        is_told = any(note.startswith("figures in ") and note.endswith("for float32") for note in row.notes)
        assert is_told == (row.precision != "fp32")


def test_what_nothing_is_predicted_from_is_returned_where_it_is_asked_for() -> None:
    (found,) = project(MobileNetSpec("v2"), precision="float32", target="onnx", device="HUAWEI P10")
    assert (found.tier, found.latency_ms) == ("published", 20.839)
    with pytest.raises(UsageError, match=r"published of 'HUAWEI P10', and mobilenet_v2_0\.7_224 is not among"):
        project(MobileNetSpec("v2", width=0.7), precision="float32", target="onnx", device="HUAWEI P10")


def test_only_what_was_fitted_on_is_cited() -> None:
    """Of the Pixel 4's GPU there are figures of EfficientNet-Lite as well, which are context."""
    rows = project(MobileNetSpec("v2", width=0.7), precision="float32", target="onnx", device="Pixel 4")
    assert all(row.sources for row in rows)
    assert not any("efficientnet" in citation for row in rows for citation, _ in row.sources)


@pytest.mark.parametrize("device", ["HAILO8", "RK1808"])
def test_a_rate_turned_over_is_no_latency(device: str) -> None:
    """Hailo's 1000/FPS of MobileNet V1 is 0.30 ms, and each of the inferences that it has under way takes longer."""
    assert {row.tier for row in read_database().of_device(device)} == {"none"}
    with pytest.raises(UsageError, match=f"only rates are published of '{device}', no latency: `edgekit devices {device}` has"):
        project(MobileNetSpec("v1"), precision="int8", target="onnx", device=device)


@pytest.mark.parametrize(
    "asked",
    [
        "read_database().of_device('Pixel 3')",
        "project(MobileNetSpec('v2'), precision='float16', target='coreml', device='iPhone 14 Pro')",
    ],
)
def test_neither_listing_nor_what_is_published_needs_numpy(asked: str) -> None:
    """What is predicted needs it: the fit is made then."""
    code = (
        "import sys; from edgekit.projection import project; from edgekit.mobilenet.spec import MobileNetSpec;"
        f"from edgekit.projection.database import read_database; {asked};"
        "sys.exit(bool({'numpy', 'torch'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_core_ml_is_projected_to_apples_devices_only() -> None:
    with pytest.raises(UsageError, match="Core ML runs on Apple devices only"):
        project(MobileNetSpec("v2"), precision="float16", target="coreml", device="Pixel 3")


def test_apples_chips_are_not_arms_cores_of_the_same_number() -> None:
    cores = {
        known.setting.core
        for device in ("iPhone 5S", "iPhone 14")
        for known in read_database().of_device(device)
        if known.setting.unit_class == "cpu"
    }
    assert cores == {"apple"}
