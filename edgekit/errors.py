"""Everything edgekit raises on purpose. A class owns its exit code; a message says what happened, why, and what to do.

    EdgekitError            70  a bug of ours, or a worker that crashed
    |-- NegativeResult       1  parity, accuracy or latency gate not met
    |-- UsageError           2  a flag or value that makes no sense
    |-- TargetMissing        3  target, SDK or runtime not installed, or not on this system
    |-- NetworkError         4  a download or a board that was asked for was not reached, or was lost
    |-- InputError           5  a file that cannot be read, or is not what it should be
    `-- OutputError          5  a place that cannot be written

130 (interrupted) belongs to KeyboardInterrupt.
"""

from __future__ import annotations


class EdgekitError(Exception):
    """Anything edgekit raises on purpose."""

    exit_code = 70


class NegativeResult(EdgekitError):
    """The work was done and the answer is no."""

    exit_code = 1


class UsageError(EdgekitError):
    """The request itself makes no sense."""

    exit_code = 2


class TargetMissing(EdgekitError):
    """A target, its SDK or its runtime is not here."""

    exit_code = 3


class NetworkError(EdgekitError):
    """A download or a board that was asked for was not reached, or was lost."""

    exit_code = 4


class InputError(EdgekitError):
    """A file that cannot be read or is not what it should be."""

    exit_code = 5


class OutputError(EdgekitError):
    """A place that cannot be written."""

    exit_code = 5


BY_NAME: dict[str, type[EdgekitError]] = {
    cls.__name__: cls for cls in (EdgekitError, NegativeResult, UsageError, TargetMissing, NetworkError, InputError, OutputError)
}
