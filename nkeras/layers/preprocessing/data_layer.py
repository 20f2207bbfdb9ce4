"""The base of layers that people also call on data of their own, outside of models."""

from __future__ import annotations

from nkeras.core.primitive import to_tensor
from nkeras.core.typing import Structure
from nkeras.layers.base import Layer
from nkeras.layers.preprocessing.adapting import is_one_array


class DataLayer(Layer):
    """A layer that takes lists of plain values as it takes arrays, for use on batches of data."""

    _allow_non_tensor_positional_args = True

    def _convert(self, value: Structure) -> Structure:
        if isinstance(value, (list, tuple)) and is_one_array(value):
            value = to_tensor(value)
        return super()._convert(value)
