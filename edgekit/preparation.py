"""What all cells of a model share, made once, in a worker of its own: the mode "prepare" fills a folder of `edgekit.shared`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.calibration import choose, refuse_overlap
from edgekit.dataset import DIGITS, LabelledPicture, find_labelled, find_pictures
from edgekit.desk import Desk, Line
from edgekit.document import read_json
from edgekit.machine import describe_machine
from edgekit.manifest import ModelCard
from edgekit.precision import INT8
from edgekit.report import Report
from edgekit.request import FILE_NAME as REQUEST
from edgekit.request import PrepareRequest
from edgekit.samples import MAX_IMAGES, find_images
from edgekit.shared import Pictures, SharedFolder

if TYPE_CHECKING:
    from edgekit.mobilenet.checkpoint import Checkpoint


def prepare(desk: Desk, line: Line) -> Report:
    """Capture a model's programs and let PyTorch answer; other workers are told of each thing as it is there."""
    request: PrepareRequest = read_json(desk.work / REQUEST, PrepareRequest)
    line.enter("import")
    from edgekit.mobilenet.checkpoint import open_checkpoint

    line.enter("capture")
    parity = find_images(Path(request.images), limit=MAX_IMAGES) if request.images else ()
    calibration: tuple[Path, ...] = ()
    if request.calibration and INT8 in request.precisions:
        calibration = find_pictures(Path(request.calibration), desk.work)
    checkpoint = open_checkpoint(request.model, request.overrides)
    labelled: tuple[LabelledPicture, ...] = ()
    if request.evaluation:
        labelled = find_labelled(Path(request.evaluation), checkpoint.labels, checkpoint.spec.classes, desk.work)
        if not request.allow_overlap:
            refuse_overlap(calibration, labelled)
    card = ModelCard(
        request.name,
        name_source(request.model, checkpoint),
        checkpoint.sha256,
        "classification",
        checkpoint.spec,
        checkpoint.preprocessing,
        checkpoint.labels,
    )
    pictures = Pictures(parity, choose(calibration), labelled, request.max_drop_points, request.weight_bits)
    SharedFolder(checkpoint, card, pictures, desk.work, line.tell, line.offer).fill(request.precisions)
    return blank_report(desk)


def blank_report(desk: Desk) -> Report:
    """A report that knows only what was asked."""
    request: PrepareRequest = read_json(desk.work / REQUEST, PrepareRequest)
    return Report(request.name, "pytorch", "float32", "failed", describe_machine())


def name_source(model: str, checkpoint: Checkpoint) -> str:
    """Say what the manifest calls a model. Apps ship it: no paths of a machine."""
    path = Path(model.removeprefix("hf://")).expanduser()
    if model == str(DIGITS) or not path.exists():
        return checkpoint.source
    name = path.resolve().name
    return f"./{name}" if name == str(DIGITS) else name
