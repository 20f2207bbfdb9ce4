"""Transposed convolutions: from small to large, the gradient of a convolution as a layer."""

from __future__ import annotations

from nkeras import ops
from nkeras.core.errors import short
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
from nkeras.layers.arguments import int_tuple, positive_int
from nkeras.layers.convolution import Convolution


class _ConvTranspose(Convolution):
    def __init__(
        self,
        filters: int,
        kernel_size: Window,
        strides: Window = 1,
        padding: str = "valid",
        output_padding: Window | None = None,
        data_format: str | None = None,
        dilation_rate: Window = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        owner = type(self).__name__
        self.filters = positive_int(filters, "filters", owner)
        self._set_windows(kernel_size, strides, padding, data_format, dilation_rate)
        if output_padding is not None:
            output_padding = int_tuple(output_padding, self.rank, "output_padding", owner, least=0)
            if any(extra >= step for extra, step in zip(output_padding, self.strides, strict=True)):
                raise ValueError(
                    f"{owner}: argument `output_padding` must be less than `strides`. Received: "
                    f"output_padding={short(output_padding)}, strides={short(self.strides)}"
                )
        self.output_padding = output_padding
        self._set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_bias(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: PartialShape) -> None:
        """Make kernel and bias."""
        shape = (*self.kernel_size, self.filters, self._channels(input_shape))
        self.kernel = self.add_weight("kernel", shape)
        self._add_bias(self.filters)

    def call(self, inputs: Tensor) -> Tensor:
        """`activation(transposed convolution + bias)`."""
        return self._finish(
            ops.conv_transpose(
                inputs,
                self.kernel,
                output_padding=self.output_padding,
                **self._window_arguments(),
            )
        )


class Conv1DTranspose(_ConvTranspose):
    """Transposed convolution of sequences: each step is spread over a window.

    Args:
        filters: number of output channels.
        kernel_size: int.
        strides: int, the factor of enlargement.
        padding: `"valid"` or `"same"`.
        output_padding: extra steps at the end, less than `strides`.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance of the kernel's cells.
        activation: name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of the kernel `(kernel_size, filters, channels)`.
        bias_initializer: initializer of the bias `(filters,)`.
        kernel_regularizer: penalty of the kernel.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.

    Input shape: `(batch, steps, channels)`. Output shape: `(batch, new steps, filters)`.

    Example:
        >>> import nkeras
        >>> Conv1DTranspose(8, 3, strides=2, padding="same")(nkeras.ops.ones((4, 10, 16))).shape
        (4, 20, 8)

    Source: https://keras.io/api/layers/convolution_layers/convolution1d_transpose/
    """

    rank = 1


class Conv2DTranspose(_ConvTranspose):
    """Transposed convolution of images: each cell is spread over a window.

    Args:
        filters: number of output channels.
        kernel_size: int or two ints.
        strides: int or two ints, the factors of enlargement.
        padding: `"valid"` or `"same"`.
        output_padding: extra rows and columns at the end, less than `strides`.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance of the kernel's cells.
        activation: name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of the kernel `(height, width, filters, channels)`.
        bias_initializer: initializer of the bias `(filters,)`.
        kernel_regularizer: penalty of the kernel.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.

    Input shape: `(batch, height, width, channels)`, or channels first. Output shape: `(batch, new
    height, new width, filters)`, or channels first.

    Example:
        >>> import nkeras
        >>> Conv2DTranspose(8, 3, strides=2)(nkeras.ops.ones((4, 10, 8, 16))).shape
        (4, 21, 17, 8)

    Source: https://keras.io/api/layers/convolution_layers/convolution2d_transpose/
    """

    rank = 2


class Conv3DTranspose(_ConvTranspose):
    """Transposed convolution of volumes: each cell is spread over a window.

    Args:
        filters: number of output channels.
        kernel_size: int or three ints.
        strides: int or three ints, the factors of enlargement.
        padding: `"valid"` or `"same"`.
        output_padding: extra cells at the end of each axis, less than `strides`.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance of the kernel's cells.
        activation: name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of the kernel `(*kernel_size, filters, channels)`.
        bias_initializer: initializer of the bias `(filters,)`.
        kernel_regularizer: penalty of the kernel.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.

    Input shape: `(batch, depth, height, width, channels)`, or channels first.
    Output shape: `(batch,
    new depth, new height, new width, filters)`, or channels first.

    Example:
        >>> import nkeras
        >>> Conv3DTranspose(8, 3, strides=2)(nkeras.ops.ones((1, 2, 2, 3, 4))).shape
        (1, 5, 5, 7, 8)

    Source: https://keras.io/api/layers/convolution_layers/convolution3d_transpose/
    """

    rank = 3

    def __init__(  # Keras orders the arguments otherwise here
        self,
        filters: int,
        kernel_size: Window,
        strides: Window = 1,
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Window | None = None,
        dilation_rate: Window = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            output_padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            **kwargs,
        )


Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
