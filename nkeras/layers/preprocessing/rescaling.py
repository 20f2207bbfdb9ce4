"""Rescaling: inputs in another range."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras import ops
from nkeras.core import config, dtypes
from nkeras.core.errors import refuse
from nkeras.core.serialization import deserialize_keras_object
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, TensorLike, Unpack
from nkeras.layers.preprocessing.data_layer import DataLayer


class Rescaling(DataLayer):
    """`x * scale + offset`, for example to bring pixels from `[0, 255]` to `[0, 1]` or `[-1, 1]`.

    Args:
        scale: a number, or a list of one for each channel.
        offset: a number, or a list of one for each channel.

    Call arguments: `inputs`, of any numeric dtype; lists and arrays as well as tensors.

    Input shape: any. Output shape: the same. Lists stand for the last axis, or, where
    `nkeras.config.image_data_format()` is `"channels_first"`, for the third from the end.

    Raises:
        ValueError: an argument is no number and no list of numbers.

    Example:
        >>> Rescaling(1 / 127.5, offset=-1)([[0, 255]]).numpy()
        array([[-1.,  1.]], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/image_preprocessing/rescaling/. Keras
    3.15 puts a list of offsets at the last axis for `"channels_first"` too; they stand for channels
    here.
    """

    def __init__(
        self, scale: TensorLike, offset: TensorLike = 0.0, **kwargs: Unpack[AllLayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.scale = _numbers(scale, "scale")
        self.offset = _numbers(offset, "offset")
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """The rescaled inputs."""
        dtype = dtypes.result_type(self.compute_dtype, "float32")
        scale, offset = self._for_channels(self.scale), self._for_channels(self.offset)
        y = ops.cast(inputs, dtype) * ops.cast(scale, dtype) + ops.cast(offset, dtype)
        return ops.cast(y, self.compute_dtype)

    def _for_channels(self, values: Any) -> Tensor:
        values = ops.convert_to_tensor(values)
        if values.shape and config.image_data_format() == "channels_first":
            return ops.reshape(values, (*values.shape, *(1,) * (3 - len(values.shape))))
        return values


def _numbers(values: Any, argument: str) -> Any:
    """What a user or a configuration gives."""
    if isinstance(values, dict):
        values = deserialize_keras_object(values)
    array = values.numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.dtype.kind not in "biuf":
        refuse(argument, values, "a number, or a list of numbers", "Rescaling")
    return array.item() if array.ndim == 0 else values
