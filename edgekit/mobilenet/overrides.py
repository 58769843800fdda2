"""What a user may say about a checkpoint. No torch, so that the command line can hold it."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.mobilenet.spec import Padding


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the user says about a checkpoint that its files do not. None: as the files say, or the layout's default.

    Attributes:
        width: channel multiplier.
        resolution: height and width of the input in pixels.
        padding: "symmetric" or "same".
        norm_eps: epsilon of the batch norms.
        labels: a text file, one label a line, in the order of the outputs.
    """

    width: float | None = None
    resolution: int | None = None
    padding: Padding | None = None
    norm_eps: float | None = None
    labels: str | None = None
