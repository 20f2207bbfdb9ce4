"""ConvLSTM1D, ConvLSTM2D and ConvLSTM3D: long short-term memory of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from nkeras import ops
from nkeras.core.config import standardize_data_format
from nkeras.core.errors import short
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    ActivationLike,
    AllLayerOptions,
    ConstraintLike,
    InitializerLike,
    PartialShape,
    RegularizerLike,
    Unpack,
    Window,
)
from nkeras.core.variable import Variable
from nkeras.layers.activation import ActivationOption
from nkeras.layers.arguments import int_tuple, padding_mode, positive_int
from nkeras.layers.input_spec import InputSpec
from nkeras.layers.recurrent.cell import Cell, Holes
from nkeras.layers.recurrent.lstm import forget_bias
from nkeras.layers.recurrent.rnn import CellRNN, OfCell, RNNOptions, cell_options
from nkeras.ops.conv_bias import conv_bias


class ConvLSTMCell(Cell):
    """A step of long short-term memory where both products are convolutions.

    Args:
        rank: number of spatial axes.
        **others: see `ConvLSTM2D`.

    Source: Shi et al. 2015, https://arxiv.org/abs/1506.04214
    """

    gates = 4

    activation: ActivationOption = ActivationOption()
    recurrent_activation: ActivationOption = ActivationOption()

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Window,
        strides: Window = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Window = 1,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        owner = "ConvLSTM"
        self.rank = rank
        self.filters = positive_int(filters, "filters", owner)
        self.kernel_size = int_tuple(kernel_size, rank, "kernel_size", owner)
        self.strides = int_tuple(strides, rank, "strides", owner)
        self.padding = padding_mode(padding, owner)
        self.data_format = standardize_data_format(data_format, owner)
        self.dilation_rate = int_tuple(dilation_rate, rank, "dilation_rate", owner)
        self.activation = activation
        self.recurrent_activation = recurrent_activation
        self.unit_forget_bias = unit_forget_bias
        options = {
            "kernel": (kernel_initializer, kernel_regularizer, kernel_constraint),
            "recurrent": (recurrent_initializer, recurrent_regularizer, recurrent_constraint),
            "bias": (bias_initializer, bias_regularizer, bias_constraint),
        }
        self._set_cell(self.filters, use_bias, options, dropout, recurrent_dropout, seed, 1)
        self.input_spec = InputSpec(ndim=rank + 2)

    @property
    def state_size(self) -> int:
        """No one number: states are images."""
        return -1

    @property
    def _channel_axis(self) -> int:
        return 1 if self.data_format == "channels_first" else self.rank + 1

    def build(self, input_shape: PartialShape) -> None:
        """Make kernel, recurrent kernel and bias."""
        axis = self._channel_axis
        sizes = [size for i, size in enumerate(input_shape) if i not in (0, axis)]
        if None in sizes or input_shape[axis] is None:
            raise ValueError(
                f"{type(self).__name__}: sizes and channels of the images must be known. Received: "
                f"input_shape={short(tuple(input_shape))}"
            )
        self.spatial_dims = tuple(int(size) for size in sizes if size is not None)
        columns = 4 * self.filters
        self.kernel = self.add_weight("kernel", (*self.kernel_size, input_shape[axis], columns))
        shape = (*self.kernel_size, self.filters, columns)
        self.recurrent_kernel = self.add_weight("recurrent_kernel", shape)
        self.bias = self._add_bias(columns) if self.use_bias else None

    def _add_bias(self, columns: int) -> Variable:
        return forget_bias(self, columns) if self.unit_forget_bias else super()._add_bias(columns)

    def get_initial_state(self, batch_size: int | None = None) -> list[Tensor]:
        """Images of zeros for the first step.

        Args:
            batch_size: number of sequences.
        """
        sizes = [self._output_size(axis) for axis in range(self.rank)]
        shape = [batch_size or 1, *sizes]
        shape.insert(self._channel_axis, self.filters)
        return [ops.zeros(shape, self.compute_dtype) for _ in range(2)]

    def _output_size(self, axis: int) -> int:
        size, stride = self.spatial_dims[axis], self.strides[axis]
        if self.padding == "same":
            return -(-size // stride)
        window = (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1
        return (size - window) // stride + 1

    def call(
        self, inputs: Tensor, states: Sequence[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """The output and the new states."""
        state, carry = states
        given = self._with_holes(inputs, training)
        z = self._convolved(given, self.kernel, self.bias, True)
        holes = self._state_holes(state, training)
        given = [state] if holes is None else [ops.multiply(state, one) for one in holes]
        z = ops.add(z, self._convolved(given, self.recurrent_kernel, None, False))
        i, f, c, o = ops.split(z, 4, axis=self._channel_axis)
        i, f = self.recurrent_activation(i), self.recurrent_activation(f)
        carry = ops.add(ops.multiply(f, carry), ops.multiply(i, self.activation(c)))
        output = ops.multiply(self.recurrent_activation(o), self.activation(carry))
        return output, [output, carry]

    def _convolved(
        self, given: Holes, kernel: Variable, bias: Variable | None, of_inputs: bool
    ) -> Tensor:
        """The convolutions for all gates, of one image or of one for each of them."""
        count = len(given)
        kernels = [kernel] if count == 1 else ops.split(kernel, count, axis=-1)
        biases = [bias] if count == 1 or bias is None else ops.split(bias, count)
        biases = biases * (count // len(biases))
        made = [
            conv_bias(
                image,
                part,
                own,
                strides=self.strides if of_inputs else 1,
                padding=self.padding if of_inputs else "same",
                data_format=self.data_format,
                dilation_rate=self.dilation_rate if of_inputs else 1,
            )
            for image, part, own in zip(given, kernels, biases, strict=True)
        ]
        return made[0] if count == 1 else ops.concatenate(made, axis=self._channel_axis)

    def runs_sequences(self) -> bool:
        """Never: the inputs of all steps would be as large as four states of all."""
        return False


class _ConvLSTM(CellRNN):
    config_reads: ClassVar[Mapping[str, str]] = {
        **{name: own for name, own in CellRNN.config_reads.items() if name != "units"},
        **{
            name: name
            for name in "filters kernel_size strides padding data_format dilation_rate "
            "recurrent_activation unit_forget_bias unroll".split()
        },
    }
    rank: ClassVar[int]

    filters = OfCell()
    kernel_size = OfCell()
    strides = OfCell()
    padding = OfCell()
    data_format = OfCell()
    dilation_rate = OfCell()
    recurrent_activation = OfCell()
    unit_forget_bias = OfCell()

    def __init__(
        self,
        filters: int,
        kernel_size: Window,
        strides: Window = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Window = 1,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Unpack[RNNOptions],
    ) -> None:
        cell = ConvLSTMCell(
            self.rank,
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            **cell_options(kwargs, "conv_lstm_cell"),
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=self.rank + 3)


class ConvLSTM1D(_ConvLSTM):
    """Long short-term memory of sequences of lines: an LSTM by convolutions.

    Args:
        filters: number of channels of state and output.
        kernel_size: int of the window.
        strides: int, distance of the windows of the inputs.
        padding: `"valid"` or `"same"`, of the inputs; the state is padded to keep its size.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: int, distance of the kernel's cells over the inputs.
        activation: name or function of the candidate and of the carry.
        recurrent_activation: name or function of the gates.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of W, `(*kernel_size, channels, 4 * filters)`.
        recurrent_initializer: initializer of U, `(*kernel_size, filters, 4 * filters)`.
        bias_initializer: initializer of the bias `(4 * filters,)`.
        unit_forget_bias: the bias of the forget gate begins with ones.
        kernel_regularizer: penalty of W.
        recurrent_regularizer: penalty of U.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to W after each update.
        recurrent_constraint: applied to U after each update.
        bias_constraint: applied to the bias after each update.
        dropout: part of the inputs to drop in training, in [0, 1]; the same at all steps.
        recurrent_dropout: part of the state to drop in training, in its convolution.
        seed: int, for dropout.
        return_sequences: whether to return the outputs of all steps, instead of the last one.
        return_state: whether to return the last state and carry as well.
        go_backwards: whether to begin with the last step; outputs come in that order.
        stateful: whether the last states are the first ones of the next batch.

    Call arguments: `sequences`, `initial_state`, a list of state and carry, `mask`, bool
    `(batch, steps)`: where it is False, a step is skipped; `training`.

    Input shape: `(batch, steps, length, channels)`, or channels behind the steps.
    Output shape: `(batch, length, filters)` with new sizes, with `return_sequences` that
    of each step behind `(batch, steps)`; with `return_state` a tuple of it, of state and carry.

    Example:
        >>> import nkeras
        >>> ConvLSTM1D(4, 3)(nkeras.ops.ones((2, 5, 8, 3))).shape
        (2, 6, 4)

    Source: Shi et al. 2015, https://arxiv.org/abs/1506.04214. With a mask Keras 3.15 errs on JAX.
    """

    rank = 1


class ConvLSTM2D(_ConvLSTM):
    """Long short-term memory of sequences of images, such as films: an LSTM by convolutions.

    Args:
        filters: number of channels of state and output.
        kernel_size: int or 2 ints of the window.
        strides: int or 2 ints, distance of the windows of the inputs.
        padding: `"valid"` or `"same"`, of the inputs; the state is padded to keep its size.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: int or 2 ints, distance of the kernel's cells over the inputs.
        activation: name or function of the candidate and of the carry.
        recurrent_activation: name or function of the gates.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of W, `(*kernel_size, channels, 4 * filters)`.
        recurrent_initializer: initializer of U, `(*kernel_size, filters, 4 * filters)`.
        bias_initializer: initializer of the bias `(4 * filters,)`.
        unit_forget_bias: the bias of the forget gate begins with ones.
        kernel_regularizer: penalty of W.
        recurrent_regularizer: penalty of U.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to W after each update.
        recurrent_constraint: applied to U after each update.
        bias_constraint: applied to the bias after each update.
        dropout: part of the inputs to drop in training, in [0, 1]; the same at all steps.
        recurrent_dropout: part of the state to drop in training, in its convolution.
        seed: int, for dropout.
        return_sequences: whether to return the outputs of all steps, instead of the last one.
        return_state: whether to return the last state and carry as well.
        go_backwards: whether to begin with the last step; outputs come in that order.
        stateful: whether the last states are the first ones of the next batch.

    Call arguments: `sequences`, `initial_state`, a list of state and carry, `mask`, bool
    `(batch, steps)`: where it is False, a step is skipped; `training`.

    Input shape: `(batch, steps, height, width, channels)`, or channels behind the steps.
    Output shape: `(batch, height, width, filters)` with new sizes, with `return_sequences` that
    of each step behind `(batch, steps)`; with `return_state` a tuple of it, of state and carry.

    Example:
        >>> import nkeras
        >>> ConvLSTM2D(4, 3)(nkeras.ops.ones((2, 5, 8, 7, 3))).shape
        (2, 6, 5, 4)

    Source: Shi et al. 2015, https://arxiv.org/abs/1506.04214. With a mask Keras 3.15 errs on JAX.
    """

    rank = 2


class ConvLSTM3D(_ConvLSTM):
    """Long short-term memory of sequences of volumes: an LSTM by convolutions.

    Args:
        filters: number of channels of state and output.
        kernel_size: int or 3 ints of the window.
        strides: int or 3 ints, distance of the windows of the inputs.
        padding: `"valid"` or `"same"`, of the inputs; the state is padded to keep its size.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: int or 3 ints, distance of the kernel's cells over the inputs.
        activation: name or function of the candidate and of the carry.
        recurrent_activation: name or function of the gates.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of W, `(*kernel_size, channels, 4 * filters)`.
        recurrent_initializer: initializer of U, `(*kernel_size, filters, 4 * filters)`.
        bias_initializer: initializer of the bias `(4 * filters,)`.
        unit_forget_bias: the bias of the forget gate begins with ones.
        kernel_regularizer: penalty of W.
        recurrent_regularizer: penalty of U.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to W after each update.
        recurrent_constraint: applied to U after each update.
        bias_constraint: applied to the bias after each update.
        dropout: part of the inputs to drop in training, in [0, 1]; the same at all steps.
        recurrent_dropout: part of the state to drop in training, in its convolution.
        seed: int, for dropout.
        return_sequences: whether to return the outputs of all steps, instead of the last one.
        return_state: whether to return the last state and carry as well.
        go_backwards: whether to begin with the last step; outputs come in that order.
        stateful: whether the last states are the first ones of the next batch.

    Call arguments: `sequences`, `initial_state`, a list of state and carry, `mask`, bool
    `(batch, steps)`: where it is False, a step is skipped; `training`.

    Input shape: `(batch, steps, depth, height, width, channels)`, or channels behind the steps.
    Output shape: `(batch, depth, height, width, filters)` with new sizes, with `return_sequences`
    that of each step behind `(batch, steps)`; with `return_state` a tuple of it, state and carry.

    Example:
        >>> import nkeras
        >>> ConvLSTM3D(4, 3)(nkeras.ops.ones((2, 5, 4, 8, 7, 3))).shape
        (2, 2, 6, 5, 4)

    Source: Shi et al. 2015, https://arxiv.org/abs/1506.04214. With a mask Keras 3.15 errs on JAX.
    """

    rank = 3
