"""Flags that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.errors import UsageError

if TYPE_CHECKING:
    from edgekit.mobilenet.overrides import Overrides

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Artifacts = Annotated[
    list[Path],
    typer.Argument(help="Folder of an artifact, or a file in it.", metavar="ARTIFACT...", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of a table.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Threads = Annotated[int, typer.Option("--threads", min=1, max=1024, help="Threads of the runtime.")]
Iterations = Annotated[int, typer.Option("--iterations", min=20, max=1_000_000, help="Timed inferences, after warm-up.")]
MaxSeconds = Annotated[float, typer.Option("--max-seconds", min=0.1, help="Stop timing after this long.")]
MaxWarmup = Annotated[float, typer.Option("--warmup", min=0.1, help="Seconds to wait at most for a steady state.")]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images", help="Real pictures for parity, a folder (the first 64 by name) or a file. [default: those edgekit ships]"
    ),
]
Width = Annotated[float | None, typer.Option("--width", help="Channel multiplier, where the checkpoint does not say.")]
Resolution = Annotated[int | None, typer.Option("--resolution", help="Input size in pixels, if not the checkpoint's.")]
PaddingFlag = Annotated[str | None, typer.Option("--padding", help="symmetric or same, where the checkpoint does not say.")]
NormEps = Annotated[float | None, typer.Option("--norm-eps", help="Batch-norm epsilon, where the checkpoint does not say.")]
Labels = Annotated[Path | None, typer.Option("--labels", help="Text file with one label a line.")]


def seconds(text: str) -> float:
    """Read a time as `60s`, `5m`, `1h`, or seconds alone.

    Raises:
        UsageError: it is none of these, or not above 0.
    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNIT_SECONDS else (text, "s")
    try:
        found = float(number) * UNIT_SECONDS[unit]
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise UsageError(f"a time is given as 60s, 5m or 1h, not {text!r}")
    return found


def pictures(text: str) -> Path:
    """Read the path of a set of pictures. The word `digits` is the set that edgekit ships; `./digits` stays a path of its own."""
    from edgekit.dataset import DIGITS

    path = Path(text)
    return path.absolute() if path == DIGITS and text != str(DIGITS) else path


def parse_options(pairs: list[str]) -> dict[str, dict[str, str]]:
    """`key=value` goes to every target, `target.key=value` to one.

    Raises:
        UsageError: not of that form.
    """
    parsed: dict[str, dict[str, str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--option takes key=value or target.key=value, not {pair!r}")
        target, _, name = key.rpartition(".")
        parsed.setdefault(target, {})[name] = value
    return parsed


def overrides(
    width: float | None, resolution: int | None, padding: str | None, norm_eps: float | None, labels: Path | None
) -> Overrides:
    """What the user says about a checkpoint.

    Raises:
        UsageError: a padding that does not exist.
    """
    from edgekit.mobilenet.overrides import Overrides

    if padding not in (None, "symmetric", "same"):
        raise UsageError(f"--padding is symmetric (PyTorch's) or same (TensorFlow's), not {padding!r}")
    return Overrides(width, resolution, padding, norm_eps, str(labels) if labels else None)  # type: ignore[arg-type]  # checked above
