"""The page as text, from its template."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path

import jinja2

from edgekit.document import write_bytes
from edgekit.examination import summarise
from edgekit.machine import Machine
from edgekit.matrix.page.card import Card, make_card, worst_sample
from edgekit.matrix.record import MatrixReport
from edgekit.matrix.wording import SEVERE_FIRST, WORDS, clean, columns_of, count, figure, goal_parts, rows_of, sentence, worst_of

FILE_NAME = "report.html"


def write_page(matrix: MatrixReport, folder: Path) -> Path:
    """Write report.html into a folder that exists.

    Raises:
        OutputError: it cannot be written.
    """
    path = folder / FILE_NAME
    write_bytes(path, render_page(matrix).encode())
    return path


def render_page(matrix: MatrixReport) -> str:
    """The page. Whatever a record holds is text there: the template escapes it."""
    cards = [make_card(cell, number) for number, cell in enumerate(matrix.cells)]
    at: Mapping[int, Card] = {id(card.cell): card for card in cards}
    columns = columns_of(matrix)
    rows = {
        model: [[at[id(cell)] for cell in row.get(column, [])] for column in columns] for model, row in rows_of(matrix).items()
    }
    targets = list(dict.fromkeys(column.target for column in columns))
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            matrix=matrix,
            verdict=sentence(matrix),
            mark=worst_of(matrix),
            counts=count(matrix),
            columns=columns,
            spans={target: sum(column.target == target for column in columns) for target in targets},
            rows=rows,
            cards=cards,
            fallen=sorted((card for card in cards if card.reason), key=lambda card: SEVERE_FIRST.index(card.cell.outcome)),
            reused=sum(cell.is_reused for cell in matrix.cells),
        )
    )


def machine_line(machine: Machine) -> str:
    """A machine in one line."""
    memory = f"{machine.memory_bytes / 2**30:.0f} GiB"
    cores = "1 core" if machine.cores == 1 else f"{machine.cores} cores"
    sets = f", {' '.join(machine.instruction_sets)}" if machine.instruction_sets else ""
    return f"{machine.processor}, {cores}, {memory}, {machine.system} {machine.architecture}{sets}, Python {machine.python}"


def parts_of(name: str) -> list[str]:
    """Cut a name behind each separator: a line may end there."""
    return re.split(r"(?<=[-_./])(?=.)", name)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("edgekit.matrix.page", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.globals |= {
        "figure": figure,
        "goal_parts": goal_parts,
        "machine_line": machine_line,
        "parts_of": parts_of,
        "words": WORDS,
    }
    environment.globals |= {"summarise": summarise, "worst_sample": worst_sample}
    return environment


def _finalize(value: object) -> object:
    """What a log has for a terminal is nothing for a page."""
    return clean(value) if type(value) is str else value
