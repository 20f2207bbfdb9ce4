"""Pooling: windows, and whole images."""

from __future__ import annotations

from collections.abc import Callable

from nkeras import ops
from nkeras.core.config import standardize_data_format
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    AllLayerOptions,
    Masks,
    Structure,
    UnnamedLayerOptions,
    Unpack,
    Window,
)
from nkeras.layers.arguments import int_tuple, padding_mode
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec


class _Pooling(Layer):
    """An op over windows; `rank` is that of space."""

    rank: int
    op: Callable[..., Tensor]

    def __init__(
        self,
        pool_size: Window = 2,
        strides: Window | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[UnnamedLayerOptions],
    ) -> None:
        super().__init__(name=name, **kwargs)
        owner = type(self).__name__
        self.pool_size = int_tuple(pool_size, self.rank, "pool_size", owner)
        self.strides = int_tuple(
            self.pool_size if strides is None else strides, self.rank, "strides", owner
        )
        self.padding = padding_mode(padding, owner)
        self.data_format = standardize_data_format(data_format, owner)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Tensor) -> Tensor:
        """The pooled inputs."""
        return type(self).op(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class MaxPooling1D(_Pooling):
    """Largest element of each window of sequences.

    Args:
        pool_size: int.
        strides: int; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        name: name.

    Input shape: `(batch, steps, channels)`. Output shape: `(batch, new steps, channels)`.

    Example:
        >>> import numpy as np
        >>> MaxPooling1D(2, strides=1)(np.array([[[1.0], [3.0], [2.0]]])).numpy().ravel()
        array([3., 3.], dtype=float32)

    Source: https://keras.io/api/layers/pooling_layers/max_pooling1d/
    """

    rank = 1
    op = staticmethod(ops.max_pool)


class MaxPooling2D(_Pooling):
    """Largest element of each window of images.

    Args:
        pool_size: int or two ints.
        strides: int or two ints; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        name: name.

    Input shape: `(batch, height, width, channels)`, or channels first. Output shape: `(batch, new
    height, new width, channels)`, or channels first.

    Example:
        >>> import nkeras
        >>> MaxPooling2D()(nkeras.ops.ones((1, 4, 6, 3))).shape
        (1, 2, 3, 3)

    Source: https://keras.io/api/layers/pooling_layers/max_pooling2d/
    """

    rank = 2
    op = staticmethod(ops.max_pool)


class MaxPooling3D(_Pooling):
    """Largest element of each window of volumes.

    Args:
        pool_size: int or three ints.
        strides: int or three ints; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        name: name.

    Input shape: `(batch, depth, height, width, channels)`, or channels first.
    Output shape: the same
    with smaller sizes.

    Example:
        >>> import nkeras
        >>> MaxPooling3D()(nkeras.ops.ones((1, 4, 6, 2, 3))).shape
        (1, 2, 3, 1, 3)

    Source: https://keras.io/api/layers/pooling_layers/max_pooling3d/
    """

    rank = 3
    op = staticmethod(ops.max_pool)


class AveragePooling1D(_Pooling):
    """Mean of each window of sequences; padding does not count.

    Args:
        pool_size: int.
        strides: int; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        name: name.

    Input shape: `(batch, steps, channels)`. Output shape: `(batch, new steps, channels)`.

    Example:
        >>> import numpy as np
        >>> AveragePooling1D(2, strides=1)(np.array([[[1.0], [3.0], [2.0]]])).numpy().ravel()
        array([2. , 2.5], dtype=float32)

    Source: https://keras.io/api/layers/pooling_layers/average_pooling1d/
    """

    rank = 1
    op = staticmethod(ops.average_pool)

    def __init__(
        self,
        pool_size: Window,
        strides: Window | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Unpack[UnnamedLayerOptions],
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class AveragePooling2D(AveragePooling1D):
    """Mean of each window of images; padding does not count.

    Args:
        pool_size: int or two ints.
        strides: int or two ints; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        name: name.

    Input shape: `(batch, height, width, channels)`, or channels first. Output shape: `(batch, new
    height, new width, channels)`, or channels first.

    Example:
        >>> import nkeras
        >>> AveragePooling2D(2)(nkeras.ops.ones((1, 4, 6, 3))).shape
        (1, 2, 3, 3)

    Source: https://keras.io/api/layers/pooling_layers/average_pooling2d/
    """

    rank = 2


class AveragePooling3D(AveragePooling1D):
    """Mean of each window of volumes; padding does not count.

    Args:
        pool_size: int or three ints.
        strides: int or three ints; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        name: name.

    Input shape: `(batch, depth, height, width, channels)`, or channels first.
    Output shape: the same
    with smaller sizes.

    Example:
        >>> import nkeras
        >>> AveragePooling3D(2)(nkeras.ops.ones((1, 4, 6, 2, 3))).shape
        (1, 2, 3, 1, 3)

    Source: https://keras.io/api/layers/pooling_layers/average_pooling3d/
    """

    rank = 3


class _GlobalPooling(Layer):
    """A reduction over all spatial axes."""

    rank: int
    op: Callable[..., Tensor]

    def __init__(
        self,
        data_format: str | None = None,
        keepdims: bool = False,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format, type(self).__name__)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Tensor) -> Tensor:
        """The reduced inputs."""
        return type(self).op(inputs, axis=self._spatial_axes(), keepdims=self.keepdims)

    def _spatial_axes(self) -> tuple[int, ...]:
        first = 2 if self.data_format == "channels_first" else 1
        return tuple(range(first, first + self.rank))


class GlobalMaxPooling1D(_GlobalPooling):
    """Largest element of each channel of sequences.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.
        keepdims: keep the steps' axis with size 1.

    Input shape: `(batch, steps, channels)`. Output shape: `(batch, channels)`.

    Example:
        >>> import nkeras
        >>> GlobalMaxPooling1D()(nkeras.ops.ones((2, 3, 4))).shape
        (2, 4)

    Source: https://keras.io/api/layers/pooling_layers/global_max_pooling1d/
    """

    rank = 1
    op = staticmethod(ops.max)


class GlobalMaxPooling2D(_GlobalPooling):
    """Largest element of each channel of images.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.
        keepdims: keep the spatial axes with size 1.

    Input shape: `(batch, height, width, channels)`. Output shape: `(batch, channels)`.

    Example:
        >>> import nkeras
        >>> GlobalMaxPooling2D(keepdims=True)(nkeras.ops.ones((2, 4, 5, 3))).shape
        (2, 1, 1, 3)

    Source: https://keras.io/api/layers/pooling_layers/global_max_pooling2d/
    """

    rank = 2
    op = staticmethod(ops.max)


class GlobalMaxPooling3D(_GlobalPooling):
    """Largest element of each channel of volumes.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.
        keepdims: keep the spatial axes with size 1.

    Input shape: `(batch, depth, height, width, channels)`. Output shape: `(batch, channels)`.

    Example:
        >>> import nkeras
        >>> GlobalMaxPooling3D()(nkeras.ops.ones((2, 4, 5, 4, 3))).shape
        (2, 3)

    Source: https://keras.io/api/layers/pooling_layers/global_max_pooling3d/
    """

    rank = 3
    op = staticmethod(ops.max)


class GlobalAveragePooling1D(_GlobalPooling):
    """Mean of each channel of sequences.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.
        keepdims: keep the steps' axis with size 1.

    Call arguments: `inputs`; `mask` `(batch, steps)`, False for steps that do not count.

    Input shape: `(batch, steps, channels)`. Output shape: `(batch, channels)`.

    Example:
        >>> import nkeras
        >>> GlobalAveragePooling1D()(nkeras.ops.ones((2, 3, 4))).shape
        (2, 4)

    Source: https://keras.io/api/layers/pooling_layers/global_average_pooling1d/
    """

    rank = 1
    op = staticmethod(ops.mean)

    def __init__(
        self,
        data_format: str | None = None,
        keepdims: bool = False,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """The mean of the steps that the mask keeps."""
        if mask is None:
            return super().call(inputs)
        mask = ops.expand_dims(ops.cast(mask, "bool"), 2 if self._spatial_axes() == (1,) else 1)
        kept = ops.where(mask, inputs, 0.0)
        axes = self._spatial_axes()
        count = ops.sum(ops.cast(mask, inputs.dtype), axes, self.keepdims)
        return ops.sum(kept, axes, self.keepdims) / count

    def compute_mask(self, inputs: Structure, previous_mask: Masks) -> Masks:
        """None: the steps are gone."""
        return None


class GlobalAveragePooling2D(_GlobalPooling):
    """Mean of each channel of images.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.
        keepdims: keep the spatial axes with size 1.

    Input shape: `(batch, height, width, channels)`. Output shape: `(batch, channels)`.

    Example:
        >>> import nkeras
        >>> GlobalAveragePooling2D()(nkeras.ops.ones((2, 4, 5, 3))).shape
        (2, 3)

    Source: https://keras.io/api/layers/pooling_layers/global_average_pooling2d/
    """

    rank = 2
    op = staticmethod(ops.mean)


class GlobalAveragePooling3D(_GlobalPooling):
    """Mean of each channel of volumes.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.
        keepdims: keep the spatial axes with size 1.

    Input shape: `(batch, depth, height, width, channels)`. Output shape: `(batch, channels)`.

    Example:
        >>> import nkeras
        >>> GlobalAveragePooling3D()(nkeras.ops.ones((2, 4, 5, 4, 3))).shape
        (2, 3)

    Source: https://keras.io/api/layers/pooling_layers/global_average_pooling3d/
    """

    rank = 3
    op = staticmethod(ops.mean)


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D = GlobalMaxPooling1D, GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
