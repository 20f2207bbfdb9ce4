"""Layers that add, cut off or repeat cells of spatial axes."""

from __future__ import annotations

from typing import Any

from nkeras import ops
from nkeras.core import graph
from nkeras.core.config import standardize_data_format
from nkeras.core.errors import refuse, short
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, Padding, Unpack, Window
from nkeras.layers.arguments import int_pairs, int_tuple
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec
from nkeras.ops.arranging import repeat_
from nkeras.ops.image.resize import INTERPOLATIONS, resize


class _Resizing(Layer):
    """What the layers of this file share: spatial rank and layout."""

    rank: int

    def _set_layout(self, data_format: str | None) -> None:
        self.data_format = standardize_data_format(data_format, type(self).__name__)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _first_spatial_axis(self) -> int:
        return 2 if self.data_format == "channels_first" else 1


class _ZeroPadding(_Resizing):
    def __init__(
        self,
        padding: Padding = 1,
        data_format: str | None = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        if self.rank == 1:
            self.padding: Any = int_tuple(padding, 2, "padding", owner, least=0)
        else:
            self.padding = int_pairs(padding, self.rank, "padding", owner)
        self._set_layout(data_format)

    def call(self, inputs: Tensor) -> Tensor:
        """The inputs with zeros around them."""
        pairs = (self.padding,) if self.rank == 1 else self.padding
        before = ((0, 0),) * self._first_spatial_axis()
        after = ((0, 0),) * (self.rank + 2 - len(before) - self.rank)
        return ops.pad(inputs, (*before, *pairs, *after))


class ZeroPadding1D(_ZeroPadding):
    """Adds zeros at both ends of sequences.

    Args:
        padding: int, or two ints: how many at the beginning and at the end.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, steps, channels)`. Output shape: `(batch, padded steps, channels)`.

    Example:
        >>> import nkeras
        >>> ZeroPadding1D(2)(nkeras.ops.ones((1, 3, 2))).shape
        (1, 7, 2)

    Source: https://keras.io/api/layers/reshaping_layers/zero_padding1d/
    """

    rank = 1


class ZeroPadding2D(_ZeroPadding):
    """Adds rows and columns of zeros around images.

    Args:
        padding: int, (height, width), or ((top, bottom), (left, right)).
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: the same with larger height and width.

    Example:
        >>> import nkeras
        >>> ZeroPadding2D(((1, 0), (2, 2)))(nkeras.ops.ones((1, 3, 3, 2))).shape
        (1, 4, 7, 2)

    Source: https://keras.io/api/layers/reshaping_layers/zero_padding2d/
    """

    rank = 2


class ZeroPadding3D(_ZeroPadding):
    """Adds zeros around volumes.

    Args:
        padding: int, one int for each axis, or one pair (low, high) for each axis.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: the same with larger sizes.

    Example:
        >>> import nkeras
        >>> ZeroPadding3D(1)(nkeras.ops.ones((1, 2, 2, 2, 3))).shape
        (1, 4, 4, 4, 3)

    Source: https://keras.io/api/layers/reshaping_layers/zero_padding3d/
    """

    rank = 3


class _Cropping(_Resizing):
    cropping: Any

    def call(self, inputs: Tensor) -> Tensor:
        """The inputs without their borders."""
        pairs = (self.cropping,) if self.rank == 1 else self.cropping
        first = self._first_spatial_axis()
        known = graph.known_shape(inputs)
        index: list[slice] = [slice(None)] * first
        for axis, (low, high) in enumerate(pairs, start=first):
            size = inputs.shape[axis]
            if known[axis] is not None and low + high >= size:
                raise ValueError(
                    f"{type(self).__name__}: `cropping` must leave something of each axis. "
                    f"Received: input shape {short(known)}, cropping={short(self.cropping)}"
                )
            index.append(slice(low, size - high))
        return inputs[tuple(index)]


class Cropping1D(_Cropping):
    """Cuts steps off both ends of sequences.

    Args:
        cropping: int, or two ints: how many at the beginning and at the end.

    Input shape: `(batch, steps, channels)`. Output shape: `(batch, cropped steps, channels)`.

    Example:
        >>> import nkeras
        >>> Cropping1D(1)(nkeras.ops.ones((1, 5, 2))).shape
        (1, 3, 2)

    Source: https://keras.io/api/layers/reshaping_layers/cropping1d/
    """

    rank = 1

    def __init__(self, cropping: Padding = (1, 1), **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        self.cropping = int_tuple(cropping, 2, "cropping", "Cropping1D", least=0)
        self._set_layout("channels_last")


class Cropping2D(_Cropping):
    """Cuts rows and columns off images.

    Args:
        cropping: int, (height, width), or ((top, bottom), (left, right)).
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, height, width, channels)`.
    Output shape: the same with smaller height and width.

    Example:
        >>> import nkeras
        >>> Cropping2D(1)(nkeras.ops.ones((1, 5, 4, 2))).shape
        (1, 3, 2, 2)

    Source: https://keras.io/api/layers/reshaping_layers/cropping2d/
    """

    rank = 2

    def __init__(
        self,
        cropping: Padding = ((0, 0), (0, 0)),
        data_format: str | None = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.cropping = int_pairs(cropping, 2, "cropping", "Cropping2D")
        self._set_layout(data_format)


class Cropping3D(_Cropping):
    """Cuts borders off volumes.

    Args:
        cropping: int, one int for each axis, or one pair (low, high) for each axis.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, depth, height, width, channels)`.
    Output shape: the same with smaller sizes.

    Example:
        >>> import nkeras
        >>> Cropping3D(1)(nkeras.ops.ones((1, 3, 4, 5, 2))).shape
        (1, 1, 2, 3, 2)

    Source: https://keras.io/api/layers/reshaping_layers/cropping3d/
    """

    rank = 3

    def __init__(
        self,
        cropping: Padding = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.cropping = int_pairs(cropping, 3, "cropping", "Cropping3D")
        self._set_layout(data_format)


class _UpSampling(_Resizing):
    size: Any

    def call(self, inputs: Tensor) -> Tensor:
        """The inputs with each cell repeated."""
        sizes = (self.size,) if self.rank == 1 else self.size
        before = (1,) * self._first_spatial_axis()
        after = (1,) * (len(inputs.shape) - len(before) - len(sizes))
        return repeat_(inputs, repeats=(*before, *sizes, *after))


class UpSampling1D(_UpSampling):
    """Repeats each step.

    Args:
        size: how often.

    Input shape: `(batch, steps, channels)`. Output shape: `(batch, size * steps, channels)`.

    Example:
        >>> import numpy as np
        >>> UpSampling1D(2)(np.array([[[1.0], [2.0]]])).numpy().ravel()
        array([1., 1., 2., 2.], dtype=float32)

    Source: https://keras.io/api/layers/reshaping_layers/up_sampling1d/
    """

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        (self.size,) = int_tuple(size, 1, "size", "UpSampling1D")
        self._set_layout("channels_last")


class UpSampling2D(_UpSampling):
    """Repeats rows and columns, or puts numbers between them.

    Args:
        size: int or two ints.
        data_format: `"channels_last"` or `"channels_first"`.
        interpolation: `"nearest"` (repeats), `"bilinear"`, `"bicubic"`, `"lanczos3"` or
            `"lanczos5"`: see `nkeras.ops.image.resize`.

    Input shape: `(batch, height, width, channels)`. Output shape: height and width times `size`.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> import nkeras
        >>> UpSampling2D((1, 2))(nkeras.ops.ones((1, 2, 2, 3))).shape
        (1, 2, 4, 3)

    Source: https://keras.io/api/layers/reshaping_layers/up_sampling2d/
    """

    rank = 2

    def __init__(
        self,
        size: Window = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.size = int_tuple(size, 2, "size", "UpSampling2D")
        self.interpolation = str(interpolation).lower()
        if self.interpolation not in INTERPOLATIONS:
            known = ", ".join(f'"{name}"' for name in INTERPOLATIONS)
            refuse("interpolation", interpolation, f"one of {known}", "UpSampling2D")
        self._set_layout(data_format)

    def call(self, inputs: Tensor) -> Tensor:
        """The enlarged inputs."""
        if self.interpolation == "nearest":
            return super().call(inputs)
        first = self._first_spatial_axis()
        sizes = inputs.shape[first : first + 2]
        new_sizes = [old * factor for old, factor in zip(sizes, self.size, strict=True)]
        layout = self.data_format
        return resize(inputs, new_sizes, self.interpolation, data_format=layout)


class UpSampling3D(_UpSampling):
    """Repeats the cells of volumes along each axis.

    Args:
        size: int or three ints.
        data_format: `"channels_last"` or `"channels_first"`.

    Input shape: `(batch, depth, height, width, channels)`. Output shape: sizes times `size`.

    Example:
        >>> import nkeras
        >>> UpSampling3D(2)(nkeras.ops.ones((1, 1, 2, 3, 2))).shape
        (1, 2, 4, 6, 2)

    Source: https://keras.io/api/layers/reshaping_layers/up_sampling3d/
    """

    rank = 3

    def __init__(
        self,
        size: Window = (2, 2, 2),
        data_format: str | None = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.size = int_tuple(size, 3, "size", "UpSampling3D")
        self._set_layout(data_format)
