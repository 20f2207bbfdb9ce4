"""TimeDistributed: a layer at each step."""

from __future__ import annotations

from typing import Any

from nkeras import ops
from nkeras.core import graph
from nkeras.core.errors import refuse, short
from nkeras.core.graph import KerasTensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Masks, Shapes
from nkeras.layers import activation, convolution, core, depthwise, pooling, reshaping
from nkeras.layers.base import Layer
from nkeras.layers.calling import signature_of
from nkeras.layers.regularization import Dropout
from nkeras.layers.wrapper import Wrapper

# What does the same to each sample, whatever the others are.
_ALONE = (
    core.Dense,
    core.Identity,
    activation.Activation,
    activation.ReLU,
    activation.LeakyReLU,
    activation.ELU,
    *(convolution.Conv1D, convolution.Conv2D, convolution.Conv3D),
    *(depthwise.DepthwiseConv1D, depthwise.DepthwiseConv2D),
    *(depthwise.SeparableConv1D, depthwise.SeparableConv2D),
    *(pooling.MaxPooling1D, pooling.MaxPooling2D, pooling.MaxPooling3D),
    *(pooling.AveragePooling1D, pooling.AveragePooling2D, pooling.AveragePooling3D),
    *(pooling.GlobalAveragePooling1D, pooling.GlobalAveragePooling2D),
    *(pooling.GlobalMaxPooling1D, pooling.GlobalMaxPooling2D),
    *(reshaping.Flatten, reshaping.Permute, reshaping.RepeatVector),
)


class TimeDistributed(Wrapper):
    """Applies a layer to each step of a sequence, with the same weights.

    Layers that treat each sample alone, such as Dense and convolutions, are applied once, to all
    steps; others step by step.

    Args:
        layer: the layer.

    Call arguments: `inputs` `(batch, steps, ...)`, `training`, `mask` `(batch, steps, ...)`, whose
    slices the layer gets if it takes a mask.

    Output shape: `(batch, steps, ...)`, with the layer's output shape behind.

    Raises:
        ValueError: the input has less than three axes, or the mask does not fit.

    Example:
        >>> import nkeras
        >>> layer = TimeDistributed(nkeras.layers.Conv2D(4, 3))
        >>> layer(nkeras.ops.ones((2, 5, 8, 8, 3))).shape
        (2, 5, 6, 6, 4)

    Source: https://keras.io/api/layers/recurrent_layers/time_distributed/
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Shapes) -> None:
        """Build the layer for one step."""
        if not isinstance(input_shape, (tuple, list)) or len(input_shape) < 3:
            refuse("input_shape", input_shape, "of at least 3 axes", type(self).__name__)
        if not self.layer.built:
            self.layer.build((input_shape[0], *input_shape[2:]))

    def call(self, inputs: Tensor, training: bool | None = None, mask: Masks = None) -> Tensor:
        """The layer's outputs at all steps."""
        info = signature_of(type(self.layer).call)
        if mask is not None and tuple(mask.shape[:2]) != tuple(inputs.shape[:2]):
            raise ValueError(
                f"{type(self).__name__}: argument `mask` must begin with the shape of batch and "
                f"steps. Received: mask of shape {short(tuple(mask.shape))} for inputs of shape "
                f"{short(tuple(inputs.shape))}"
            )
        told = {"training": training} if info.has_training else {}
        masked = mask is not None and "mask" in info.names

        def step(inputs: Tensor, mask: Masks) -> Any:
            return self.layer(inputs, **told, **({"mask": mask} if masked else {}))

        batch, time = inputs.shape[:2]
        if isinstance(inputs, KerasTensor):
            output = step(inputs[:, 0], None if mask is None else mask[:, 0])
            return graph.symbolic((batch, time, *output.shape[1:]), output.dtype)
        if type(self.layer) in _ALONE or _is_dropout(self.layer):
            if not masked and self.layer.activity_regularizer is None:
                output = step(ops.reshape(inputs, (batch * time, *inputs.shape[2:])), None)
                return ops.reshape(output, (batch, time, *output.shape[1:]))
        return ops.stack(
            [step(inputs[:, t], None if mask is None else mask[:, t]) for t in range(time)], axis=1
        )


def _is_dropout(layer: Layer) -> bool:
    """Whether the layer is dropout with a mask of the inputs' shape."""
    return type(layer) is Dropout and layer.noise_shape is None
