"""What is sent to a board: the artifact's files, the inputs, the order, and a program that needs nothing else of edgekit's."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from edgekit.board.board import Task
from edgekit.board.order import ARTIFACT, FILE_NAME, INPUTS, RANDOM, RUNNER, SAMPLES, Order, encode_order
from edgekit.board.portable import Portable

MAIN = "from edgekit.board.runner import main\n\nmain()\n"


@dataclass(frozen=True, slots=True)
class Parcel:
    """Everything for one artifact.

    Attributes:
        contents: of files in memory, by name.
        artifact: files on disk, by name; `contents` and these are one folder there.
        commands: of `edgekit.board.runner`, in order, each in a process of its own, with its number of threads.
    """

    contents: dict[str, bytes]
    artifact: dict[str, Path]
    commands: tuple[tuple[str, int], ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes by name, in the order in which they are sent."""
        on_disk = {name: path.stat().st_size for name, path in self.artifact.items()}
        return {**{name: len(content) for name, content in self.contents.items()}, **on_disk}


def pack(task: Task, portable: Portable) -> Parcel:
    """Put a parcel together."""
    inputs = io.BytesIO()
    np.savez_compressed(inputs, **{SAMPLES: task.samples_nchw, RANDOM: task.random_nchw})  # type: ignore[arg-type]  # numpy's stub
    job = replace(task.job, path=Path(ARTIFACT) / task.job.path.relative_to(task.folder))
    order = Order(portable.opener, portable.needs, job, task.plan)
    packages = ("edgekit", portable.opener.partition(":")[0].partition(".")[0])
    return Parcel(
        {RUNNER: pack_program(packages), FILE_NAME: encode_order(order), INPUTS: inputs.getvalue()},
        {f"{ARTIFACT}/{file.path}": task.folder / file.path for file in task.manifest.files},
        (("answer", task.threads[0]), *(("time", number) for number in task.threads if task.plan)),
    )


def pack_program(packages: Iterable[str]) -> bytes:
    """Zip the sources of packages so that Python runs the archive: https://docs.python.org/3/library/zipapp.html."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__main__.py", MAIN)
        for package in packages:
            _add(archive, files(package), package)
    return content.getvalue()


def _add(archive: zipfile.ZipFile, folder: Traversable, name: str) -> None:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            _add(archive, entry, f"{name}/{entry.name}")
        elif entry.name.endswith(".py"):
            archive.writestr(f"{name}/{entry.name}", entry.read_bytes())
