"""Computes an artifact in several arithmetics: the records are in `edgekit.envelope`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgekit.envelope import Envelope, Spread
from edgekit.errors import InputError, TargetMissing, UsageError
from edgekit.examination import Examiner, Finding, Watcher
from edgekit.judge import judge
from edgekit.parity import OutputParity
from edgekit.reference import Outputs, Reference
from edgekit.target import LoadJob, Target, TensorSpec, Tolerance

ALL = "all"


def choose_arithmetics(target: Target, asked: Sequence[str]) -> tuple[str, ...]:
    """Say which arithmetics are meant, "all" included.

    Raises:
        UsageError: the target has none, or no such.
    """
    if not isinstance(target, Examiner):
        raise UsageError(
            f"target {target.name} computes an artifact in its runtime's own arithmetic and no other: leave out --arithmetic"
        )
    known = tuple(target.arithmetics())
    if unknown := [name for name in asked if name not in (*known, ALL)]:
        raise UsageError(f"target {target.name} has no arithmetic {', '.join(unknown)}. It has: {', '.join(known)}; or {ALL}")
    return known if ALL in asked else tuple(dict.fromkeys(asked))


def measure_envelope(
    target: Examiner, job: LoadJob, reference: Reference, names: Sequence[str], tolerance: Tolerance
) -> Envelope:
    """Compute an artifact in several arithmetics, and compare the answers.

    Args:
        target: that made it.
        job: the artifact.
        reference: inputs as the artifact takes them, and PyTorch's answers.
        names: of the arithmetics.
        tolerance: of the verdict; only its yardstick has to be in the reference.
    """
    answers: dict[str, list[Outputs]] = {}
    findings: list[Finding] = []
    refused: dict[str, str] = {}
    for name in names:
        try:
            with target.load_as(job, name) as runner:
                given = ({job.inputs[0].name: sample.image_nchw} for sample in reference.samples)
                answers[name] = [dict(runner.infer(each)) for each in given]
                findings += runner.findings if isinstance(runner, Watcher) else ()
        except (InputError, TargetMissing) as error:  # the others still tell something
            refused[name] = str(error)
    described = {name: what for name, what in target.arithmetics().items() if name in answers}
    outputs = spread(reference, answers, job.outputs, tolerance) if answers else ()
    return Envelope(described, outputs, tuple(findings), refused)


def spread(
    reference: Reference, answers: Mapping[str, Sequence[Outputs]], outputs: Sequence[TensorSpec], tolerance: Tolerance
) -> tuple[Spread, ...]:
    """Compare the answers of several arithmetics with the reference.

    Args:
        reference: inputs and PyTorch's answers.
        answers: by arithmetic, one dict of float32 arrays per sample.
        outputs: that the artifact declares.
        tolerance: of the verdict; only its yardstick has to be in the reference.
    """
    judged = {name: judge(reference, each, outputs, tolerance).outputs for name, each in answers.items()}
    images = [i for i, sample in enumerate(reference.samples) if sample.kind == "image"]
    rows = []
    for at, spec in enumerate(outputs):
        figures = {name: _worst(each[at]) for name, each in judged.items()}
        known = [db for db in figures.values() if db is not None]
        top1 = {name: each[at].top1 for name, each in judged.items()}
        classes = [[int(np.argmax(each[i][spec.name])) for each in answers.values()] for i in images]
        ranked = bool(classes) and None not in top1.values()
        rows.append(
            Spread(
                spec.name,
                figures,
                top1,
                min(known) if len(known) == len(figures) else None,
                max(known, default=None),
                sum(len(set(row)) == 1 for row in classes) / len(classes) if ranked else None,
            )
        )
    return tuple(rows)


def _worst(output: OutputParity) -> float | None:
    pictures = [row for row in output.samples if row.kind == "image"] or output.samples
    figures = [row.sqnr_db for row in pictures]
    return None if None in figures else min(db for db in figures if db is not None)
