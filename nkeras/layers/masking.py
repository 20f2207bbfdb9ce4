"""Masking: steps of a sequence that are to be skipped."""

from __future__ import annotations

from nkeras import ops
from nkeras.core.graph import set_mask
from nkeras.core.serialization import deserialize_keras_object
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, Masks, TensorLike, Unpack
from nkeras.layers.base import Layer


class Masking(Layer):
    """Masks the steps at which all inputs are `mask_value`, and sets them to 0.

    The layers behind that support masks skip these steps.

    Args:
        mask_value: number, or a tensor of one for each feature.

    Call arguments: `inputs`.

    Input shape: `(batch, steps, ..., features)`. Output shape: the same.

    Example:
        >>> import numpy as np
        >>> x = np.array([[[1.0, 2.0], [0.0, 0.0]]])
        >>> Masking().compute_mask(x).numpy()
        array([[ True, False]])

    Source: https://keras.io/api/layers/core_layers/masking/
    """

    def __init__(self, mask_value: TensorLike = 0.0, **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        if isinstance(mask_value, dict):
            mask_value = deserialize_keras_object(mask_value)
        self.mask_value = mask_value
        self.supports_masking = True

    def compute_mask(self, inputs: Tensor, previous_mask: Masks = None) -> Tensor:
        """Whether a step has another value."""
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Tensor) -> Tensor:
        """The inputs, 0 where they are masked."""
        mask = self.compute_mask(inputs)
        outputs = ops.where(ops.expand_dims(mask, -1), inputs, 0)
        set_mask(outputs, mask)
        return outputs
