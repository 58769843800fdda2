"""What every target must do, as a test class: ours and a third party's are held to the same.

    from edgekit.testing import TargetContract

    class TestMyTarget(TargetContract):
        @pytest.fixture(scope="class")
        @classmethod
        def target(cls) -> Target:
            return MyTarget()

The model is the embedded one, trained, and is converted at every precision that the target declares. The check must notice when
one layer's weights are disturbed, in the artifact or in the network that it is compared with. A check that passes with wrong
weights is no check.
"""

from __future__ import annotations

import json
import timeit
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from edgekit import digits
from edgekit.errors import UsageError
from edgekit.judge import judge
from edgekit.mobilenet.checkpoint import open_checkpoint
from edgekit.mobilenet.layers import list_layers
from edgekit.mobilenet.network import MobileNet
from edgekit.mobilenet.program import capture_program
from edgekit.operators import OperatorTimer, attribute
from edgekit.parity import Parity
from edgekit.pipeline import answer_samples
from edgekit.precision import APPROXIMATE, COMPRESSED, INT8
from edgekit.preprocessing import Preprocessing
from edgekit.quantization.program import Quantised, capture_int8, quantise
from edgekit.reference import Reference, compute_int8_reference, compute_reference
from edgekit.samples import Sample, make_samples
from edgekit.target import Conversion, ConvertJob, LoadJob, Program, Runner, Target

MODEL = "digits"
CALIBRATION = 48  # pictures
DISTURBANCE = 0.1  # relative, of the weights of one layer in fifty
TIMED_RUNS = 5  # of its operators
ENOUGH = 30.0  # the sum of operators and an inference are within this factor: a profiler costs time, a wrong unit is far off
INT8_DISTURBANCE = 1.0  # an int8 program is its own noise: on this model a layer off by 10 % is within it


@dataclass(frozen=True, slots=True)
class Captured:
    """One network, as targets are given it; what its int8 program was captured from."""

    float32: Program
    int8: Program
    quantised: Quantised

    def of(self, precision: str) -> Program:
        """What is converted to a precision."""
        return self.int8 if precision == INT8 else self.float32


@dataclass(frozen=True, slots=True)
class Case:
    """The embedded model, ready to convert, and a disturbed one: the weights of one pointwise convolution are off.

    Attributes:
        trained: as it is.
        reference: PyTorch's answers, with it.
        disturbed: off by 10 %.
        disturbed_reference: PyTorch's answers then, at int8 with the weights off by their own size.
    """

    trained: Captured
    reference: Reference
    disturbed: Program
    disturbed_reference: Reference


@cache
def make_case() -> Case:
    """Capture and quantise the embedded model twice, and let PyTorch answer: once in a process, for all targets."""
    checkpoint = open_checkpoint(MODEL)
    network = checkpoint.network()
    samples = make_samples(checkpoint.preprocessing, size=checkpoint.spec.resolution)

    def answers(samples: tuple[Sample, ...]) -> Reference:
        return compute_reference(network, network.output_names, samples, compressed=COMPRESSED)

    def with_int8(reference: Reference, captured: Captured) -> Reference:
        int8 = compute_int8_reference(captured.int8.exported.module(), network.output_names, reference.samples)
        return replace(reference, approximate={**reference.approximate, INT8: int8})

    trained, reference = _capture(network, checkpoint.preprocessing), answers(samples)
    disturb(network)
    disturbed, disturbed_reference = capture_program(network), answers(samples[::3])  # a few are enough to fail
    far = _capture(disturb(network, INT8_DISTURBANCE), checkpoint.preprocessing)
    return Case(trained, with_int8(reference, trained), disturbed, with_int8(disturbed_reference, far))


def _capture(network: MobileNet, preprocessing: Preprocessing) -> Captured:
    program = capture_program(network)
    pictures = [Image.fromarray(pixels) for pixels in digits.held_out()[0][-CALIBRATION:]]  # parity takes the first ones
    images_nchw = [torch.from_numpy(preprocessing.normalise(preprocessing.pixels(picture))) for picture in pictures]
    quantised = quantise(program, images_nchw)
    return Captured(program, capture_int8(quantised), quantised)


def disturb(network: MobileNet, size: float = DISTURBANCE) -> MobileNet:
    """Put seeded noise, by default of 10 %, on the weights of one pointwise convolution in the middle, in place."""
    weights = network.blocks[len(network.blocks) // 2].pointwise.conv.weight  # type: ignore[union-attr]  # a Bottleneck
    assert isinstance(weights, torch.nn.Parameter)
    noise = torch.randn(weights.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        weights.mul_(1 + size * noise)
    return network


@dataclass(frozen=True, slots=True)
class Made:
    """One artifact on disk."""

    folder: Path
    precision: str
    conversion: Conversion
    program: Program

    def job(self, *, num_threads: int = 1) -> LoadJob:
        """What a target is asked to load."""
        options, program = self.conversion.options, self.program
        return LoadJob(self.conversion.path, self.precision, options, program.inputs, program.outputs, num_threads)

    def load(self, target: Target, *, num_threads: int = 1) -> Runner:
        """Read it back from disk."""
        return target.load(self.job(num_threads=num_threads))

    def judge(self, target: Target, reference: Reference) -> Parity:
        """Read it back from disk and compare it with the reference."""
        with self.load(target) as runner:
            images = [sample.image_nchw for sample in reference.samples]
            answers = answer_samples(runner, images, self.program.inputs[0].name)
        return judge(reference.of(self.precision), answers, self.program.outputs, target.tolerances[self.precision])


class TargetContract:
    """Subclass it, and give it a class-scoped fixture `target`."""

    @pytest.fixture(scope="class")
    @classmethod
    def case(cls) -> Case:
        """The embedded model."""
        return make_case()

    @pytest.fixture(scope="class")
    @classmethod
    def made(cls, target: Target, case: Case, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Made]:
        """One artifact per precision."""
        return {p: make_artifact(target, case.trained.of(p), p, tmp_path_factory.mktemp(p)) for p in target.tolerances}

    @pytest.fixture(scope="class")
    @classmethod
    def runner(cls, target: Target, made: Mapping[str, Made]) -> Iterator[Runner]:
        """The first precision's artifact, loaded."""
        with next(iter(made.values())).load(target) as runner:
            yield runner

    @pytest.fixture
    def image(self, case: Case) -> NDArray[np.float32]:
        """A real picture, normalised, NCHW."""
        return case.reference.samples[0].image_nchw

    def test_it_has_a_name_for_the_command_line(self, target: Target) -> None:
        """Lower case, one word: it becomes part of folder names."""
        assert target.name.isidentifier()
        assert target.name == target.name.lower()

    def test_every_limit_has_its_reason(self, target: Target) -> None:
        """A limit without a reason is a guess."""
        assert "float32" in target.tolerances
        for tolerance in target.tolerances.values():
            assert len(tolerance.reason) > 20
            assert tolerance.min_sqnr_db > 0

    def test_it_says_whether_it_works_here(self, target: Target) -> None:
        """And, where it does not run natively, why."""
        available = target.probe()
        assert available.can_convert
        assert available.runs == "native" or available.reason

    def test_artifacts_pass_when_read_back_from_disk(self, target: Target, case: Case, made: Mapping[str, Made]) -> None:
        """Every precision, against the float64 reference of the network that has its weights."""
        assert made.keys() == target.tolerances.keys()
        for artifact in made.values():
            parity = artifact.judge(target, case.reference)
            assert parity.passed, (artifact.precision, parity.problems)

    def test_disturbed_weights_fail(self, target: Target, case: Case, made: Mapping[str, Made], tmp_path: Path) -> None:
        """The negative control: one layer off by 10 % is noticed at every precision, off by its own size in int8.

        Off in the artifact, for which float32 stands, and in the network that an artifact is compared with: the distance is the
        same, and nothing has to be converted again.
        """
        wrong = make_artifact(target, case.disturbed, "float32", tmp_path)
        parities = {p: artifact.judge(target, case.disturbed_reference) for p, artifact in made.items()}
        for precision, parity in (*parities.items(), ("float32", wrong.judge(target, case.reference))):
            assert not parity.passed, precision
            assert any("SQNR" in problem for problem in parity.problems)

    def test_files_stay_inside_the_folder(self, made: Mapping[str, Made]) -> None:
        """The entry is one of them, and nothing was written beside."""
        for artifact in made.values():
            assert artifact.conversion.path.exists()
            assert artifact.conversion.path.is_relative_to(artifact.folder)

    def test_float16_is_smaller(self, made: Mapping[str, Made]) -> None:
        """Whatever else it is, it is for that."""
        if "float16" not in made:
            pytest.skip("this target has no float16")
        sizes = {p: sum(f.stat().st_size for f in a.folder.rglob("*") if f.is_file()) for p, a in made.items()}
        assert sizes["float16"] < 0.75 * sizes["float32"]

    def test_fewer_bits_are_smaller_than_float16(self, made: Mapping[str, Made]) -> None:
        """The values of such a precision can be stored in fewer bits, and are."""
        sizes = {p: sum(f.stat().st_size for f in a.folder.rglob("*") if f.is_file()) for p, a in made.items()}
        for precision in APPROXIMATE:
            if precision in sizes:
                assert sizes[precision] < 0.9 * sizes.get("float16", sizes["float32"]), precision

    def test_outputs_are_as_declared(self, runner: Runner, made: Mapping[str, Made], image: NDArray[np.float32]) -> None:
        """Names, shapes, float32."""
        program = next(iter(made.values())).program
        outputs = runner.infer({program.inputs[0].name: image})
        assert {name: value.shape for name, value in outputs.items()} == {out.name: out.shape for out in program.outputs}
        assert all(value.dtype == np.float32 for value in outputs.values())

    def test_answers_belong_to_the_caller(self, runner: Runner, made: Mapping[str, Made], image: NDArray[np.float32]) -> None:
        """A later inference must not change an earlier answer, nor an answer the input."""
        name = next(iter(made.values())).program.inputs[0].name
        before = image.copy()
        kept = runner.infer({name: image})
        first = {key: value.copy() for key, value in kept.items()}
        runner.infer({name: np.zeros_like(image)})
        for key, value in kept.items():
            np.testing.assert_array_equal(value, first[key])
        np.testing.assert_array_equal(image, before)

    def test_strides_do_not_matter(self, runner: Runner, made: Mapping[str, Made], image: NDArray[np.float32]) -> None:
        """numpy gives a batch axis of 1 any stride: same values, same answer."""
        name = next(iter(made.values())).program.inputs[0].name
        expected = runner.infer({name: image})
        for twisted in (image[0][None], np.broadcast_to(image[0], image.shape), np.asfortranarray(image)):
            for key, value in runner.infer({name: twisted}).items():
                np.testing.assert_allclose(value, expected[key], rtol=1e-5, atol=1e-5)

    def test_runtime_is_described(self, target: Target, runner: Runner) -> None:
        """What ran, which version, where, and in which arithmetic."""
        runtime = runner.runtime
        assert runtime.runtime
        assert runtime.version
        assert runtime.device
        assert runtime.precision
        assert (runtime.kind == "reference") == (target.probe().runs == "reference")
        assert runtime.delegated_fraction is None or 0 <= runtime.delegated_fraction <= 1

    def test_operators_are_timed_by_layer_or_it_says_why_not(self, target: Target, made: Mapping[str, Made]) -> None:
        """Of a target that has the method: every layer of the definition, and together about the time of an inference."""
        if not isinstance(target, OperatorTimer):
            pytest.skip("this target tells no times of operators")
        layers = [layer.name for layer in list_layers(open_checkpoint(MODEL).spec)]
        for artifact in made.values():
            name, shape = artifact.program.inputs[0].name, artifact.program.inputs[0].shape
            inputs = {name: np.random.default_rng(0).random(shape, np.float32)}
            times = attribute(target.operator_times(artifact.job(), inputs, runs=TIMED_RUNS), layers)
            if times.untold:
                assert not times.operators
                continue
            assert set(times.layer_ms) == set(layers), artifact.precision
            with artifact.load(target) as runner:
                runner.infer(inputs)
                inference_ms = min(timeit.repeat(partial(runner.infer, inputs), number=1, repeat=TIMED_RUNS)) * 1e3
            assert inference_ms / ENOUGH < times.total_ms < inference_ms * ENOUGH, artifact.precision

    def test_unknown_options_are_refused(self, target: Target, case: Case, tmp_path: Path) -> None:
        """With the valid ones named."""
        with pytest.raises(UsageError, match=r"no option 'no_such_option'"):
            target.convert(ConvertJob(case.trained.float32, "float32", {"no_such_option": "1"}, tmp_path))

    def test_options_in_force_load_again(self, target: Target, made: Mapping[str, Made]) -> None:
        """They are strings, so that a manifest can hold them."""
        for artifact in made.values():
            assert json.loads(json.dumps(dict(artifact.conversion.options))) == dict(artifact.conversion.options)


def make_artifact(target: Target, program: Program, precision: str, folder: Path) -> Made:
    """Convert a program into a folder."""
    folder.mkdir(exist_ok=True)
    return Made(folder, precision, target.convert(ConvertJob(program, precision, {}, folder)), program)
