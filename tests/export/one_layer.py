"""A layer's case, or one of a primitive, as a model to be exported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import nkeras
from nkeras.core import tree
from nkeras.core.graph import set_mask
from nkeras.core.primitive import PRIMITIVES
from tests.harness.check_parity import make, weights_for


class OneLayer(nkeras.Model):
    """Calls a layer on inputs and, behind them, their masks."""

    def __init__(self, case: Any) -> None:
        super().__init__(name="one_layer")
        self.case = case
        self.layer = make(case)

    def call(self, *arrays: Any) -> Any:
        # Handles of their own: a mask is the layer's matter, not the model's.
        inputs = [tensor.handle() for tensor in arrays[: len(self.case.shapes)]]
        for tensor, mask in zip(inputs, arrays[len(inputs) :], strict=False):
            set_mask(tensor, mask)
        arguments, named = self.case.passed(inputs)
        return tree.flatten(self.layer(*arguments, **named))


def layer_model(case: Any) -> tuple[OneLayer, list[np.ndarray]]:
    """The model with the weights that tests use, and its inputs."""
    model = OneLayer(case)
    arrays = [*case.arrays(), *(case.masks() or [])]
    model(*arrays)
    model.layer.set_weights(weights_for(model.layer))
    return model, arrays


class OnePrimitive(nkeras.Model):
    """Calls a primitive, after a cast of floats, and gives its first results.

    Args:
        name: of the primitive.
        case: its arrays and static values; arrays may be None.
        count: how many results; all for None.
        dtype: of floats.
    """

    def __init__(self, name: str, case: Any, count: int | None, dtype: str) -> None:
        super().__init__(name="one_primitive", autocast=False)
        self.primitive = PRIMITIVES[name]
        self.case, self.count, self.floats = case, count, dtype

    def call(self, *arrays: Any) -> Any:
        given = iter(arrays)
        tensors = [None if one is None else self._cast(next(given)) for one in self.case.arrays]
        results = self.primitive(*tensors, **self.case.static)
        results = results[: self.count] if isinstance(results, tuple) else [results]
        # NumPy arrays cannot be handed to the runtime as bfloat16.
        return [nkeras.ops.cast(y, "float32") if y.dtype == "bfloat16" else y for y in results]

    def _cast(self, x: Any) -> Any:
        return nkeras.ops.cast(x, self.floats) if x.dtype == "float32" else x


def signature(arrays: Sequence[np.ndarray], fixed: bool = False) -> list[nkeras.KerasTensor]:
    """Of arrays; the batch is not known unless sizes are fixed."""
    return [
        nkeras.KerasTensor(one.shape if fixed else (None, *one.shape[1:]), one.dtype)
        for one in arrays
    ]
