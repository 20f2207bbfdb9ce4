"""Convolutions: rank-generic, channels last or first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from nkeras import ops
from nkeras.core.config import standardize_data_format
from nkeras.core.errors import short
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    ActivationLike,
    Config,
    ConstraintLike,
    ConvolutionOptions,
    InitializerLike,
    PartialShape,
    RegularizerLike,
    TensorLike,
    Unpack,
    Window,
)
from nkeras.core.variable import Variable
from nkeras.layers.activation import ActivationOption, check_softmax
from nkeras.layers.arguments import int_tuple, padding_mode, positive_int
from nkeras.layers.base import Layer
from nkeras.layers.input_spec import InputSpec
from nkeras.layers.lora import Adaptable, AdaptableWeight
from nkeras.ops.conv_bias import conv_bias


class Convolution(Layer):
    """What convolutions share: windows, layout, bias and activation; `rank` is that of space.

    `strides` and `dilation_rate` may both be more than 1, as in Keras after 3.15.
    """

    # Keras writes the activity regularizer also where there is none.
    activation: ActivationOption = ActivationOption()
    config_omits: ClassVar[Mapping[str, object]] = {
        name: value for name, value in Layer.config_omits.items() if name != "activity_regularizer"
    }
    rank: int
    allows_causal = False

    def _set_windows(
        self,
        kernel_size: Window,
        strides: Window,
        padding: str,
        data_format: str | None,
        dilation_rate: Window,
    ) -> None:
        owner = type(self).__name__
        self.kernel_size = int_tuple(kernel_size, self.rank, "kernel_size", owner)
        self.strides = int_tuple(strides, self.rank, "strides", owner)
        self.dilation_rate = int_tuple(dilation_rate, self.rank, "dilation_rate", owner)
        self.padding = padding_mode(padding, owner, causal=self.allows_causal and self.rank == 1)
        self.data_format = standardize_data_format(data_format, owner)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _set_bias(
        self,
        activation: ActivationLike,
        use_bias: bool,
        initializer: InitializerLike,
        regularizer: RegularizerLike,
        constraint: ConstraintLike,
    ) -> None:
        self.activation = activation
        self.use_bias = use_bias
        self._set_options("bias", initializer, regularizer, constraint)

    def _channels(self, input_shape: PartialShape) -> int:
        """Number of input channels, which the layer accepts alone from now on."""
        axis = 1 if self.data_format == "channels_first" else -1
        channels = input_shape[axis]
        if channels is None:
            raise ValueError(
                f"{type(self).__name__}: the number of channels must be known. Received: "
                f"input_shape={tuple(input_shape)}"
            )
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})
        return channels

    def _add_bias(self, size: int) -> None:
        self.bias = self.add_weight("bias", (size,)) if self.use_bias else None

    def _finish(self, outputs: Tensor) -> Tensor:
        """`activation(outputs + bias)`."""
        if self.bias is not None:
            bias = self.bias.value
            if self.data_format == "channels_first":
                bias = ops.reshape(bias, (-1, *(1,) * self.rank))
            outputs = ops.add(outputs, bias)
        return self.activation(outputs)

    def _convolve(
        self, function: Callable[..., Tensor], inputs: Tensor, kernel: Tensor | Variable
    ) -> Tensor:
        """`activation(convolution + bias)`."""
        return self.activation(function(inputs, kernel, self.bias, **self._window_arguments()))

    def _window_arguments(self) -> Config:
        return {
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
        }


class _Conv(Adaptable, Convolution):
    config_omits: ClassVar[Mapping[str, object]] = {
        **Convolution.config_omits,
        "lora_rank": None,
        "lora_alpha": None,
    }
    allows_causal = True
    kernel = AdaptableWeight()

    def __init__(
        self,
        filters: int,
        kernel_size: Window,
        strides: Window = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Window = 1,
        groups: int = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Unpack[ConvolutionOptions],
    ) -> None:
        lora = kwargs.pop("lora_rank", None), kwargs.pop("lora_alpha", None)
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self._set_lora(*lora)
        self.filters = positive_int(filters, "filters", type(self).__name__)
        self.groups = positive_int(groups, "groups", type(self).__name__)
        if self.filters % self.groups:
            raise ValueError(
                f"{type(self).__name__}: argument `filters` must be a multiple of `groups`. "
                f"Received: filters={short(filters)}, groups={short(groups)}"
            )
        self._set_windows(kernel_size, strides, padding, data_format, dilation_rate)
        self._set_options("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self._set_bias(activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: PartialShape) -> None:
        """Make kernel and bias."""
        check_softmax(self, self.activation, self.filters)
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(
                f"{type(self).__name__}: input channels must be a multiple of `groups`. "
                f"Received: groups={self.groups}, input_shape={tuple(input_shape)}"
            )
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self._keep_base(self.add_weight("kernel", shape))
        self._add_bias(self.filters)
        self._adapt_if_asked()

    def get_config(self) -> Config:
        """The constructor's arguments, those of LoRA only where there is one, as in Keras."""
        lora = {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha}
        return {**super().get_config(), **(lora if self.lora_rank is not None else {})}

    def call(self, inputs: Tensor) -> Tensor:
        """`activation(convolution + bias)`, by `convolution_op` where a layer has its own."""
        if type(self).convolution_op is not _Conv.convolution_op:
            return self._finish(self.convolution_op(inputs, self.kernel))
        return self._convolve(conv_bias, inputs, self.kernel)

    def convolution_op(self, inputs: TensorLike, kernel: TensorLike) -> Tensor:
        """The convolution alone. Layers override it, or call it with another kernel.

        Args:
            inputs: tensor `(batch, *spatial, channels)`, or channels first.
            kernel: tensor of the shape of `self.kernel`.

        Returns:
            Tensor `(batch, *output_size, filters)`, or channels first.

        Example:
            >>> class Doubled(Conv2D):
            ...     def convolution_op(self, inputs, kernel):
            ...         return super().convolution_op(inputs, 2 * kernel)
            >>> Doubled(1, 2, kernel_initializer="ones")(ops.ones((1, 2, 2, 1))).tolist()
            [[[[8.0]]]]

        Source: https://keras.io/examples/keras_recipes/subclassing_conv_layers/
        """
        return conv_bias(inputs, kernel, None, **self._window_arguments())


class Conv1D(_Conv):
    """Convolution of sequences: `activation(conv(inputs, kernel) + bias)`.

    Args:
        filters: number of output channels.
        kernel_size: int.
        strides: int.
        padding: `"valid"`, `"same"` or `"causal"` (a step sees only earlier steps and itself).
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance of the kernel's cells.
        groups: channels are convolved in as many separate groups.
        activation: name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of the kernel `(kernel_size, channels // groups, filters)`.
        bias_initializer: initializer of the bias `(filters,)`.
        kernel_regularizer: penalty of the kernel.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.
        lora_rank: None, or the rank of a product that is trained instead of the kernel: see
            `enable_lora`.
        lora_alpha: the product is multiplied by `lora_alpha / lora_rank`; by 1 for None.

    Input shape: `(batch, steps, channels)`. Output shape: `(batch, new steps, filters)`.

    Example:
        >>> import nkeras
        >>> Conv1D(32, 3, activation="relu")(nkeras.ops.ones((4, 10, 128))).shape
        (4, 8, 32)

    Source: https://keras.io/api/layers/convolution_layers/convolution1d/
    """

    rank = 1


class Conv2D(_Conv):
    """Convolution of images: `activation(conv(inputs, kernel) + bias)`.

    Args:
        filters: number of output channels.
        kernel_size: int or (height, width).
        strides: int or two ints.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance of the kernel's cells, int or two ints.
        groups: channels are convolved in as many separate groups.
        activation: name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of `(height, width, channels // groups, filters)`.
        bias_initializer: initializer of the bias `(filters,)`.
        kernel_regularizer: penalty of the kernel.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.
        lora_rank: None, or the rank of a product that is trained instead of the kernel: see
            `enable_lora`.
        lora_alpha: the product is multiplied by `lora_alpha / lora_rank`; by 1 for None.

    Input shape: `(batch, height, width, channels)`, or `(batch, channels, height, width)`. Output
    shape: `(batch, new height, new width, filters)`, or channels first.

    Example:
        >>> import nkeras
        >>> Conv2D(32, 3, activation="relu")(nkeras.ops.ones((4, 10, 10, 3))).shape
        (4, 8, 8, 32)

    Source: https://keras.io/api/layers/convolution_layers/convolution2d/
    """

    rank = 2


class Conv3D(_Conv):
    """Convolution of volumes: `activation(conv(inputs, kernel) + bias)`.

    Args:
        filters: number of output channels.
        kernel_size: int or three ints.
        strides: int or three ints.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: distance of the kernel's cells, int or three ints.
        groups: channels are convolved in as many separate groups.
        activation: name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of the kernel `(*kernel_size, channels // groups, filters)`.
        bias_initializer: initializer of the bias `(filters,)`.
        kernel_regularizer: penalty of the kernel.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.
        lora_rank: None, or the rank of a product that is trained instead of the kernel: see
            `enable_lora`.
        lora_alpha: the product is multiplied by `lora_alpha / lora_rank`; by 1 for None.

    Input shape: `(batch, depth, height, width, channels)`, or channels first.
    Output shape: `(batch,
    new depth, new height, new width, filters)`, or channels first.

    Example:
        >>> import nkeras
        >>> Conv3D(8, 3)(nkeras.ops.ones((1, 4, 5, 5, 2))).shape
        (1, 2, 3, 3, 8)

    Source: https://keras.io/api/layers/convolution_layers/convolution3d/
    """

    rank = 3


Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution3D = Conv3D
