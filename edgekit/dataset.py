"""Pictures for calibrating and for counting accuracy: which files, and which class of the model each shows."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import digits
from edgekit.errors import InputError
from edgekit.samples import IMAGE_SUFFIXES, find_images

LABELS_FILE = "labels.csv"
DIGITS = "digits"
_DIGIT_CLASSES = 10


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture's file, and the index of its class in the model's output."""

    path: Path
    class_index: int


def find_pictures(source: Path, work: Path) -> tuple[Path, ...]:
    """List pictures without asking what they show.

    Args:
        source: a folder, searched through; a text file that names one picture a line, relative to itself; or "digits", for
            every other one of the held-out digits.
        work: a folder for the digits' files, which are not files yet.

    Raises:
        InputError: nothing there, or no picture in it.
    """
    if str(source) == DIGITS and not source.exists():
        return tuple(picture.path for picture in _digits(work)[::2])
    if source.is_file() and source.suffix.lower() not in IMAGE_SUFFIXES:
        return _listed(source)
    if source.is_dir():
        found = tuple(sorted(path for path in source.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()))
        if found:
            return found
    return find_images(source)


def find_labelled(source: Path, labels: Sequence[str], classes: int, work: Path) -> tuple[LabelledPicture, ...]:
    """List pictures with their classes.

    Args:
        source: a folder with a `labels.csv` (columns `file`, and `label` or `index`), a folder with one folder per class, named
            as the class or by its index; or "digits", for the held-out digits that `find_pictures` leaves.
        labels: the model's, one per class, or empty.
        classes: how many the model has.
        work: as for `find_pictures`.

    Raises:
        InputError: nothing there, or a label that the model does not have.
    """
    if str(source) == DIGITS and not source.exists():
        if classes != _DIGIT_CLASSES:
            raise InputError(f"the digits have {_DIGIT_CLASSES} classes, and the model has {classes}")
        return _digits(work)[1::2]
    if not source.is_dir():
        raise InputError(f"no such folder of labelled images: {source}")
    names = _Names(labels, classes)
    found = _from_csv(source, names) if (source / LABELS_FILE).is_file() else _from_folders(source, names)
    if not found:
        raise InputError(f"{source} has neither a {LABELS_FILE} nor a folder of images per class")
    return found


class _Names:
    """How a model's classes are called."""

    def __init__(self, labels: Sequence[str], classes: int) -> None:
        self.classes = classes
        self._by_label: dict[str, list[int]] = {}
        for index, label in enumerate(labels):
            self._by_label.setdefault(label.strip().casefold(), []).append(index)

    def find(self, label: str, index: str, where: str) -> int:
        """Find a class by its label, by its index where the model has no labels, by both where a label is there twice."""
        number = int(index) if index.strip().isdecimal() else None
        named = self._by_label.get(label.strip().casefold(), [])
        if len(named) == 1:
            return named[0]
        if named:  # ImageNet has two cranes; the model may count a background before the first class
            for found in named:
                if number is not None and found in (number, number + 1):
                    return found
            raise InputError(f"{where}: the model has {len(named)} classes called {label!r}; give the index as well")
        if self._by_label and label:
            raise InputError(f"{where}: the model has no class {label!r}: these labels are of another model")
        if number is None or number >= self.classes:
            raise InputError(f"{where}: {index or label!r} is no class of a model with {self.classes}")
        return number


def _from_csv(folder: Path, names: _Names) -> tuple[LabelledPicture, ...]:
    file = folder / LABELS_FILE
    try:
        rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines(), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {file}: {error}") from error
    columns = set(rows[0]) if rows else set()
    if "file" not in columns or not columns & {"label", "index"}:
        raise InputError(f"{file} needs a first line with the columns file, and label or index")
    return tuple(_from_row(folder, row, f"{file}, line {line}", names) for line, row in enumerate(rows, start=2))


def _from_row(folder: Path, row: Mapping[str, str | None], where: str, names: _Names) -> LabelledPicture:
    name = row["file"] or ""
    if not (folder / name).is_file():
        raise InputError(f"{where}: there is no picture {name!r}")
    return LabelledPicture(folder / name, names.find(row.get("label") or "", row.get("index") or "", where))


def _from_folders(source: Path, names: _Names) -> tuple[LabelledPicture, ...]:
    return tuple(
        LabelledPicture(path, class_index)
        for folder in sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith("."))
        for class_index in [names.find("" if folder.name.isdecimal() else folder.name, folder.name, f"folder {folder}")]
        for path in find_images(folder)
    )


def _listed(file: Path) -> tuple[Path, ...]:
    try:
        lines = [line.strip() for line in file.read_text("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the list of images in {file}: {error}") from error
    paths = tuple(file.parent / line for line in lines if line and not line.startswith("#"))
    if not paths:
        raise InputError(f"{file} lists no images")
    for path in paths:
        if not path.is_file():
            raise InputError(f"{file} lists {path}, which is not there")
    return paths


def _digits(work: Path) -> tuple[LabelledPicture, ...]:
    """The held-out digits, written as files."""
    from PIL import Image

    pictures, classes = digits.held_out()
    found = []
    for i, (pixels, class_index) in enumerate(zip(pictures, classes, strict=True)):
        path = work / f"digit-{i:03}.png"
        if not path.exists():
            Image.fromarray(pixels).save(path)
        found.append(LabelledPicture(path, int(class_index)))
    return tuple(found)
