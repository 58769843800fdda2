"""Compressed weights in a package: stored without loss, in fewer bits, and judged against the network that has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.judge import judge_compression
from edgekit.mobilenet.checkpoint import Checkpoint, open_checkpoint
from edgekit.mobilenet.compression import MIN_SIZE, compress_weights, is_compressed
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.program import capture_program
from edgekit.parity import Compression, Parity
from edgekit.precision import COMPRESSED
from edgekit.reference import Reference, compute_reference
from edgekit.samples import make_samples
from edgekit.target import ConvertJob, Program
from edgekit.testing import Made, disturb, make_artifact
from edgekit_coreml.compression import find_table
from edgekit_coreml.reference import ReferenceModel
from edgekit_coreml.target import CoreMLTarget

Array = NDArray[Any]
OPERATORS = {"int8": "affine_dequantize", "palettized": "lut_to_dense", "pruned": "sparse_to_dense"}


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return open_checkpoint("digits")


@pytest.fixture(scope="module")
def program(checkpoint: Checkpoint) -> Program:
    return capture_program(checkpoint.network())


@pytest.fixture(scope="module", params=COMPRESSED)
def made(request: pytest.FixtureRequest, program: Program, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_artifact(CoreMLTarget(), program, request.param, tmp_path_factory.mktemp("made"))


def stored_weights(package: Path) -> Iterator[Array]:
    """The larger float constants of a package, its compressed ones decompressed by coremltools."""
    model = ct.optimize.coreml.decompress_weights(ct.models.MLModel(str(package), skip_model_load=True))
    found = ct.optimize.coreml.get_weights_metadata(model, weight_threshold=MIN_SIZE)
    return (each.val for each in found.values() if each.val.dtype == np.float16)


def test_the_package_holds_the_chosen_weights_to_the_last_bit(made: Made, program: Program) -> None:
    chosen = compress_weights(program.exported, made.precision).state_dict.values()
    expected = {tensor.detach().half().numpy().tobytes() for tensor in chosen if is_compressed(tensor.shape)}
    assert len(expected) == 23
    assert {np.ascontiguousarray(weights).tobytes() for weights in stored_weights(made.conversion.path)} == expected


def test_they_are_stored_in_the_operators_of_their_kind(made: Made) -> None:
    model = ReferenceModel(made.conversion.path)
    assert {each for each in model.op_types if each.startswith("constexpr_")} == {
        f"constexpr_{OPERATORS[made.precision.partition('-')[0]]}"
    }


@pytest.mark.parametrize("precision", ["int8-weights", "palettized-6"])
def test_ios_18_has_other_operators_for_the_same_numbers(
    program: Program, checkpoint: Checkpoint, tmp_path: Path, precision: str
) -> None:
    options = {"minimum_deployment_target": "iOS18"}
    conversion = CoreMLTarget().convert(ConvertJob(program, precision, options, tmp_path))
    reference = _reference(checkpoint, checkpoint.network(), [precision])
    assert Made(tmp_path, precision, conversion, program).judge(CoreMLTarget(), reference).passed


def test_ios_15_has_no_compressed_weights(program: Program, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"palettized-4 needs --option minimum_deployment_target=iOS16"):
        CoreMLTarget().convert(ConvertJob(program, "palettized-4", {"minimum_deployment_target": "iOS15"}, tmp_path))


@pytest.mark.parametrize(("count", "size"), [(1, 2), (2, 2), (3, 4), (5, 16), (17, 64), (65, 256), (256, 256)])
def test_a_table_has_all_values_and_a_size_that_the_format_has(count: int, size: int, random: np.random.Generator) -> None:
    values = (np.arange(count) - count / 3).astype(np.float16)
    weights = np.concatenate([values, random.choice(values, 300_000 - count)]).reshape(300, 1000)
    table, indices = find_table(weights)
    assert table.shape == (size,)
    assert table.dtype == np.float16
    np.testing.assert_array_equal(table[indices].reshape(300, 1000), weights)


def test_too_many_values_for_a_table() -> None:
    with pytest.raises(ValueError, match="257 different values"):
        find_table(np.arange(257).astype(np.float16))


def _reference(checkpoint: Checkpoint, network: MobileNet, precisions: list[str], images: tuple[Path, ...] = ()) -> Reference:
    samples = make_samples(checkpoint.preprocessing, size=checkpoint.spec.resolution, images=images)
    return compute_reference(network, network.output_names, samples, compressed=precisions)


# dB of SQNR that the weights leave of the trained network on four photographs together, and the size relative to float16
FIGURES = {
    "mobilenet_v1_0.25_96_vww": {"int8-weights": (35, 0.62), "palettized-8": (35, 0.64), "palettized-6": (18, 0.5)},
    "mobilenet_v1_0.25_128": {"palettized-6": (13, 0.46), "int8-weights": (24, 0.57), "palettized-8": (50, 0.57)},
}


@pytest.mark.shared_data
@pytest.mark.parametrize("name", FIGURES)
def test_trained_networks(shared_data: Path, name: str, tmp_path: Path) -> None:
    """The weights are the precision's cost, the rest is float16's; a layer off by 10 % is noticed whatever the weights cost."""
    torch.set_num_threads(1)
    target, checkpoint = CoreMLTarget(), open_checkpoint(str(shared_data / "models" / name))
    network = checkpoint.network()
    photographs = tuple(shared_data / "misc" / name for name in ("cat.png", "grace_hopper.png", "owl.jpg", "sunflower.png"))
    reference = _reference(checkpoint, network, list(FIGURES[name]), photographs)
    program = capture_program(network)

    def verdict(program: Program, precision: str, folder: str) -> tuple[Parity, int]:
        made = make_artifact(target, program, precision, tmp_path / folder)
        return made.judge(target, reference), sum(f.stat().st_size for f in made.folder.rglob("*") if f.is_file())

    _, float16_size = verdict(program, "float16", "float16")
    for precision, (least_db, size_ratio) in FIGURES[name].items():
        compression = judge_compression(reference, precision)
        assert isinstance(compression, Compression)
        assert compression.sqnr_db >= least_db, (precision, compression)
        parity, size = verdict(program, precision, precision)
        assert parity.passed, (precision, parity.problems)
        image_sqnr_db = parity.outputs[0].image_sqnr_db
        assert image_sqnr_db is not None
        assert image_sqnr_db >= 38, precision
        assert size <= size_ratio * float16_size, (precision, size, float16_size)
    disturbed = capture_program(disturb(checkpoint.network()))
    assert not verdict(disturbed, next(iter(FIGURES[name])), "disturbed")[0].passed
