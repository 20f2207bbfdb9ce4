"""Pooling to a given size."""

from __future__ import annotations

from collections.abc import Callable

from nkeras import ops
from nkeras.core.config import standardize_data_format
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, Unpack, Window
from nkeras.layers.arguments import int_tuple
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec


class _AdaptivePooling(Layer):
    """An op over windows that follow from the sizes; `rank` is that of space."""

    rank: int
    op: Callable[..., Tensor]

    def __init__(
        self, output_size: Window, data_format: str | None = None, **kwargs: Unpack[AllLayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.output_size = int_tuple(output_size, self.rank, "output_size", owner)
        self.data_format = standardize_data_format(data_format, owner)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Tensor) -> Tensor:
        """The pooled inputs."""
        return type(self).op(inputs, self.output_size, self.data_format)


class AdaptiveAveragePooling1D(_AdaptivePooling):
    """Mean of each window of sequences, of which there are as many as asked for.

    Args:
        output_size: int.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, steps, channels)`, or channels first. Output shape: `(batch, output_size,
    channels)`, or channels first.

    Example:
        >>> import nkeras
        >>> AdaptiveAveragePooling1D(4)(nkeras.ops.ones((1, 9, 3))).shape
        (1, 4, 3)

    Source: https://keras.io/api/layers/pooling_layers/adaptive_average_pooling1d/
    """

    rank = 1
    op = staticmethod(ops.adaptive_average_pool)


class AdaptiveAveragePooling2D(_AdaptivePooling):
    """Mean of each window of images, of which there are as many as asked for.

    Args:
        output_size: int or two ints.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, height, width, channels)`, or channels first.
    Output shape: `(batch, *output_size, channels)`, or channels first.

    Example:
        >>> import nkeras
        >>> AdaptiveAveragePooling2D(4)(nkeras.ops.ones((1, 9, 7, 3))).shape
        (1, 4, 4, 3)

    Source: https://keras.io/api/layers/pooling_layers/adaptive_average_pooling2d/
    """

    rank = 2
    op = staticmethod(ops.adaptive_average_pool)


class AdaptiveAveragePooling3D(_AdaptivePooling):
    """Mean of each window of volumes, of which there are as many as asked for.

    Args:
        output_size: int or three ints.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, depth, height, width, channels)`, or channels first.
    Output shape: `(batch, *output_size, channels)`, or channels first.

    Example:
        >>> import nkeras
        >>> AdaptiveAveragePooling3D(2)(nkeras.ops.ones((1, 9, 7, 5, 3))).shape
        (1, 2, 2, 2, 3)

    Source: https://keras.io/api/layers/pooling_layers/adaptive_average_pooling3d/
    """

    rank = 3
    op = staticmethod(ops.adaptive_average_pool)


class AdaptiveMaxPooling1D(_AdaptivePooling):
    """Largest element of each window of sequences, of which there are as many as asked for.

    Args:
        output_size: int.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, steps, channels)`, or channels first. Output shape: `(batch, output_size,
    channels)`, or channels first.

    Example:
        >>> import nkeras
        >>> AdaptiveMaxPooling1D(4)(nkeras.ops.ones((1, 9, 3))).shape
        (1, 4, 3)

    Source: https://keras.io/api/layers/pooling_layers/adaptive_max_pooling1d/
    """

    rank = 1
    op = staticmethod(ops.adaptive_max_pool)


class AdaptiveMaxPooling2D(_AdaptivePooling):
    """Largest element of each window of images, of which there are as many as asked for.

    Args:
        output_size: int or two ints.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, height, width, channels)`, or channels first.
    Output shape: `(batch, *output_size, channels)`, or channels first.

    Example:
        >>> import nkeras
        >>> AdaptiveMaxPooling2D(4)(nkeras.ops.ones((1, 9, 7, 3))).shape
        (1, 4, 4, 3)

    Source: https://keras.io/api/layers/pooling_layers/adaptive_max_pooling2d/
    """

    rank = 2
    op = staticmethod(ops.adaptive_max_pool)


class AdaptiveMaxPooling3D(_AdaptivePooling):
    """Largest element of each window of volumes, of which there are as many as asked for.

    Args:
        output_size: int or three ints.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, depth, height, width, channels)`, or channels first.
    Output shape: `(batch, *output_size, channels)`, or channels first.

    Example:
        >>> import nkeras
        >>> AdaptiveMaxPooling3D(2)(nkeras.ops.ones((1, 9, 7, 5, 3))).shape
        (1, 2, 2, 2, 3)

    Source: https://keras.io/api/layers/pooling_layers/adaptive_max_pooling3d/
    """

    rank = 3
    op = staticmethod(ops.adaptive_max_pool)
