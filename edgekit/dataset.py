"""Pictures for calibrating and for counting accuracy: which files, which class of the model each shows, and their pixels."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit import digits
from edgekit.errors import InputError, OutputError
from edgekit.preprocessing import Preprocessing, read_image
from edgekit.samples import IMAGE_SUFFIXES, find_images

LABELS_FILE = "labels.csv"
DIGITS = Path("digits")
"""The set that edgekit ships, always: a folder of that name is given by its whole path, or on the command line as `./digits`."""
_DIGIT_CLASSES = 10


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture's file, the index of its class in the model's output, and how its set calls it."""

    path: Path
    class_index: int
    name: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file of a set that cannot be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pixels:
    """Labelled pictures as a model's preprocessing leaves them, side by side in one file: decoded once for all artifacts.

    Attributes:
        path: the file: uint8, pictures x height x width x channels, and nothing else.
        shape: of that.
        pictures: where they come from, in the same order.
        skipped: files that could not be read or taken.
    """

    path: Path
    shape: tuple[int, int, int, int]
    pictures: tuple[LabelledPicture, ...]
    skipped: tuple[Skipped, ...]

    @property
    def classes(self) -> NDArray[np.int64]:
        """The right ones (pictures,)."""
        return np.array([picture.class_index for picture in self.pictures])

    def open(self) -> NDArray[np.uint8]:
        """Map the file: uint8 NHWC, read as far as it is looked at."""
        return np.memmap(self.path, np.uint8, "r", shape=self.shape)


def find_pictures(source: Path, work: Path) -> tuple[Path, ...]:
    """List pictures without asking what they show.

    Args:
        source: a folder, searched through; a text file that names one picture a line, or a `.csv` with a column `file`, both
            relative to themselves; or "digits", for every other one of the held-out digits.
        work: a folder for the digits' files, which are not files yet.

    Raises:
        InputError: nothing there, or no picture in it.
    """
    if source == DIGITS:
        return tuple(picture.path for picture in _digits(work)[::2])
    if source.is_file() and source.suffix.lower() not in IMAGE_SUFFIXES:
        return _listed(source)
    return (_images_in(source) if source.is_dir() else ()) or find_images(source)


def find_labelled(source: Path, labels: Sequence[str], classes: int, work: Path) -> tuple[LabelledPicture, ...]:
    """List pictures with their classes. Whether a file of a list is there is found out when it is read.

    Args:
        source: a `.csv` file (columns `file`, relative to itself, and `label` or `index`); a folder with such a `labels.csv`; a
            folder with one folder per class, named as the class or by its index; or "digits", for the held-out digits that
            `find_pictures` leaves.
        labels: the model's, one per class, or empty.
        classes: how many the model has.
        work: as for `find_pictures`.

    Raises:
        InputError: nothing there, or a label that the model does not have.
    """
    if source == DIGITS:
        if classes != _DIGIT_CLASSES:
            raise InputError(f"the digits have {_DIGIT_CLASSES} classes, and the model has {classes}")
        return _digits(work)[1::2]
    names = _Names(labels, classes)
    if source.suffix.lower() == ".csv" and source.is_file():
        return _from_csv(source, names)
    if not source.is_dir():
        raise InputError(f"no such folder of labelled images: {source}")
    if (source / LABELS_FILE).is_file():
        return _from_csv(source / LABELS_FILE, names)
    found = tuple(_from_folders(source, names))
    if not found:
        raise InputError(f"{source} has neither a {LABELS_FILE} nor a folder of images per class")
    return found


def spread(pictures: Sequence[LabelledPicture], limit: int) -> tuple[LabelledPicture, ...]:
    """Take at most `limit`, evenly spread: a folder per class gives some of every class."""
    count = min(limit, len(pictures))
    return tuple(pictures[i * len(pictures) // count] for i in range(count))


def decode(
    pictures: Sequence[LabelledPicture],
    preprocessing: Preprocessing,
    *,
    shape_hwc: tuple[int, int, int],
    path: Path,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pixels:
    """Read pictures and write what the preprocessing makes of them, before it normalises.

    Args:
        pictures: which.
        preprocessing: the model's.
        shape_hwc: what the model takes.
        path: a file to write.
        on_progress: is told how many are done, of how many.

    Raises:
        InputError: not one of them can be used.
        OutputError: no room for the pixels.
    """
    taken, skipped = [], []
    try:
        with path.open("wb") as file:  # not mapped: a full disk is then an error, and not the end of the process
            for done, picture in enumerate(pictures, start=1):
                pixels = read_pixels(picture.path, preprocessing, shape_hwc)
                if isinstance(pixels, str):
                    skipped.append(Skipped(picture.name, pixels))
                else:
                    file.write(pixels.tobytes())
                    taken.append(picture)
                on_progress(done, len(pictures))
    except OSError as error:
        raise OutputError(f"cannot keep the pixels of {len(pictures)} images in {path.parent}: {error.strerror}") from error
    if not taken:
        raise InputError(f"none of {len(pictures)} images can be used: {skipped[0].reason}" if skipped else "no images")
    return Pixels(path, (len(taken), *shape_hwc), tuple(taken), tuple(skipped))


class _Names:
    """How a model's classes are called."""

    def __init__(self, labels: Sequence[str], classes: int) -> None:
        self.classes = classes
        self._by_label: dict[str, list[int]] = {}
        for index, label in enumerate(labels):
            self._by_label.setdefault(label.strip().casefold(), []).append(index)

    def find(self, label: str, index: str, where: str) -> int:
        """Find a class by its label, by its index where the model has no labels, by both where a label is there twice."""
        number = int(index) if index.strip().isdecimal() and len(index) < 10 else None
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

    def find_folder(self, name: str, where: str) -> int:
        """Find the class that a folder is named after: the label comes before the index."""
        is_index = name.isdecimal() and name.casefold() not in self._by_label
        return self.find("" if is_index else name, name, where)


def read_pixels(path: Path, preprocessing: Preprocessing, shape_hwc: tuple[int, int, int]) -> NDArray[np.uint8] | str:
    """A picture's pixels, or why there are none."""
    try:
        pixels = preprocessing.pixels(read_image(path))
    except InputError as error:
        return str(error)
    except Exception as error:  # Pillow reads an orientation late, and a damaged one may raise anything
        return f"{path} is not an image that can be used ({type(error).__name__}: {error})"
    if pixels.shape != shape_hwc:
        return f"the preprocessing makes {list(pixels.shape)} of {path}, and the model takes {list(shape_hwc)}"
    return pixels


def _from_csv(file: Path, names: _Names) -> tuple[LabelledPicture, ...]:
    found: dict[str, LabelledPicture] = {}
    for line, row in _rows(file, {"label", "index"}):
        where = f"{file}, line {line}"
        name = row["file"] or ""
        if name in found:
            raise InputError(f"{where}: {name!r} is there twice")
        found[name] = LabelledPicture(file.parent / name, names.find(row.get("label") or "", row.get("index") or "", where), name)
    return tuple(found.values())


def _rows(file: Path, either: set[str]) -> Sequence[tuple[int, Mapping[str, str | None]]]:
    """Read a table that has a column `file`, and one of `either` where it is not empty, with the line of each row."""
    try:
        reader = csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline=""), strict=True)
        rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {file}: {error}") from error
    columns = set(reader.fieldnames or ())
    if "file" not in columns or (either and not columns & either):
        wanted = f", and {' or '.join(sorted(either, reverse=True))}" if either else ""
        raise InputError(f"{file} needs a first line with the columns file{wanted}")
    for line, row in rows:
        if not row["file"]:
            raise InputError(f"{file}, line {line}: no file is named")
        if None in row:  # csv's name for what is behind the last column
            raise InputError(f"{file}, line {line}: more values than columns; a label with a comma in it needs quotes")
    if not rows:
        raise InputError(f"{file} lists no images")
    return rows


def _from_folders(source: Path, names: _Names) -> Iterator[LabelledPicture]:
    for folder in sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith(".")):
        class_index = names.find_folder(folder.name, f"folder {folder}")
        for path in _images_in(folder):
            yield LabelledPicture(path, class_index, path.relative_to(source).as_posix())


def _images_in(folder: Path) -> tuple[Path, ...]:
    """Pictures of a folder and of its folders; a Mac leaves a hidden file beside each on other systems' disks."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return tuple(sorted(path for path in files if path.suffix.lower() in IMAGE_SUFFIXES))


def _listed(file: Path) -> tuple[Path, ...]:
    try:
        if file.suffix.lower() == ".csv":
            names = [row["file"] or "" for _, row in _rows(file, set())]
        else:
            lines = [line.strip() for line in file.read_text("utf-8-sig").splitlines()]
            names = [line for line in lines if line and not line.startswith("#")]
        paths = tuple(file.parent / name for name in names)
        missing = [path for path in paths if not path.is_file()]
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a name with a null byte
        raise InputError(f"cannot read the list of images in {file}: {error}") from error
    if not paths:
        raise InputError(f"{file} lists no images")
    if missing:
        raise InputError(f"{file} lists {missing[0]}, which is not there")
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
        found.append(LabelledPicture(path, int(class_index), path.name))
    return tuple(found)
