"""The output folder: artifacts are made aside and renamed into place, so that a reader never sees half of one."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edgekit.document import MANIFEST
from edgekit.errors import OutputError
from edgekit.launcher import LOG
from edgekit.report import FILE_NAME as REPORT
from edgekit.scratch import scratch_in

FAILED_FILES = {REPORT, LOG}  # all that a failed conversion leaves


def check_places(output: Path, names: Iterable[str], *, force: bool) -> None:
    """Say what is wrong with the output folder before minutes of work, not after.

    Raises:
        OutputError: it cannot be written, or an artifact is there already.
    """
    for name in names:
        check_place(output / name, force=force)


def check_place(place: Path, *, force: bool) -> None:
    """Refuse to replace an artifact unasked, and somebody else's folder in any case.

    Raises:
        OutputError: one of both is at the place.
    """
    if not place.exists():
        return
    if (place / MANIFEST).exists():
        if not force:
            raise OutputError(f"{place} is there already. Replace it with --force, or choose another --output")
    elif not {path.name for path in place.iterdir()} <= FAILED_FILES:
        raise OutputError(f"{place} is there and is not edgekit's. Choose another --output")


@contextmanager
def staging_in(output: Path) -> Iterator[Path]:
    """A folder beside the results, so that renaming into place is atomic; gone whatever happens."""
    stack = ExitStack()
    created = [path for path in (output, *output.parents) if not path.exists()]
    try:
        output.mkdir(parents=True, exist_ok=True)
        staging = stack.enter_context(scratch_in(output))
    except OSError as error:
        raise OutputError(f"cannot write to {output}: {error.strerror}. Choose another --output") from error
    try:
        with stack:
            yield staging
    finally:
        for path in created:  # an output folder that we made and that stayed empty goes as well
            try:
                path.rmdir()
            except OSError:
                break


def publish(made: Path, place: Path, *, force: bool) -> Path:
    """Rename into place; what was there goes only when the new one stands. A failure never takes an artifact's place.

    Returns:
        The place; or NAME.failed beside it, for the report of a failure where an artifact stands.

    Raises:
        OutputError: it cannot be put there, or another run was faster.
    """
    failed = place.with_name(f"{place.name}.failed")
    has_succeeded = (made / MANIFEST).exists()
    if (place / MANIFEST).exists() and not has_succeeded:
        place = failed
    check_place(place, force=force)
    old = made.with_name(f"{made.name}.old")
    try:
        if place.exists():
            place.rename(old)
        made.rename(place)
    except OSError as error:
        if old.exists() and not place.exists():
            old.rename(place)
        raise OutputError(f"cannot put the artifact at {place}: {error.strerror}") from error
    if has_succeeded and failed.is_dir() and {path.name for path in failed.iterdir()} <= FAILED_FILES:
        shutil.rmtree(failed, ignore_errors=True)  # an earlier attempt's: no longer true
    return place
