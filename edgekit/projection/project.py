"""A user's artifact on a named device: what is published, or else what the unit costs fitted to that device say."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from edgekit.errors import UsageError
from edgekit.mobilenet.spec import MobileNetSpec
from edgekit.precision import COMPRESSED, INT8
from edgekit.projection.database import Database, Known, Published, read_database
from edgekit.projection.figure import Network
from edgekit.projection.networks.catalogue import workload_of
from edgekit.projection.networks.mobile import mobilenet
from edgekit.projection.setting import Setting
from edgekit.projection.workload import Workload

if TYPE_CHECKING:
    from edgekit.manifest import ModelCard
    from edgekit.projection.predictor import Predictor

# Whose published runtimes stand for a target, the nearest first; all but the first kind are other runtimes, and it is said.
SAME = {"coreml": ("Core ML",), "openvino": ("OpenVINO",), "onnx": ("onnx",), "executorch": ("XNNPACK",)}
LIKE = {
    "coreml": (),
    "openvino": (),
    "onnx": ("XNNPACK", "TensorFlow Lite", "ncnn", "Paddle-Lite", "qnn_dlc", "tflite"),
    "executorch": ("TensorFlow Lite", "ncnn", "Paddle-Lite", "qnn_dlc", "tflite"),
}
# how Core ML's documentation calls compressed weights
COMPRESSION = {
    "int8-weights": "int8 weights",
    "palettized-8": "8 bit palettized",
    "palettized-6": "6 bit palettized",
    "palettized-4": "4 bit palettized",
    "pruned-50": "Sparsity 50%",
}
# how sources call what an artifact of that precision computes in
AS_SUCH = {"float32": ("fp32",), "float16": ("fp16", "fp16 (mlpackage)")}
USUAL_CLASSES = (1000, 1001)
USUAL = ("", *(f"{classes} classes" for classes in USUAL_CLASSES))


@dataclass(frozen=True, slots=True)
class Projection:
    """The latency of an artifact's network on a device, at batch 1.

    Attributes:
        device: name in the database.
        chipset: as the source has it.
        runtime: that the figures are of.
        compute_unit: likewise, and which cores where the measurement was bound to some.
        precision: likewise.
        threads: likewise; empty if the source does not tell.
        latency_ms: published or predicted.
        low_ms: lower end of the 90 % interval; the figure itself where it is published.
        high_ms: upper end.
        tier: "published", "calibrated" (figures of two or more networks in this setting), "anchored" (one) or "specification"
            (none: similar chips).
        basis: what it rests on.
        notes: what a reader should know.
        sources: citation and licence of each source.
    """

    device: str
    chipset: str
    runtime: str
    compute_unit: str
    precision: str
    threads: str
    latency_ms: float
    low_ms: float
    high_ms: float
    tier: str
    basis: str
    notes: tuple[str, ...]
    sources: tuple[tuple[str, str], ...]


def project(
    model: ModelCard | MobileNetSpec, *, precision: str, target: str, device: str, database: Database | None = None
) -> tuple[Projection, ...]:
    """Tell how long a network takes on a device, in every setting that stands for the target.

    Args:
        model: the card in the artifact's manifest, or a definition.
        precision: of the artifact.
        target: plugin's name.
        device: name in the database, in any case.
        database: instead of the one that ships.

    Raises:
        UsageError: no such device, or none that the target could run on or that has a latency published in such a precision.
    """
    spec = model if isinstance(model, MobileNetSpec) else model.spec
    database = database or read_database()
    known = [row for row in database.of_device(device) if row.tier != "none" or any(f.is_latency for f in row.figures)]
    if not known:
        raise UsageError(f"only rates are published of {device!r}, no latency: `edgekit devices {shlex.quote(device)}` has them")
    if target == "coreml" and not any(row.setting.core == "apple" for row in known):
        raise UsageError(f"Core ML runs on Apple devices only, and {device!r} is none")
    rows = _standing_for(target, _in_precision(precision, known))
    work = mobilenet(spec)
    found = [_project(row, spec, work, precision, target, database) for row in rows]
    projections = tuple(projection for projection in found if projection)
    if not projections:
        if rows:
            raise UsageError(
                f"nothing is predicted from what is published of {device!r}, and {spec.name} is not among it: "
                f"`edgekit devices {shlex.quote(device)}` has it"
            )
        kinds = sorted({f"{row.setting.runtime}, {row.setting.precision}" for row in known})
        raise UsageError(f"nothing published of {device!r} stands for {precision} on {target}. It has: {'; '.join(kinds)}")
    return projections


def _in_precision(precision: str, rows: list[Known]) -> list[Known]:
    """Settings that compute in the precision; for compressed weights those that have them too, if there are any."""
    wanted = "int8" if precision == INT8 else "float"
    fitting = [row for row in rows if row.setting.precision_class == wanted]
    plain = [row for row in fitting if not any(word in row.setting.precision.lower() for word in ("weights", "sparsity"))]
    special = [row for row in fitting if (word := COMPRESSION.get(precision)) and word in row.setting.precision]
    return special or plain


def _standing_for(target: str, rows: list[Known]) -> list[Known]:
    """Settings of the target's own runtime, or else of the runtimes that are like it, or else all; the latest run of each."""
    for names in (SAME.get(target, ()), LIKE.get(target, ())):
        chosen = [row for row in rows if row.setting.runtime_class in names]
        if chosen:
            return _latest(chosen)
    return _latest(rows)


def _latest(rows: list[Known]) -> list[Known]:
    last: dict[tuple[str, ...], Known] = {}
    for row in sorted(rows, key=lambda row: (row.setting.year, row.networks)):
        last[*row.setting.loosely, row.setting.cores] = row
    return sorted(last.values(), key=lambda row: (row.setting.runtime, row.setting.unit, row.setting.log2_threads))


def _project(
    row: Known, spec: MobileNetSpec, work: Workload, precision: str, target: str, database: Database
) -> Projection | None:
    setting = row.setting
    notes = _notes(setting, precision, target)
    exact = _published(row, spec)
    if exact:
        latency = exact.latency_ms
        cited = ((exact.citation, exact.source.licence),)
        basis = f"published: {exact.statistic or 'statistic not stated'}, {exact.citation}"
        return Projection(*_where(setting), latency, latency, latency, "published", basis, notes, cited)
    if row.tier == "none":
        return None
    network = Network(f"mobilenet_{spec.version}", round(spec.width, 4), spec.resolution)
    found = _predictor(database).predict(setting, row.tier, network, work)
    if found.unseen:
        notes += (f"no published network in this setting has {', '.join(found.unseen)}: the interval is wider for it",)
    networks = ((f.network, f.width, f.resolution) for f in row.fitted)
    fitted = [network for network in dict.fromkeys(networks) if workload_of(*network)]
    if row.tier == "calibrated":
        basis = f"unit costs fitted to figures of {len(fitted)} networks in this setting"
    elif row.tier == "anchored":
        basis = f"one figure in this setting ({fitted[0][0]}), and the unit costs of similar chips"
    else:
        basis = f"no figure in this setting: unit costs of chips like it ({setting.core})"
    sources = tuple(dict.fromkeys((figure.source.citation, figure.source.licence) for figure in row.fitted))
    latency, low, high = (math.exp(found.log_ms + side * found.half_width) for side in (0, -1, 1))
    return Projection(*_where(setting), latency, low, high, row.tier, basis, notes, sources)


@lru_cache(maxsize=2)
def _predictor(database: Database) -> Predictor:
    from edgekit.projection.predictor import Predictor  # needs numpy: not for who only lists devices

    return Predictor(database)


def _published(row: Known, spec: MobileNetSpec) -> Published | None:
    """The figure of this very network, the mean where there are several statistics; heads of 1000 classes count as one."""
    if spec.input_channels != 3 or spec.classes not in USUAL_CLASSES:
        return None
    name = f"mobilenet_{spec.version}"
    same = [
        figure
        for figure in row.figures
        if figure.is_latency
        and figure.detail in USUAL
        and (figure.network, figure.width, figure.resolution) == (name, round(spec.width, 4), spec.resolution)
    ]
    return next((figure for figure in same if figure.statistic.startswith("mean")), same[0] if same else None)


def _where(setting: Setting) -> tuple[str, str, str, str, str, str]:
    return setting.device, setting.chipset, setting.runtime, setting.unit, setting.precision, setting.threads


def _notes(setting: Setting, precision: str, target: str) -> tuple[str, ...]:
    notes = []
    if setting.runtime_class not in SAME.get(target, ()):
        notes.append(f"figures of {setting.runtime}, another runtime than {target}'s")
    if precision in COMPRESSED and COMPRESSION.get(precision, "?") not in setting.precision:
        notes.append(f"{precision} is taken as float: what smaller weights save is not in the figures")
    elif precision == INT8 and "per-tensor" in setting.precision:
        notes.append("figures with one scale for all weights of a tensor; the artifact has one for each channel")
    elif setting.precision not in AS_SUCH.get(precision, (setting.precision,)):
        notes.append(f"figures in {setting.precision!r}, for {precision}")
    if "nnapi" in setting.compute_unit:
        notes.append("NNAPI may have run parts on another unit")
    return tuple(notes)
