"""Convolutions of each channel on its own: depthwise and separable."""

from __future__ import annotations

from nkeras import ops
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
from nkeras.layers.arguments import positive_int
from nkeras.layers.convolution import Convolution
from nkeras.ops.conv_bias import conv_bias, depthwise_conv_bias


class _Depthwise(Convolution):
    """Depthwise windows, their kernel's initializer, regularizer and constraint."""

    def _set_depthwise(
        self,
        depth_multiplier: int,
        initializer: InitializerLike,
        regularizer: RegularizerLike,
        constraint: ConstraintLike,
    ) -> None:
        self.depth_multiplier = positive_int(
            depth_multiplier, "depth_multiplier", type(self).__name__
        )
        self._set_options("depthwise", initializer, regularizer, constraint)

    def _depthwise_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.kernel_size, channels, self.depth_multiplier)


class _DepthwiseConv(_Depthwise):
    def __init__(
        self,
        kernel_size: Window,
        strides: Window = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Window = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self._set_windows(kernel_size, strides, padding, data_format, dilation_rate)
        self._set_depthwise(
            depth_multiplier, depthwise_initializer, depthwise_regularizer, depthwise_constraint
        )
        self._set_bias(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: PartialShape) -> None:
        """Make kernel and bias."""
        channels = self._channels(input_shape)
        initializer, regularizer, constraint = self._options_of("depthwise")
        self.kernel = self.add_weight(
            name="kernel",
            shape=self._depthwise_shape(channels),
            initializer=initializer,
            regularizer=regularizer,
            constraint=constraint,
        )
        self._add_bias(channels * self.depth_multiplier)

    def call(self, inputs: Tensor) -> Tensor:
        """`activation(depthwise convolution + bias)`."""
        return self._convolve(depthwise_conv_bias, inputs, self.kernel)


class DepthwiseConv1D(_DepthwiseConv):
    """Convolution of each channel of sequences with its own filters.

    Args:
        kernel_size: int.
        strides: int.
        padding: `"valid"` or `"same"`.
        depth_multiplier: number of filters of each channel.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance of the kernel's cells.
        activation: name or function.
        use_bias: whether to add a bias.
        depthwise_initializer: initializer of `(kernel_size, channels, depth_multiplier)`.
        bias_initializer: initializer of the bias `(channels * depth_multiplier,)`.
        depthwise_regularizer: penalty of the kernel.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        depthwise_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.

    Input shape: `(batch, steps, channels)`. Output shape:
    `(batch, new steps, channels * depth_multiplier)`.

    Example:
        >>> import nkeras
        >>> DepthwiseConv1D(3, depth_multiplier=2)(nkeras.ops.ones((4, 10, 12))).shape
        (4, 8, 24)

    Source: https://keras.io/api/layers/convolution_layers/depthwise_convolution1d/
    """

    rank = 1


class DepthwiseConv2D(_DepthwiseConv):
    """Convolution of each channel of images with its own filters.

    Args:
        kernel_size: int or two ints.
        strides: int or two ints.
        padding: `"valid"` or `"same"`.
        depth_multiplier: number of filters of each channel.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance of the kernel's cells.
        activation: name or function.
        use_bias: whether to add a bias.
        depthwise_initializer: initializer of `(height, width, channels, depth_multiplier)`.
        bias_initializer: initializer of the bias `(channels * depth_multiplier,)`.
        depthwise_regularizer: penalty of the kernel.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        depthwise_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.

    Input shape: `(batch, height, width, channels)`, or channels first. Output shape: `(batch, new
    height, new width, channels * depth_multiplier)`, or channels first.

    Example:
        >>> import nkeras
        >>> DepthwiseConv2D(3)(nkeras.ops.ones((4, 10, 10, 12))).shape
        (4, 8, 8, 12)

    Source: https://keras.io/api/layers/convolution_layers/depthwise_convolution2d/
    """

    rank = 2


class _SeparableConv(_Depthwise):
    def __init__(
        self,
        filters: int,
        kernel_size: Window,
        strides: Window = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Window = 1,
        depth_multiplier: int = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        pointwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        pointwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        pointwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive_int(filters, "filters", type(self).__name__)
        self._set_windows(kernel_size, strides, padding, data_format, dilation_rate)
        self._set_depthwise(
            depth_multiplier, depthwise_initializer, depthwise_regularizer, depthwise_constraint
        )
        self._set_options(
            "pointwise", pointwise_initializer, pointwise_regularizer, pointwise_constraint
        )
        self._set_bias(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: PartialShape) -> None:
        """Make both kernels and the bias."""
        channels = self._channels(input_shape)
        shape = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.depthwise_kernel = self.add_weight("depthwise_kernel", self._depthwise_shape(channels))
        self.pointwise_kernel = self.add_weight("pointwise_kernel", shape)
        self._add_bias(self.filters)

    def call(self, inputs: Tensor) -> Tensor:
        """`activation(depthwise, then pointwise convolution + bias)`."""
        outputs = ops.depthwise_conv(inputs, self.depthwise_kernel, **self._window_arguments())
        return self._convolve(self._pointwise, outputs, self.pointwise_kernel)

    def _pointwise(self, inputs: Tensor, kernel: Tensor, bias: Tensor, **_: object) -> Tensor:
        return conv_bias(inputs, kernel, bias, data_format=self.data_format)


class SeparableConv1D(_SeparableConv):
    """Depthwise convolution of sequences, then one with windows of size 1 that mixes the channels.

    Args:
        filters: number of output channels.
        kernel_size: int.
        strides: int.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance of the kernel's cells.
        depth_multiplier: number of depthwise filters of each channel.
        activation: name or function.
        use_bias: whether to add a bias.
        depthwise_initializer: initializer of `(kernel_size, channels, depth_multiplier)`.
        pointwise_initializer: initializer of `(1, channels * depth_multiplier, filters)`.
        bias_initializer: initializer of the bias `(filters,)`.
        depthwise_regularizer: penalty of the depthwise kernel.
        pointwise_regularizer: penalty of the pointwise kernel.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        depthwise_constraint: applied to the depthwise kernel after each update.
        pointwise_constraint: applied to the pointwise kernel after each update.
        bias_constraint: applied to the bias after each update.

    Input shape: `(batch, steps, channels)`. Output shape: `(batch, new steps, filters)`.

    Example:
        >>> import nkeras
        >>> SeparableConv1D(3, 4)(nkeras.ops.ones((4, 10, 12))).shape
        (4, 7, 3)

    Source: https://keras.io/api/layers/convolution_layers/separable_convolution1d/
    """

    rank = 1


class SeparableConv2D(_SeparableConv):
    """Depthwise convolution of images, then one with windows of size 1 that mixes the channels.

    Args:
        filters: number of output channels.
        kernel_size: int or two ints.
        strides: int or two ints.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance of the kernel's cells.
        depth_multiplier: number of depthwise filters of each channel.
        activation: name or function.
        use_bias: whether to add a bias.
        depthwise_initializer: initializer of `(height, width, channels, depth_multiplier)`.
        pointwise_initializer: initializer of `(1, 1, channels * depth_multiplier, filters)`.
        bias_initializer: initializer of the bias `(filters,)`.
        depthwise_regularizer: penalty of the depthwise kernel.
        pointwise_regularizer: penalty of the pointwise kernel.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        depthwise_constraint: applied to the depthwise kernel after each update.
        pointwise_constraint: applied to the pointwise kernel after each update.
        bias_constraint: applied to the bias after each update.

    Input shape: `(batch, height, width, channels)`, or channels first. Output shape: `(batch, new
    height, new width, filters)`, or channels first.

    Example:
        >>> import nkeras
        >>> SeparableConv2D(3, 4)(nkeras.ops.ones((4, 10, 10, 12))).shape
        (4, 7, 7, 3)

    Source: https://keras.io/api/layers/convolution_layers/separable_convolution2d/
    """

    rank = 2


SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
