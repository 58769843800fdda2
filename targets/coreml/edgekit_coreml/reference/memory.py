"""What a stateful model remembers between predictions, in the shape of coremltools' `MLState`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgekit.errors import InputError, UsageError
from edgekit_coreml.reference.dtype import HELD
from edgekit_coreml.reference.feature import Feature
from edgekit_coreml.reference.ops.size import bounded
from edgekit_coreml.reference.program import Variable
from edgekit_coreml.reference.value import State


class ModelState:
    """The states of a model, zero at first: what `ReferenceModel.make_state` gives.

    Attributes:
        variables: what the states are, as the program declares them.
    """

    def __init__(self, features: Sequence[Feature], round_: Callable[[Tensor], Tensor] | None) -> None:
        """Fill every state with zeros.

        Args:
            features: the states.
            round_: what is done to a state of float16 that the caller writes; None where nothing is.

        Raises:
            InputError: the size of a state is not known, or beyond reason.
        """
        self._features = {feature.variable.name: feature for feature in features}
        self._round = round_
        self.variables = tuple(feature.variable for feature in features)
        self._tensors = {variable.name: _zeros(variable) for variable in self.variables}

    def read_state(self, name: str) -> NDArray[Any]:
        """Copy a state: float32 where it is declared float16, otherwise of its own type.

        Raises:
            UsageError: there is none of this name.
        """
        return np.array(self._features[self._known(name)].give(self._tensors[name]))

    def write_state(self, name: str, value: Any) -> None:
        """Set a state to an array of its shape, and of a type that casts to its own within its kind.

        Raises:
            UsageError: there is none of this name, or the array is another.
        """
        feature = self._features[self._known(name)]
        try:
            tensor = feature.hold(value)
        except ValueError as error:
            raise UsageError(f"state {feature.variable} {error}") from error
        self._tensors[name] = self._round(tensor) if self._round and feature.variable.dtype == "float16" else tensor

    def lend(self) -> dict[str, State]:
        """Give the states to a prediction, which changes its own copies of them."""
        return {name: State(tensor) for name, tensor in self._tensors.items()}

    def take_back(self, states: Mapping[str, State]) -> None:
        """Keep what a prediction has made of them."""
        self._tensors = {name: state.tensor for name, state in states.items()}

    def _known(self, name: str) -> str:
        if name not in self._features:
            raise UsageError(f"there is no state {name!r}: there are {', '.join(map(repr, self._features)) or 'none'}")
        return name


def _zeros(variable: Variable) -> Tensor:
    if variable.shape is None or None in variable.shape:
        raise InputError(f"state {variable} has no shape: a program for Core ML has to give it one")
    try:
        return torch.zeros(bounded(size or 0 for size in variable.shape), dtype=HELD[variable.dtype])
    except ValueError as error:
        raise InputError(f"state {variable}: {error}") from error
