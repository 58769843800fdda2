"""What a program computes besides tensors: lists of tensors, and tensors that outlive a prediction."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

MAX_LENGTH = 2**14
"""Of a list. It is copied when it is written to."""


@dataclass(frozen=True, slots=True, eq=False)
class Elements:
    """A list of tensors, as it is between two operators: writing makes another one.

    Attributes:
        tensors: None where nothing has been written yet.
        can_grow: whether writing beyond its end makes it longer.
    """

    tensors: tuple[Tensor | None, ...]
    can_grow: bool

    def read(self, index: int) -> Tensor:
        """Give an element.

        Raises:
            ValueError: there is none, or nothing has been written to it.
        """
        if not 0 <= index < len(self.tensors):
            raise ValueError(f"a list of {len(self.tensors)} has no element {index}")
        element = self.tensors[index]
        if element is None:
            raise ValueError(f"element {index} of the list is read before it is written")
        return element

    def written(self, index: int, element: Tensor) -> Elements:
        """Give the list with another element.

        Raises:
            ValueError: the list is too short and cannot grow, or grows beyond reason.
        """
        missing = index + 1 - len(self.tensors)
        if index < 0 or (missing > 0 and not self.can_grow):
            raise ValueError(f"a list of {len(self.tensors)} that cannot grow has no element {index}")
        if index >= MAX_LENGTH:
            raise ValueError(f"a list of {index + 1} elements is longer than {MAX_LENGTH}, the most that is computed")
        tensors = [*self.tensors, *[None] * missing]
        tensors[index] = element
        return replace(self, tensors=tuple(tensors))


@dataclass(slots=True, eq=False)
class State:
    """A tensor that a program reads and writes, and that the caller keeps between predictions.

    Attributes:
        tensor: what was last written.
    """

    tensor: Tensor


Value = Tensor | Elements | State | str | dict[str, float] | dict[int, float]
"""All that a variable can stand for. Text and dictionaries are what a classifier gives."""
