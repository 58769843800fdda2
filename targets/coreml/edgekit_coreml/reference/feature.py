"""Inputs and outputs as apps see them: what the description says of each, and how it becomes a value of the program and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from edgekit_coreml.reference.dtype import HELD
from edgekit_coreml.reference.ops.size import bounded
from edgekit_coreml.reference.program import Variable, described


class Feature(Protocol):
    """An input or an output."""

    @property
    def variable(self) -> Variable:
        """What it is in the program."""

    def hold(self, value: Any) -> Tensor:
        """Turn what the caller gives, or None where it gives nothing, into the program's value.

        Raises:
            ValueError: it cannot be that; the message goes on after the variable's name.
        """

    def give(self, value: Any) -> Any:
        """Turn the program's value into what the caller gets.

        Raises:
            ValueError: it is not known what Core ML would make of it; likewise.
        """


@dataclass(frozen=True, slots=True)
class Sizes:
    """The shapes that are allowed.

    Attributes:
        shapes: one by one; empty where it is `ranges` that say it, or nothing does.
        ranges: smallest and largest size of every axis; None for a largest one where there is none.
    """

    shapes: tuple[tuple[int, ...], ...] = ()
    ranges: tuple[tuple[int, int | None], ...] | None = None

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Say whether a shape is allowed."""
        if self.ranges is None:
            return not self.shapes or shape in self.shapes
        return len(shape) == len(self.ranges) and all(
            low <= size and (high is None or size <= high) for size, (low, high) in zip(shape, self.ranges, strict=True)
        )

    def agree_with(self, variable: Variable) -> bool:
        """Say whether the program can be given what is allowed, as far as its type tells."""
        if self.ranges is None:
            return all(variable.accepts(shape) for shape in self.shapes)
        if variable.shape is None:
            return True
        return len(self.ranges) == len(variable.shape) and all(
            size is None or (low <= size and (high is None or size <= high))
            for size, (low, high) in zip(variable.shape, self.ranges, strict=True)
        )

    def __str__(self) -> str:
        """Write it for people: `[1, 3, 32...64, 32...]`, or the shapes one after the other."""
        if self.ranges is None:
            return " or ".join(str(list(shape)) for shape in self.shapes) or "any shape"
        sizes = (str(low) if low == high else f"{low}...{'' if high is None else high}" for low, high in self.ranges)
        return f"[{', '.join(sizes)}]"


@dataclass(frozen=True, slots=True)
class ArrayFeature:
    """A multi-array.

    Attributes:
        variable: of the program.
        sizes: the shapes that are allowed.
        default: what fills it where the caller gives nothing; None where the caller must.
        default_shape: the shape of that.
    """

    variable: Variable
    sizes: Sizes
    default: float | None = None
    default_shape: tuple[int, ...] = ()

    def hold(self, value: Any) -> Tensor:
        """Copy an array, or anything that numpy takes for one, of an allowed shape and of a type that casts within its kind."""
        variable = self.variable
        if value is None:
            if self.default is None:
                raise ValueError("is missing")
            value = np.full(bounded(self.default_shape), self.default).astype(variable.dtype)
        array = _array(value)
        if not np.can_cast(array.dtype, variable.dtype, "same_kind") or not self._accepts(array.shape):
            allowed = "" if self.sizes.accepts(array.shape) else f"; allowed is {self.sizes}"
            raise ValueError(f"was given {described(array.dtype.name, array.shape)}{allowed}")
        held = np.array(array, str(HELD[variable.dtype]).removeprefix("torch."), order="C")
        if held.dtype.kind in "iu" and not np.can_cast(array.dtype, variable.dtype) and (held != array).any():
            raise ValueError(f"was given integers that {variable.dtype} cannot hold")
        return torch.from_numpy(held.reshape(()) if variable.shape == () else held)

    def give(self, value: Tensor) -> Any:
        """Copy the tensor into an array of the type in which it is held."""
        return np.array(value.numpy(), order="C")

    def _accepts(self, shape: tuple[int, ...]) -> bool:
        if self.variable.shape == ():
            return shape in ((), (1,))  # a description has no shape without an axis: it says [1]
        return self.sizes.accepts(shape) and self.variable.accepts(shape)


@dataclass(frozen=True, slots=True)
class NumberFeature:
    """One number, as Python has it: a scalar of the program.

    Attributes:
        variable: of the program.
    """

    variable: Variable

    def hold(self, value: Any) -> Tensor:
        """Take an integer, or a float where the program has one."""
        return ArrayFeature(self.variable, Sizes()).hold(value)

    def give(self, value: Tensor) -> Any:
        """Give an `int` or `float`."""
        return value.item()


@dataclass(frozen=True, slots=True)
class LabelFeature:
    """What a classifier gives besides numbers: text, or a dictionary of classes and probabilities.

    Attributes:
        variable: of the program.
    """

    variable: Variable

    def hold(self, value: Any) -> Tensor:
        """Refuse: no program takes it."""
        raise ValueError(f"was given {value!r}, which no ML program can take")

    def give(self, value: Any) -> Any:
        """Give a copy."""
        return dict(value) if isinstance(value, dict) else value


def _array(value: Any) -> np.ndarray[Any, np.dtype[Any]]:
    try:
        return np.asarray(value.detach() if isinstance(value, Tensor) else value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"was given what is no array ({error})") from error
