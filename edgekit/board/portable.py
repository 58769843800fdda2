"""What some targets can: run an artifact on a machine that has their runtime and nothing else of edgekit's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


@runtime_checkable
class Portable(Protocol):
    """A target whose runner needs neither its converter nor torch for it.

    The sources of edgekit and of the plugin are sent along, so the module of `opener` may import of these what it likes, as long
    as everything else that is imported comes with Python or is in `needs`.
    """

    @property
    def opener(self) -> str:
        """Called with a `LoadJob`, it returns a `Runner`: "package.module:name"."""
        ...

    @property
    def needs(self) -> Mapping[str, str]:
        """What has to be there: distributions, as pip knows them, by the module they bring."""
        ...


class Program(Protocol):
    """A runtime as one program that takes files: for devices that have no Python."""

    @property
    def name(self) -> str:
        """What its vendor calls it."""
        ...

    @property
    def variable(self) -> str:
        """The environment variable that says where the one built for the device is."""
        ...

    def arguments(self, *, model: str, inputs: str, outputs: str, num_threads: int, runs: int) -> tuple[str, ...]:
        """A command line, but for the program itself.

        Args:
            model: the artifact's file.
            inputs: a file with the one input, float32 NCHW as it lies in memory.
            outputs: how the names of files begin that the answers are written to.
            num_threads: of the runtime.
            runs: inferences, one after the other.
        """
        ...

    def output_file(self, outputs: str, index: int) -> str:
        """Name of the file that the answer of this index, from 0, is written to, as it lies in memory."""
        ...

    def mean_ms(self, log: str) -> float | None:
        """Milliseconds per inference, as the program printed them; None where it did not."""
        ...


@runtime_checkable
class Native(Protocol):
    """A target whose artifacts such a program runs."""

    @property
    def native(self) -> Program:
        """The program."""
        ...
