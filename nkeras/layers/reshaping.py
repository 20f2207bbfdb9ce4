"""Layers that rearrange: flatten, reshape, permute, repeat."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nkeras import ops
from nkeras.core import graph
from nkeras.core.config import standardize_data_format
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.graph import KerasTensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, Unpack
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec


class Flatten(Layer):
    """Flattens all axes but the batch axis into one.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; channels become the last axis first.

    Input shape: `(batch, ...)`. Output shape: `(batch, product of the other sizes)`.

    Example:
        >>> import nkeras
        >>> Flatten()(nkeras.ops.ones((2, 3, 4))).shape
        (2, 12)

    Source: https://keras.io/api/layers/reshaping_layers/flatten/
    """

    def __init__(self, data_format: str | None = None, **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format, "Flatten")
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Tensor) -> Tensor:
        """The flattened inputs."""
        rank = len(inputs.shape)
        if self.data_format == "channels_first" and rank > 2:
            inputs = ops.transpose(inputs, (0, *range(2, rank), 1))
        return ops.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))


class Reshape(Layer):
    """Gives the inputs another shape.

    Args:
        target_shape: shape without the batch axis; one size may be -1 (what is left).

    Input shape: `(batch, ...)`. Output shape: `(batch, *target_shape)`.

    Raises:
        ValueError: `target_shape` does not fit.

    Example:
        >>> import nkeras
        >>> Reshape((-1, 2))(nkeras.ops.ones((5, 6))).shape
        (5, 3, 2)

    Source: https://keras.io/api/layers/reshaping_layers/reshape/
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(target_shape)
        if any(size < -1 for size in self.target_shape) or self.target_shape.count(-1) > 1:
            refuse("target_shape", target_shape, "sizes >= 0 and at most one -1", "Reshape")

    def call(self, inputs: Tensor) -> Tensor:
        """The reshaped inputs."""
        return ops.reshape(inputs, (inputs.shape[0], *self._resolve(inputs)))

    def compute_output_spec(self, inputs: Tensor) -> KerasTensor:
        """Symbolic output: numbers that stand for unknown sizes need not be divisible."""
        return KerasTensor((inputs.shape[0], *self._resolve(inputs)), inputs.dtype)

    def _resolve(self, inputs: Tensor) -> tuple[int, ...]:
        size = math.prod(inputs.shape[1:])
        known = math.prod(length for length in self.target_shape if length != -1)
        unknown = None in graph.known_shape(inputs)[1:]
        fits = size % known == 0 if -1 in self.target_shape and known else size == known
        if not fits and not unknown:
            raise ValueError(
                "Reshape: the number of elements must stay the same. Received: "
                f"input shape {short(tuple(inputs.shape))} (with the batch axis) and "
                f"target_shape={short(self.target_shape)}"
            )
        return tuple(size // known if length == -1 else length for length in self.target_shape)


class Permute(Layer):
    """Permutes the axes behind the batch axis.

    Args:
        dims: axes counted from 1: output axis i + 1 is input axis `dims[i]`.

    Input shape: `(batch, ...)`. Output shape: the same, permuted.

    Raises:
        ValueError: `dims` is no permutation of 1, 2, ...

    Example:
        >>> import nkeras
        >>> Permute((2, 1))(nkeras.ops.ones((5, 10, 64))).shape
        (5, 64, 10)

    Source: https://keras.io/api/layers/reshaping_layers/permute/
    """

    def __init__(self, dims: Sequence[int], **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            refuse("dims", dims, "a permutation of 1, 2, ...", "Permute")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Tensor) -> Tensor:
        """The transposed inputs."""
        return ops.transpose(inputs, (0, *self.dims))


class RepeatVector(Layer):
    """Repeats the inputs `n` times along a new axis.

    Args:
        n: how often.

    Input shape: `(batch, features)`. Output shape: `(batch, n, features)`.

    Raises:
        TypeError: `n` is no int.
        ValueError: `n` is not positive.

    Example:
        >>> import nkeras
        >>> RepeatVector(3)(nkeras.ops.ones((2, 32))).shape
        (2, 3, 32)

    Source: https://keras.io/api/layers/reshaping_layers/repeat_vector/
    """

    def __init__(self, n: int, **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        if isinstance(n, bool) or not is_a(n, int):
            raise TypeError(f"RepeatVector: argument `n` must be an int. Received: n={short(n)}")
        if n <= 0:
            refuse("n", n, "positive", "RepeatVector")
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Tensor) -> Tensor:
        """The repeated inputs."""
        batch, features = inputs.shape
        return ops.broadcast_to(ops.expand_dims(inputs, 1), (batch, self.n, features))
