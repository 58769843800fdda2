"""The installed targets: listed from metadata without importing any, loaded one at a time by name."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, cast

from edgekit.errors import TargetMissing, UsageError

if TYPE_CHECKING:
    from edgekit.target import Target

GROUP = "edgekit.targets"
OWN_TARGETS = ("coreml", "executorch", "onnx", "openvino")


@cache
def advertised() -> tuple[EntryPoint, ...]:
    """What the installed distributions say, read once: with a hundred of them that takes 40 ms."""
    return tuple(entry_points(group=GROUP))


def installed() -> dict[str, EntryPoint]:
    """Entry points by target name, sorted. Imports nothing.

    Raises:
        TargetMissing: two distributions advertise one name.
    """
    found: dict[str, EntryPoint] = {}
    for point in sorted(advertised(), key=lambda point: point.name):
        rival = found.setdefault(point.name, point)
        if rival.value != point.value:
            raise TargetMissing(
                f"two plugins call themselves {point.name!r}: {rival.value} and {point.value}. Uninstall one of them"
            )
    return found


def find(name: str) -> EntryPoint:
    """Look one target up.

    Raises:
        TargetMissing: it is one of ours, and its plugin is not installed.
        UsageError: nobody knows such a target.
    """
    points = installed()
    if name in points:
        return points[name]
    here = ", ".join(points) or "none"
    if name in OWN_TARGETS:
        raise TargetMissing(f'target {name} is not installed (installed: {here}). Install it with: pip install "edgekit[{name}]"')
    raise UsageError(
        f"there is no target {name!r} (installed: {here}). "
        f'edgekit\'s own are {", ".join(OWN_TARGETS)}: pip install "edgekit[NAME]"'
    )


def load(name: str) -> Target:
    """Import one target's plugin, and with it its SDK.

    Raises:
        TargetMissing: the plugin is there and cannot be imported; the cause is kept.
        UsageError: nobody knows such a target.
    """
    point = find(name)
    try:
        return cast("Target", point.load()())
    except Exception as error:  # somebody else's code: whatever it raises, the user is told which plugin it was
        raise TargetMissing(
            f"the plugin of target {name} ({point.value}) cannot be imported: {type(error).__name__}: {error}. "
            "See `edgekit doctor`"
        ) from error
