"""Layers that spread the values of images over their whole range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from nkeras import ops
from nkeras.core.errors import is_a, refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike, Unpack
from nkeras.layers.preprocessing.image.base_image import BoxOptions, ImageOptions, Transformation
from nkeras.layers.preprocessing.image.color import ColorLayer
from nkeras.ops.image import tones
from nkeras.ops.image.histograms import equalized, equalized_in_tiles
from nkeras.ops.image.layout import as_before, as_float


class AutoContrast(ColorLayer):
    """Stretches the values of each channel of an image, so that they fill their range.

    It does so in training and else. Channels of one value alone stay as they are.

    Args:
        value_range: the least and the largest value of a pixel.
        **kwargs: what every layer takes, `bounding_box_format` and `data_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`).

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype.

    Raises:
        ValueError: an argument is wrong.

    Example:
        >>> AutoContrast()([[[10.0], [20.0], [30.0]]]).numpy().ravel()
        array([  0. , 127.5, 255. ], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/ With channels first
    Keras takes channels and rows together.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False

    def __init__(
        self, value_range: Sequence[float] = (0, 255), **kwargs: Unpack[ImageOptions]
    ) -> None:
        super().__init__(**kwargs)
        self._set_value_range(value_range)

    def transform_images(
        self, images: TensorLike, transformation: Transformation = None, training: bool = True
    ) -> Tensor:
        """Images that reach from black to white."""
        return tones.with_full_range(self._as_images(images), self._spatial_axes(), *self._limits())


class Equalization(ColorLayer):
    """In training, equalizes the histogram of each channel of an image.

    A value becomes the share of pixels that are darker, so that all values are about as frequent.

    Args:
        value_range: the least and the largest value of a pixel.
        bins: how many bins the histograms have.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`); `training`, True
    by default.

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the compute dtype. Nothing flows back through it.

    Raises:
        ValueError: an argument is wrong.

    Example:
        >>> Equalization()([[[1.0], [2.0], [3.0], [3.0]]], training=True).numpy().ravel()
        array([  0.,  85., 255., 255.], dtype=float32)

    Source: https://en.wikipedia.org/wiki/Histogram_equalization Keras makes one histogram of a
    whole batch, by which images depend on their neighbours.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        bins: int = 256,
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        if not is_a(bins, int) or bins < 2:
            refuse("bins", bins, "an int of at least 2", "Equalization")
        self._set_value_range(value_range)
        self.bins = bins

    def transform_images(
        self, images: TensorLike, transformation: Transformation = None, training: bool = True
    ) -> Tensor:
        """Images whose values are about as frequent."""
        images = self._as_images(images)
        if not training:
            return images
        batch, height, width = self._sizes(images)
        channels = images.shape[self.channel_axis]
        is_last = self.data_format == "channels_last"
        shape = (batch, height * width, channels) if is_last else (-1, height * width, 1)
        levels = self._transform_value_range(images, self.value_range, (0, 255), self.compute_dtype)
        found = ops.reshape(equalized(ops.reshape(levels, shape), bins=self.bins), images.shape)
        return self._transform_value_range(found, (0, 255), self.value_range, self.compute_dtype)


class ContrastLimitedAdaptiveHistogramEqualization(ColorLayer):
    """Equalizes the histograms of tiles of an image, between which is interpolated (CLAHE).

    It does so in training and else.

    Args:
        value_range: the least and the largest value of a pixel.
        clip_limit: how many times the mean of the histogram a bin may have; what is above is shared
            out among all bins, so that noise in even regions grows no further. 0 for no limit.
        tile_grid_size: how many tiles stand above each other, and side by side.
        data_format: `"channels_last"` or `"channels_first"`.
        **kwargs: what every layer takes, and `bounding_box_format`.

    Call arguments: `data`, images or a dict (see `BaseImagePreprocessingLayer`).

    Input shape: `(batch, height, width, channels)` or one image, or channels first; any dtype.
    Output shape: the same, of the same dtype. Nothing flows back through it.

    Raises:
        ValueError: an argument is wrong.

    Example:
        >>> import nkeras
        >>> layer = ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))
        >>> layer(nkeras.ops.full((1, 8, 8, 3), 100, "uint8")).dtype
        'uint8'

    Source: Zuiderveld (1994), "Contrast limited adaptive histogram equalization". Integers are
    rounded, where Keras cuts off.
    """

    _USE_BASE_FACTOR: ClassVar[bool] = False

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Sequence[int] = (8, 8),
        data_format: str | None = None,
        **kwargs: Unpack[BoxOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        owner = "ContrastLimitedAdaptiveHistogramEqualization"
        self._set_value_range(value_range)
        if not is_a(tile_grid_size, (tuple, list)) or len(tile_grid_size) != 2:
            refuse("tile_grid_size", tile_grid_size, "two positive int", owner)
        if not all(is_a(count, int) and count > 0 for count in tile_grid_size):
            refuse("tile_grid_size", tile_grid_size, "two positive int", owner)
        self.clip_limit = clip_limit
        self.tile_grid_size = tuple(tile_grid_size)

    def transform_images(
        self, images: TensorLike, transformation: Transformation = None, training: bool = True
    ) -> Tensor:
        """Images with more contrast in each of their regions."""
        images = to_tensor(images)
        levels = self._transform_value_range(as_float(images), self.value_range, (0, 255))
        batch, height, width = self._sizes(images)
        is_last = self.data_format == "channels_last"
        shape = (batch, height, width, images.shape[-1]) if is_last else (-1, height, width, 1)
        rows, columns = self.tile_grid_size
        found = equalized_in_tiles(
            ops.reshape(levels, shape), tiles=(rows, columns), clip_limit=float(self.clip_limit)
        )
        found = self._transform_value_range(found, (0, 255), self.value_range)
        return as_before(ops.reshape(found, images.shape), images.dtype)
