"""edgekit.toml as a list of cells: model x resolution x target x precision."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from edgekit.errors import UsageError
from edgekit.matrix.config import Config, Limits, Model
from edgekit.mobilenet.overrides import Overrides
from edgekit.naming import name_artifact, name_model
from edgekit.precision import INT8
from edgekit.request import ConvertRequest, PrepareRequest

ALL = "all"
EMBEDDED = "digits"  # a model, and a set of pictures, that edgekit ships: not a path


@dataclass(frozen=True, slots=True)
class Subject:
    """A model at a resolution: what its cells share.

    Attributes:
        name: what artifacts call it.
        model: a path that does not depend on the current folder, or a name that is none.
        overrides: what the checkpoint's files do not say.
        images: real pictures for parity; None for those edgekit ships.
        calibration: pictures for int8; None where there is none.
        evaluation: labelled pictures; None where none are counted on.
        max_drop_points: of top-1, of 100, that int8 may lose; it keeps units in float for it.
        weight_bits: of int8.
        allow_overlap: count on pictures that were calibrated on.
        resolution: as asked for, in pixels; None for the checkpoint's own.
    """

    name: str
    model: str
    overrides: Overrides
    images: str | None
    calibration: str | None
    evaluation: str | None
    max_drop_points: float | None
    weight_bits: int
    allow_overlap: bool
    resolution: int | None

    def preparation(self, precisions: Collection[str]) -> PrepareRequest:
        """What cells of these precisions share."""
        has_int8 = INT8 in precisions
        return PrepareRequest(
            self.model,
            self.name,
            tuple(sorted(precisions)),
            self.overrides,
            self.images,
            self.calibration if has_int8 else None,
            self.evaluation if has_int8 else None,
            self.max_drop_points if has_int8 else None,
            self.weight_bits,
            self.allow_overlap,
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """One artifact to be made.

    Attributes:
        subject: of what.
        target: the plugin's name.
        precision: requested.
        options: the plugin's.
        limits: what it has to reach.
        num_threads: of the runtime.
    """

    subject: Subject
    target: str
    precision: str
    options: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    num_threads: int = 1

    @property
    def name(self) -> str:
        """Of its folder."""
        return name_artifact(self.subject.name, self.target, self.precision)

    @property
    def request(self) -> ConvertRequest:
        """What a worker is asked."""
        return ConvertRequest(self.subject.name, self.target, self.precision, self.options, self.num_threads)


def expand(config: Config, folder: Path, installed: Sequence[str]) -> tuple[Cell, ...]:
    """List all cells, models first.

    Args:
        config: the file.
        folder: its folder, to which its paths are relative.
        installed: targets that `all` stands for.

    Raises:
        UsageError: two cells of one name.
    """
    cells: dict[str, Cell] = {}
    for entry in config.entries:
        for resolution in entry.resolutions or config.resolutions or (None,):
            for cell in _cells(config, entry, resolution, folder, installed):
                if cell.name in cells:
                    raise UsageError(f"two cells are called {cell.name}: give one of the models another `name`")
                cells[cell.name] = cell
    return tuple(cells.values())


def select(cells: Sequence[Cell], only: Sequence[str], skip: Sequence[str]) -> dict[str, str]:
    """Tell which cells are left out, and why.

    Args:
        cells: of the file.
        only: patterns; a cell has to match one of them, where there are any.
        skip: patterns; a cell must match none.

    Returns:
        The reason by the cell's name.

    Raises:
        UsageError: a pattern that matches no cell: most likely a mistake.
    """
    for flag, patterns in (("--only", only), ("--skip", skip)):
        for pattern in patterns:
            if not any(_matches(cell, pattern) for cell in cells):
                raise UsageError(
                    f"{flag} {pattern} matches no cell. A pattern is one for names, such as *-onnx-*, or target=onnx, "
                    "precision=int8, model=NAME; `edgekit matrix --list` shows the cells"
                )
    left_out = {}
    for cell in cells:
        if only and not any(_matches(cell, pattern) for pattern in only):
            left_out[cell.name] = f"--only {', '.join(only)}"
        for pattern in skip:
            if _matches(cell, pattern):
                left_out[cell.name] = f"--skip {pattern}"
    return left_out


def _matches(cell: Cell, pattern: str) -> bool:
    key, equals, value = pattern.partition("=")
    if not equals:
        return fnmatchcase(cell.name, pattern)
    found = {"target": cell.target, "precision": cell.precision, "model": cell.subject.name}.get(key)
    return found is not None and fnmatchcase(found, value)


def _cells(config: Config, entry: Model, resolution: int | None, folder: Path, installed: Sequence[str]) -> Iterator[Cell]:
    wanted = entry.targets or config.targets
    targets = tuple(dict.fromkeys(name for each in wanted for name in (installed if each == ALL else (each,))))
    precisions = tuple(dict.fromkeys(entry.precisions or config.precisions))
    goals = {target: config.goals.of(target) for target in targets}
    drops = [goal.max_top1_drop for goal in goals.values() if goal.max_top1_drop is not None]
    calibration = entry.calibration or config.calibration or (EMBEDDED if entry.model == EMBEDDED else None)
    evaluation = entry.evaluation or config.evaluation
    subject = Subject(
        name_subject(entry, resolution, folder),
        _place(entry.model, folder, is_model=True),
        Overrides(
            entry.width,
            resolution,
            entry.padding,
            entry.norm_eps,
            _place(entry.labels, folder) if entry.labels else None,
        ),
        _place(images, folder) if (images := entry.images or config.images) else None,
        _place(calibration, folder) if calibration else None,
        _place(evaluation, folder) if evaluation else None,
        min(drops) if drops and evaluation else None,
        config.weight_bits,
        config.allow_overlap,
        resolution,
    )
    for target in targets:
        options = {key: _text(value) for key, value in config.options.get(target, {}).items()}
        for precision in precisions:
            yield Cell(subject, target, precision, options, goals[target], config.threads)


def name_subject(entry: Model, resolution: int | None, folder: Path) -> str:
    """What artifacts call a model of the file at a resolution."""
    name = entry.name or name_model(_place(entry.model, folder, is_model=True))
    return f"{name}-{resolution}px" if resolution else name


def _place(text: str, folder: Path, *, is_model: bool = False) -> str:
    """A path of the file, as one that does not depend on the current folder; a hub id stays what it is."""
    path = folder / Path(text.removeprefix("hf://") if is_model else text).expanduser()
    if text == EMBEDDED or (is_model and not path.exists()):
        return text
    return str(path.absolute())


def _text(value: str | float | bool) -> str:
    """An option as the command line would have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
