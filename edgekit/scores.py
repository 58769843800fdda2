"""A model's answers to many pictures, in the worker: an artifact's one by one, the float model's in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgekit.desk import INT8_PROGRAM, Desk, Line
from edgekit.document import read_json
from edgekit.errors import InputError, UsageError
from edgekit.interface import input_of_pixels
from edgekit.machine import describe_machine
from edgekit.manifest import Manifest, ModelCard, read_manifest
from edgekit.pipeline import load_job, load_target
from edgekit.report import Report
from edgekit.request import FILE_NAME as REQUEST
from edgekit.request import EvaluateRequest
from edgekit.target import RuntimeInfo

if TYPE_CHECKING:
    from edgekit.mobilenet.network import MobileNet

PIXELS, SCORES = "pixels.bin", "scores.npz"
FLOAT_BATCH = 32  # pictures: more is no faster on a CPU, and takes memory


@dataclass(frozen=True, slots=True)
class _Model:
    """What answers.

    Attributes:
        runtime: what runs.
        batch: pictures that it takes at once.
        take: uint8 NHWC -> its input.
        infer: its input -> scores, one row a picture.
    """

    runtime: RuntimeInfo
    batch: int
    take: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    infer: Callable[[NDArray[np.float32]], NDArray[np.float32]]


def evaluate(desk: Desk, line: Line) -> Report:
    """Answer all pictures, by the artifact or by the float model that it was made of; the answers go to scores.npz."""
    request: EvaluateRequest = read_json(desk.work / REQUEST, EvaluateRequest)
    manifest = read_manifest(desk.artifact)
    card = manifest.model
    pixels = np.memmap(desk.shared / PIXELS, np.uint8, "r", shape=request.shape)
    line.enter("import")
    with _open(desk, manifest, line, request) as model:
        line.enter("evaluate")
        values, seconds = _answer(model, pixels, card.spec.classes, line)
    np.savez(desk.work / SCORES, values=values, seconds=seconds)
    return Report(card.name, manifest.target, manifest.precision, "converted", describe_machine(), runtime=model.runtime)


def _open(desk: Desk, manifest: Manifest, line: Line, request: EvaluateRequest) -> AbstractContextManager[_Model]:
    if request.float_model is not None:
        return _float_model(manifest.model, request.float_model, request.num_threads)
    if request.int8_program:
        return _int8_program(desk.artifact / INT8_PROGRAM, manifest.model, request.num_threads)
    return _artifact(desk, manifest, line, request.num_threads)


def _answer(model: _Model, pixels: NDArray[np.uint8], classes: int, line: Line) -> tuple[NDArray[np.float32], float]:
    """Scores (pictures, classes), and the seconds that inference alone took."""
    values = np.empty((len(pixels), classes), np.float32)
    seconds = 0.0
    model.infer(model.take(pixels[: model.batch]))  # the first call allocates: not counted
    for start in range(0, len(pixels), model.batch):
        given = model.take(pixels[start : start + model.batch])
        before = perf_counter()
        answer = model.infer(given)
        seconds += perf_counter() - before
        if answer.size != len(given) * classes:
            raise InputError(
                f"the answer to an image has {answer.size // len(given)} values, and the model has {classes} classes"
            )
        values[start : start + len(given)] = answer.reshape(len(given), classes)
        line.advance(start + len(given), len(pixels))
    return values, seconds


@contextmanager
def _artifact(desk: Desk, manifest: Manifest, line: Line, num_threads: int) -> Iterator[_Model]:
    target = load_target(manifest, line)
    spec, output, preprocessing = manifest.inputs[0], manifest.outputs[0], manifest.model.preprocessing
    with target.load(load_job(manifest, desk.artifact, num_threads)) as runner:
        yield _Model(
            runner.runtime,
            1,
            lambda pixels: input_of_pixels(pixels[0], preprocessing, spec),
            lambda image_nchw: runner.infer({spec.name: image_nchw})[output.name],
        )


@contextmanager
def _float_model(card: ModelCard, source: str, num_threads: int) -> Iterator[_Model]:
    """The network in PyTorch."""
    import torch

    torch.set_num_threads(num_threads)
    network = open_network(card, source)

    def infer(images_nchw: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            scores: NDArray[np.float32] = network(torch.from_numpy(images_nchw)).numpy()
        return scores

    def take(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.concatenate([card.preprocessing.normalise(each) for each in pixels])

    yield _Model(RuntimeInfo("PyTorch", torch.__version__, "CPU", "float32"), FLOAT_BATCH, take, infer)


@contextmanager
def _int8_program(path: Path, card: ModelCard, num_threads: int) -> Iterator[_Model]:
    """What an int8 artifact is to compute."""
    import torch

    from edgekit.mobilenet.program import load_program
    from edgekit.quantization.exact import ExactInt8

    torch.set_num_threads(num_threads)
    exact = ExactInt8(load_program(path).exported.module())

    def infer(image_nchw: NDArray[np.float32]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = exact(torch.from_numpy(image_nchw)).float().numpy()
        return scores

    runtime = RuntimeInfo("PyTorch", torch.__version__, "CPU", "the int8 program in exact arithmetic", kind="reference")
    yield _Model(runtime, 1, lambda pixels: card.preprocessing.normalise(pixels[0]), infer)


def open_network(card: ModelCard, source: str) -> MobileNet:
    """Build the network that artifacts with this model card were made of.

    Args:
        card: theirs.
        source: a checkpoint as the user names it.

    Raises:
        UsageError: it is another checkpoint.
        EdgekitError: it cannot be opened.
    """
    from edgekit.mobilenet.checkpoint import open_checkpoint
    from edgekit.mobilenet.overrides import Overrides
    from edgekit.mobilenet.weights import load_network

    spec = card.spec
    # what the files do not say the user once said, and the model card has it
    checkpoint = open_checkpoint(source, Overrides(spec.width, spec.resolution, spec.padding, spec.norm_eps))
    if checkpoint.sha256 != card.sha256:
        raise UsageError(
            f"{source} is not the model that {card.name} was made of: its sha256 begins with {checkpoint.sha256[:12]}, and the "
            f"manifest's with {card.sha256[:12]}. Give the right one with --model"
        )
    return load_network(spec, checkpoint.tensors, source=source)
