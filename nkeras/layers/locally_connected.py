"""Locally connected layers: convolutions whose kernel differs from place to place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from nkeras import ops
from nkeras.core.config import standardize_data_format
from nkeras.core.errors import refuse, short
from nkeras.core.spec import window_padding
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    LayerOptions,
    PartialShape,
    RegularizerLike,
    Unpack,
    Window,
)
from nkeras.layers.activation import ActivationOption, check_softmax
from nkeras.layers.arguments import int_tuple, padding_mode, positive_int
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec
from nkeras.ops.locally_connected import local_sizes, locally_connected


class _LocallyConnected(Layer):
    activation: ActivationOption = ActivationOption()
    config_omits: ClassVar[Mapping[str, object]] = {
        name: value for name, value in Layer.config_omits.items() if name != "activity_regularizer"
    }
    rank: int

    def __init__(
        self,
        filters: int,
        kernel_size: Window,
        strides: Window = 1,
        padding: str = "valid",
        data_format: str | None = None,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        implementation: int = 1,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        owner = type(self).__name__
        self.filters = positive_int(filters, "filters", owner)
        self.kernel_size = int_tuple(kernel_size, self.rank, "kernel_size", owner)
        self.strides = int_tuple(strides, self.rank, "strides", owner)
        if implementation not in (1, 2, 3):
            refuse("implementation", implementation, "1, 2 or 3", owner)
        self.padding = padding_mode(padding, owner)
        if self.padding != "valid" and implementation == 1:
            refuse("padding", padding, '"valid" where implementation=1', owner)
        self.implementation = implementation
        self.data_format = standardize_data_format(data_format, owner)
        self.activation = activation
        self.use_bias = use_bias
        self._set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_options("bias", bias_initializer, bias_regularizer, bias_constraint)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def build(self, input_shape: PartialShape) -> None:
        """Make the kernels and biases of all places."""
        check_softmax(self, self.activation, self.filters)
        owner = type(self).__name__
        if None in input_shape[1:]:
            raise ValueError(
                f"{owner}: all sizes but that of the batch must be known. Received: "
                f"input_shape={short(tuple(input_shape))}"
            )
        shape = tuple(size for size in input_shape[1:] if size is not None)
        first = self.data_format == "channels_first"
        channels, sizes = (shape[0], shape[1:]) if first else (shape[-1], shape[:-1])
        ones = (1,) * self.rank
        self._pads = window_padding(self.padding, sizes, self.kernel_size, self.strides, ones)
        padded = tuple(size + sum(pair) for size, pair in zip(sizes, self._pads, strict=True))
        counts = local_sizes(padded, self.kernel_size, self.strides)
        if min(counts) < 1:
            raise ValueError(
                f"{owner}: windows of size {self.kernel_size} do not fit into "
                f"input_shape={short(tuple(input_shape))}."
            )
        elements = math.prod(self.kernel_size) * channels
        self.kernel = self.add_weight("kernel", (math.prod(counts), elements, self.filters))
        self.bias = self.add_weight("bias", (*counts, self.filters)) if self.use_bias else None
        self.input_spec = InputSpec(shape=(None, *shape))

    def call(self, inputs: Tensor) -> Tensor:
        """`activation(products + bias)`."""
        if self.padding == "same":
            first = self.data_format == "channels_first"
            pads = [(0, 0), *self._pads]
            inputs = ops.pad(inputs, [(0, 0), *pads] if first else [*pads, (0, 0)])
        y = locally_connected(
            inputs, self.kernel, self.bias, self.kernel_size, self.strides, self.data_format
        )
        return self.activation(y)


class LocallyConnected1D(_LocallyConnected):
    """Convolution of sequences with a kernel and a bias of its own for each place.

    `y[n, i] = activation(window of x[n] at i * strides @ kernel[i] + bias[i])`

    Args:
        filters: number of output channels.
        kernel_size: int.
        strides: int.
        padding: `"valid"`; with implementation 2 or 3 also `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        activation: name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of the kernels `(places, kernel_size * channels, filters)`.
        bias_initializer: initializer of the biases `(places, filters)`.
        kernel_regularizer: penalty of the kernels.
        bias_regularizer: penalty of the biases.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to the kernels after each update.
        bias_constraint: applied to the biases after each update.
        implementation: 1, 2 or 3; in Keras 2 they kept weights in different ways, here all keep
            them as 1 does.

    Input shape: `(batch, steps, channels)`, with a known number of steps, or channels first. Output
    shape: `(batch, places, filters)`, or channels first.

    Raises:
        ValueError: an argument is out of range, or a size is not known.

    Example:
        >>> import nkeras
        >>> LocallyConnected1D(8, 3)(nkeras.ops.ones((4, 10, 2))).shape
        (4, 8, 8)

    Source: Keras 2, https://keras.io/2.15/api/layers/locally_connected_layers/
    """

    rank = 1


class LocallyConnected2D(_LocallyConnected):
    """Convolution of images with a kernel and a bias of its own for each place.

    `y[n, i, j] = activation(window of x[n] at (i, j) * strides @ kernel[i, j] + bias[i, j])`

    Args:
        filters: number of output channels.
        kernel_size: int or (height, width).
        strides: int or two ints.
        padding: `"valid"`; with implementation 2 or 3 also `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        activation: name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of the kernels
            `(places, height * width * channels, filters)`, places row by row.
        bias_initializer: initializer of the biases `(rows, columns, filters)`.
        kernel_regularizer: penalty of the kernels.
        bias_regularizer: penalty of the biases.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to the kernels after each update.
        bias_constraint: applied to the biases after each update.
        implementation: 1, 2 or 3; in Keras 2 they kept weights in different ways, here all keep
            them as 1 does.

    Input shape: `(batch, height, width, channels)`, sizes known, or channels first. Output shape:
    `(batch, new height, new width, filters)`, or channels first.

    Raises:
        ValueError: an argument is out of range, or a size is not known.

    Example:
        >>> import nkeras
        >>> LocallyConnected2D(8, 3, activation="relu")(nkeras.ops.ones((4, 10, 9, 2))).shape
        (4, 8, 7, 8)

    Source: Keras 2, https://keras.io/2.15/api/layers/locally_connected_layers/
    """

    rank = 2


class LocallyConnected3D(_LocallyConnected):
    """Convolution of volumes with a kernel and a bias of its own for each place.

    Args:
        filters: number of output channels.
        kernel_size: int or three ints.
        strides: int or three ints.
        padding: `"valid"`; with implementation 2 or 3 also `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        activation: name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of the kernels
            `(places, prod(kernel_size) * channels, filters)`.
        bias_initializer: initializer of the biases `(*output sizes, filters)`.
        kernel_regularizer: penalty of the kernels.
        bias_regularizer: penalty of the biases.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to the kernels after each update.
        bias_constraint: applied to the biases after each update.
        implementation: 1, 2 or 3, as in `LocallyConnected2D`; all are the same.

    Input shape: `(batch, depth, height, width, channels)`, sizes known, or channels first. Output
    shape: `(batch, new depth, new height, new width, filters)`, or channels first.

    Raises:
        ValueError: an argument is out of range, or a size is not known.

    Example:
        >>> import nkeras
        >>> LocallyConnected3D(8, 3)(nkeras.ops.ones((1, 4, 5, 5, 2))).shape
        (1, 2, 3, 3, 8)

    Source: `LocallyConnected2D`, with one more dimension: Keras 2 has none.
    """

    rank = 3
