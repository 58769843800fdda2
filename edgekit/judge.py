"""Compares an artifact's answers with the reference, and says why they do not hold: the records are in `edgekit.parity`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit.parity import Compression, OutputParity, Parity, SampleParity, choose_known
from edgekit.reference import Outputs, Reference
from edgekit.target import TensorSpec, Tolerance

EXACT_DB = 320.0  # no difference at all: float64 cannot show more
MIN_DEPENDENCE = 1e-3
MIN_DEPENDENCE_DB = 20.0
MIN_COMPRESSED_DB = 10.0
TOP_K = 5

_YARDSTICKS = {
    "float32": "PyTorch in float32",
    "float16": "PyTorch in float16",
    "stored-float16": "PyTorch in float64, stored as float16",
}


def judge_compression(reference: Reference, precision: str, answers: Sequence[Outputs] = ()) -> Compression | None:
    """Compare the network of a precision with the network as trained.

    Below 10 dB the error is a third of the answer. The trained MobileNets that were measured have the same first class as before
    on three photographs of four and more at 15 dB, and on half of them and less at 4 dB.

    Args:
        reference: of the network as trained, with the answers of the compressed one.
        precision: of the artifact.
        answers: the artifact's, one dict of float32 arrays per sample.

    Returns:
        None for a precision that is the trained network's own.
    """
    compressed = reference.of(precision)
    if compressed is reference:
        return None
    chosen = [i for i, sample in enumerate(reference.samples) if sample.kind == "image"] or range(len(reference.samples))
    figures, own, agreements = [], [], []
    for name in reference.float64[0]:
        before, after = (np.concatenate([each.float64[i][name] for i in chosen]) for each in (reference, compressed))
        figures.append(sqnr_db(expected=before, actual=after))
        if answers and all(name in answer and answer[name].shape == before[:1].shape for answer in answers):
            own.append(sqnr_db(expected=before, actual=np.concatenate([answers[i][name] for i in chosen])))
        if before.ndim == 2 and before.shape[1] > 1:
            agreements.append(float(np.mean(before.argmax(-1) == after.argmax(-1))))
    worst, top1 = min(figures), min(agreements, default=None)
    classes = "" if top1 is None else f", and {top1:.0%} of the first classes"
    problem = (
        f"{precision} leaves {worst:.1f} dB SQNR of the trained network{classes}, where {MIN_COMPRESSED_DB:g} dB is the least: "
        "it takes more bits, or training with such numbers"
    )
    return Compression(worst, top1, MIN_COMPRESSED_DB, problem if worst < MIN_COMPRESSED_DB else "", min(own, default=None))


def judge(
    reference: Reference,
    answers: Sequence[Outputs],
    outputs: Sequence[TensorSpec],
    tolerance: Tolerance,
    compression: Compression | None = None,
) -> Parity:
    """Compare an artifact's answers with the reference.

    Args:
        reference: inputs and PyTorch's answers.
        answers: the artifact's, one dict of float32 arrays per sample.
        outputs: names, shapes and layouts that the artifact declares.
        tolerance: the limits to pass.
        compression: what was lost before, part of the verdict.

    Raises:
        InputError: the reference is of another model.
    """
    for spec in outputs:
        if spec.name not in reference.float64[0]:
            raise InputError(f"the reference has no output {spec.name!r}: it was made for another model")
    if tolerance.yardstick not in reference.yardsticks:
        raise InputError(f"the reference has no answers of PyTorch in {tolerance.yardstick}: convert again")
    judged = tuple(_judge_output(spec, reference, answers, tolerance) for spec in outputs)
    passed = all(not output.problems for output in judged) and not (compression and compression.problem)
    return Parity(passed, tolerance, judged, compression)


def sqnr_db(*, expected: NDArray[np.floating], actual: NDArray[np.floating]) -> float:
    """Signal to quantisation-noise ratio, 10 log10(sum expected^2 / sum (actual - expected)^2), clipped to +-320 dB."""
    reference = np.asarray(expected, np.float64)
    signal, noise = _energy(reference), _energy(np.asarray(actual, np.float64) - reference)
    if noise == 0:
        return EXACT_DB
    if signal == 0 or not math.isfinite(noise):
        return -EXACT_DB
    return float(np.clip(10 * math.log10(signal / noise), -EXACT_DB, EXACT_DB))


def dependence(answers: Sequence[NDArray[np.floating]]) -> float:
    """Root mean square deviation from the mean over the inputs, divided by the root mean square: 0 for a constant."""
    stack = np.stack(answers).astype(np.float64)
    size = _energy(stack)
    return math.sqrt(_energy(stack - stack.mean(axis=0)) / size) if size and math.isfinite(size) else 0.0


def _energy(values: NDArray[np.float64]) -> float:
    return float(np.sum(np.square(values)))


def _judge_output(spec: TensorSpec, reference: Reference, answers: Sequence[Outputs], tolerance: Tolerance) -> OutputParity:
    expected = [answer[spec.name] for answer in reference.float64]
    ranked = spec.layout == "NK" and spec.shape[-1] > 1
    problems: list[str] = []
    rows = []
    for i, sample in enumerate(reference.samples):
        actual = answers[i].get(spec.name)
        pytorch = {
            kind: sqnr_db(expected=expected[i], actual=yardstick[i][spec.name])
            for kind, yardstick in reference.yardsticks.items()
        }
        problem = _unusable(actual, expected[i])
        if actual is None or problem:
            problems.append(f"on {sample.name}, {problem}")
            rows.append(SampleParity(sample.name, sample.kind, None, None, None, None, None, None, None, pytorch))
        else:
            rows.append(_compare(sample.name, sample.kind, expected[i], actual, pytorch, ranked=ranked))
    return _summarise(spec.name, tuple(rows), problems, expected, answers, tolerance)


def _unusable(actual: NDArray[np.floating] | None, expected: NDArray[np.floating]) -> str:
    if actual is None:
        return "the artifact has no such output"
    if actual.shape != expected.shape:
        return f"its shape is {list(actual.shape)} instead of {list(expected.shape)}"
    if np.isnan(actual).any():
        return f"{int(np.isnan(actual).sum())} of {actual.size} values are NaN"
    if np.isinf(actual).any():
        return f"{int(np.isinf(actual).sum())} of {actual.size} values are infinite"
    return ""


def _compare(
    name: str,
    kind: str,
    expected: NDArray[np.floating],
    actual: NDArray[np.floating],
    pytorch_sqnr_db: Mapping[str, float],
    *,
    ranked: bool,
) -> SampleParity:
    reference, values = expected.astype(np.float64).ravel(), actual.astype(np.float64).ravel()
    error = np.abs(values - reference)
    peak, norms = float(np.abs(reference).max()), math.sqrt(_energy(reference) * _energy(values))
    order, reference_order = np.argsort(-values, kind="stable"), np.argsort(-reference, kind="stable")
    overlap = len(set(order[:TOP_K]) & set(reference_order[:TOP_K])) / TOP_K
    return SampleParity(
        sample=name,
        kind=kind,
        max_abs=float(error.max()),
        mean_abs=float(error.mean()),
        peak_error=float(error.max()) / peak if peak else (0.0 if error.max() == 0 else 1.0),
        sqnr_db=sqnr_db(expected=reference, actual=values),
        cosine=float(values @ reference) / norms if norms else None,
        top1=bool(order[0] == reference_order[0]) if ranked else None,
        top5=overlap if ranked and values.size > TOP_K else None,
        pytorch_sqnr_db=pytorch_sqnr_db,
    )


def _summarise(
    name: str,
    rows: tuple[SampleParity, ...],
    problems: list[str],
    expected: Sequence[NDArray[np.floating]],
    answers: Sequence[Outputs],
    tolerance: Tolerance,
) -> OutputParity:
    images = [row for row in rows if row.kind == "image"]
    chosen = [i for i, row in enumerate(rows) if row.kind == "image"]
    if len(chosen) < 2:
        chosen = list(range(len(rows)))
    moves = dependence([expected[i] for i in chosen])
    summary = OutputParity(
        output=name,
        max_abs=choose_known(max, [row.max_abs for row in rows]),
        mean_abs=_mean([row.mean_abs for row in rows]),
        peak_error=choose_known(max, [row.peak_error for row in rows]),
        sqnr_db=choose_known(min, [row.sqnr_db for row in rows]),
        image_sqnr_db=choose_known(min, [row.sqnr_db for row in images]),
        cosine=choose_known(min, [row.cosine for row in rows]),
        top1=_mean([row.top1 for row in images]),
        top5=_mean([row.top5 for row in images]),
        pytorch_sqnr_db={kind: min(row.pytorch_sqnr_db[kind] for row in rows) for kind in rows[0].pytorch_sqnr_db},
        dependence=moves,
        problems=(),
        samples=rows,
    )
    found = [*problems, *_over_limit(rows, tolerance)]
    if not problems:
        # where two right runtimes are 30 dB apart, on a picture where they are worse 20 would be too much to ask
        margin_db = min(MIN_DEPENDENCE_DB, tolerance.max_yardstick_db - MIN_DEPENDENCE_DB)
        actual = dependence([answers[i][name] for i in chosen])
        found += _constant(moves, actual, summary.image_sqnr_db or summary.sqnr_db, margin_db)
    return replace(summary, problems=tuple(found))


def _over_limit(rows: Sequence[SampleParity], tolerance: Tolerance) -> list[str]:
    """What is beyond the limits, images and synthetic inputs apart."""
    found = []
    strict = (tolerance.max_loss_db, tolerance.min_sqnr_db)
    has_images = any(row.kind == "image" for row in rows)  # without any, the others must stand in for them
    limits = {"image": strict, "synthetic": (tolerance.max_synthetic_loss_db, -math.inf) if has_images else strict}
    for kind, (max_loss_db, floor_db) in limits.items():
        usable = [row for row in rows if row.kind == kind and row.sqnr_db is not None]
        if not usable:
            continue
        worst = min(usable, key=lambda row: row.sqnr_db or 0.0)
        yardstick = min(row.pytorch_sqnr_db[tolerance.yardstick] for row in usable)
        limit_db = max(floor_db, min(yardstick, tolerance.max_yardstick_db) - max_loss_db)
        if worst.sqnr_db is not None and worst.sqnr_db < limit_db:
            found.append(
                f"{worst.sqnr_db:.1f} dB SQNR on {worst.sample} is below the limit of {limit_db:.1f} dB "
                f"({_YARDSTICKS[tolerance.yardstick]}: {yardstick:.1f} dB)"
            )
    peak = choose_known(max, [row.peak_error for row in rows if row.kind == "image" or not has_images])
    if peak is not None and peak > tolerance.max_peak_error:
        found.append(f"the largest error is {peak:.2g} of the output's peak, over the limit of {tolerance.max_peak_error:g}")
    return found


def _constant(expected: float, actual: float, sqnr: float | None, margin_db: float) -> list[str]:
    """An output that ignores its input agrees with anything: 100 dB of agreement would then mean nothing."""
    if expected < MIN_DEPENDENCE:
        return [
            f"the reference does not depend on the input (it moves by {expected:.1g} of its size): "
            "untrained or uncalibrated weights, or pictures that are all alike, make every parity figure meaningless"
        ]
    if actual < MIN_DEPENDENCE:
        return [f"it does not depend on the input (it moves by {actual:.1g} of its size)"]
    margin = 20 * math.log10(expected) + sqnr if sqnr is not None else EXACT_DB
    if margin < margin_db:
        return [f"what the input changes is only {margin:.0f} dB above the error, less than {margin_db:g} dB"]
    return []


def _mean(values: Sequence[float | bool | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None
