"""What a model answered that edgekit did not make: lines for people, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from edgekit.cli.show import print_json, print_lines
from edgekit.foreign import Answer
from edgekit.report import Report


def show_answers(report: Report, answers: Sequence[Answer], *, top: int, json: bool) -> int:
    """Print every output of each prediction, or JSON, and return the exit code."""
    problem = report.problem
    if json:
        print_json({"schema_version": 1, "runtime": report.runtime, "answers": answers, "problem": problem})
    elif problem:
        print(f"edgekit: {problem.message}", file=sys.stderr)
    else:
        for answer in answers:
            print_lines(", ".join(answer.inputs.values()), *(f"  ({note})" for note in answer.notes))
            for name, value in answer.outputs.items():
                print_lines(*_lines(name, value, top))
    return problem.exit_code if problem else 0


def _lines(name: str, value: Any, top: int) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"  {name}: {value}"]
    if set(value) != {"dtype", "shape", "values"}:
        return [f"  {name}:", *(f"    {probability:7.2%}  {label}" for label, probability in islice(value.items(), top))]
    values = np.array(value["values"], np.float64).ravel()  # null, which stands for what is not finite, becomes NaN
    heading = f"  {name}: {value['dtype']}{value['shape']}"
    finite = values[np.isfinite(values)]
    if not finite.size:
        return [heading]
    broken = f", {values.size - finite.size} not finite" if finite.size < values.size else ""
    largest = int(np.nanargmax(values))
    return [f"{heading}, from {finite.min():g} to {finite.max():g}, mean {finite.mean():g}, largest at {largest}{broken}"]
