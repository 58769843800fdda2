"""What a network asks of a device, against edgekit's own count and against counts that others published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.mobilenet.layers import list_layers
from edgekit.mobilenet.spec import VERSIONS, MobileNetSpec
from edgekit.projection.cost import ACCELERATOR_TERMS, CORE_TERMS, WAITS, alike, charges, terms_of
from edgekit.projection.networks.catalogue import NETWORKS, canonical, family_of, usual_resolution, workload_of
from edgekit.projection.networks.mobile import mobilenet
from edgekit.projection.tape import Tape
from edgekit.projection.workload import KINDS, Operator, Workload, add_up

operators = st.builds(
    Operator,
    st.sampled_from(KINDS),
    *[st.integers(0, 10**9)] * 4,
)


@given(st.lists(operators, max_size=20), st.lists(operators, max_size=20))
def test_the_work_of_two_networks_is_the_sum_of_their_works(first: list[Operator], second: list[Operator]) -> None:
    assert add_up([*first, *second]) == add_up(first) + add_up(second)
    assert add_up(first) + Workload({}) == add_up(first)


@pytest.mark.parametrize("name", NETWORKS)
def test_another_size_is_another_network_or_none(name: str) -> None:
    usual = usual_resolution(name)
    work, larger, wider = (workload_of(name, width, side) for width, side in ((1.0, usual), (1.0, 2 * usual), (2.0, usual)))
    assert work
    assert larger is None or larger.macs > 2 * work.macs
    assert wider is None or wider.macs > 1.5 * work.macs


@given(st.lists(operators, max_size=20))
def test_nothing_is_lost_in_adding_up(listed: list[Operator]) -> None:
    work = add_up(listed)
    assert work.macs == sum(operator.macs for operator in listed)
    assert work.weights == sum(operator.weights for operator in listed)
    assert sum(work.of(kind).count for kind in KINDS) == len(listed)


@given(st.sampled_from(VERSIONS), st.sampled_from([0.25, 0.35, 0.5, 0.75, 1.0, 1.4]), st.integers(32, 320))
def test_a_mobilenet_has_the_macs_that_edgekit_counts(version: str, width: float, resolution: int) -> None:
    spec = MobileNetSpec(version, width=width, resolution=resolution)  # type: ignore[arg-type]  # one of the list
    assert mobilenet(spec).macs == sum(layer.macs for layer in list_layers(spec))


# name, resolution, multiply-accumulates in millions as the authors, torchvision or the model zoo print them
@pytest.mark.parametrize(
    ("name", "resolution", "million"),
    [
        ("mobilenet_v1", 224, 569),  # arXiv:1704.04861, table 4
        ("mobilenet_v2", 224, 300),  # arXiv:1801.04381, table 4
        ("mobilenet_v3_large", 224, 217),  # torchvision
        ("mobilenet_v3_small", 224, 57),  # torchvision
        ("mobilenet_v3_large_early", 224, 246),  # the README of the figures
        ("mobilenet_v3_large_minimalistic", 224, 209),  # tensorflow/models
        ("mnasnet", 224, 314),  # torchvision
        ("efficientnet_b0", 224, 386),  # torchvision
        ("efficientnet_v2_s", 224, 2850),  # torchvision, at 224
        ("shufflenet_v2", 224, 145),  # torchvision
        ("squeezenet1.1", 224, 349),  # torchvision
        ("resnet18", 224, 1814),  # torchvision
        ("resnet50", 224, 4089),  # torchvision
        ("resnext101", 224, 16414),  # torchvision
        ("wideresnet50", 224, 11398),  # torchvision
        ("regnet", 224, 3177),  # torchvision, regnet_x_3_2gf
        ("regnet_y_800mf", 224, 834),  # torchvision
        ("densenet121", 224, 2834),  # torchvision
        ("inception_v1", 224, 1498),  # torchvision, googlenet
        ("inception_v3", 299, 5713),  # torchvision
        ("vgg16", 224, 15470),  # torchvision
        ("convnext_tiny", 224, 4456),  # torchvision
        ("ghostnet", 224, 142),  # arXiv:1911.11907, table 7
        ("nasnet_mobile", 224, 564),  # arXiv:1707.07012, table 1
        ("yolov4-tiny", 416, 3450),  # arXiv:2011.08036: 6.9 billion operations
    ],
)
def test_a_network_has_the_macs_that_its_authors_print(name: str, resolution: int, million: int) -> None:
    work = workload_of(name, 1.0, resolution)
    assert work
    assert work.macs / 1e6 == pytest.approx(million, rel=0.01)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_the_catalogue_can_be_written_down(name: str) -> None:
    work = workload_of(name, 1.0, usual_resolution(name))
    assert work
    assert work.macs > 0
    assert all(total.outputs >= 0 and total.inputs >= 0 for total in work.totals.values())
    assert family_of(name) == NETWORKS[name][0]


def test_a_name_means_what_its_source_means_by_it() -> None:
    assert canonical("mobilenet_v3_large", "ncnn") == "mobilenet_v3_large_early"
    assert canonical("mobilenet_v3_large", "tflite-hosted") == "mobilenet_v3_large"
    assert workload_of("a network of nobody's", 1.0, 224) is None


def test_winograd_leaves_fewer_multiplications_the_better_tiles_fit() -> None:
    fits, hangs_over = Tape(24, 64).conv(64, 3), Tape(7, 64).conv(64, 3)
    shares = [tape.workload.of("conv3").tiled / tape.workload.macs for tape in (fits, hangs_over)]
    assert shares[0] < shares[1] < 1


def test_channels_that_four_lanes_do_not_divide_are_told_apart() -> None:
    assert Tape(8, 16).conv(20).workload.of("pointwise").ragged == 0
    assert Tape(8, 16).conv(21).workload.of("pointwise").ragged == 16 * 21 * 64


def test_only_windows_over_all_channels_are_unrolled() -> None:
    assert Tape(8, 16).conv(32, 3, 2).workload.of("conv").unrolled == 4 * 4 * 16 * 9
    assert Tape(8, 16).conv(32).workload.of("pointwise").unrolled == 0
    assert Tape(8, 16).depthwise(5).workload.of("depthwise5").unrolled == 0


def test_every_head_multiplies_matrices_of_its_own() -> None:
    one, four = Tape(14, 64).attention(1, 64, 64).workload, Tape(14, 64).attention(4, 16, 16).workload
    assert one.of("matmul").macs == four.of("matmul").macs
    assert [work.of("matmul").matrices for work in (one, four)] == [2, 8]
    at = ACCELERATOR_TERMS.index("matrices")
    assert charges(four, "qnn_dlc", "npu")[at] == 4 * charges(one, "qnn_dlc", "npu")[at] > 0


def test_ragged_channels_cost_where_channels_are_packed() -> None:
    even, ragged = Tape(8, 16).conv(24).workload, Tape(8, 16).conv(25).workload
    at = CORE_TERMS.index("ragged")
    assert charges(ragged, "ncnn", "cpu")[at] > 0
    assert [charges(work, runtime, "cpu")[at] for work, runtime in ((even, "ncnn"), (ragged, "Paddle-Lite"))] == [0, 0]


@pytest.mark.parametrize("unit", ["cpu", "npu"])
def test_every_term_is_like_itself_and_likeness_is_mutual(unit: str) -> None:
    names, like = terms_of(unit), alike(unit)
    assert all(like[i][i] for i in range(len(names)))
    assert like == [list(column) for column in zip(*like, strict=True)]
    assert any(like[i][j] for i in range(len(names)) for j in range(i)) == (unit == "cpu")
    assert {name for group in WAITS for name in group} <= set(CORE_TERMS)
