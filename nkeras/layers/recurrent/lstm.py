"""LSTMCell and LSTM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nkeras import initializers, ops
from nkeras.core import dtypes
from nkeras.core.errors import refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    ActivationLike,
    ConstraintLike,
    DTypeLike,
    InitializerLike,
    RegularizerLike,
    ShapeLike,
    Unpack,
)
from nkeras.core.variable import Variable
from nkeras.layers.activation import ActivationOption
from nkeras.layers.recurrent.cell import Cell, CellOptions, is_sigmoid, is_tanh
from nkeras.layers.recurrent.rnn import CellRNN, OfCell, RNNOptions, cell_options
from nkeras.ops.lstm import lstm


class LSTMCell(Cell):
    """A step of long short-term memory.

    With `i, f, c, o` the quarters of `z = inputs @ W + state @ U + bias`, the new carry is
    `sigmoid(f) * carry + sigmoid(i) * tanh(c)`, the output `sigmoid(o) * tanh(carry)`.

    Args:
        units: size of state, carry and output.
        activation: name or function of the candidate and of the carry (tanh above).
        recurrent_activation: name or function of the gates (sigmoid above).
        use_bias: whether to add a bias.
        kernel_initializer: initializer of W, `(features, 4 * units)`.
        recurrent_initializer: initializer of U, `(units, 4 * units)`.
        bias_initializer: initializer of the bias `(4 * units,)`.
        unit_forget_bias: the bias of the forget gate begins with ones.
        kernel_regularizer: penalty of W.
        recurrent_regularizer: penalty of U.
        bias_regularizer: penalty of the bias.
        kernel_constraint: applied to W after each update.
        recurrent_constraint: applied to U after each update.
        bias_constraint: applied to the bias after each update.
        dropout: part of the inputs to drop in training, in [0, 1].
        recurrent_dropout: part of the state to drop in training, in its product.
        seed: int, for dropout.

    `implementation=1` draws dropout of the inputs for each gate.

    Call arguments: `inputs` `(batch, features)`, `states`, a list of state and carry
    `(batch, units)`, `training`.

    Output: `(output, [state, carry])`, where the output is the new state.

    Example:
        >>> import nkeras
        >>> zeros = nkeras.ops.zeros((2, 4))
        >>> y, states = LSTMCell(4)(nkeras.ops.ones((2, 3)), [zeros, zeros])
        >>> y.shape, len(states)
        ((2, 4), 2)

    Source: Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735
    """

    gates = 4

    activation: ActivationOption = ActivationOption()
    recurrent_activation: ActivationOption = ActivationOption()

    def __init__(
        self,
        units: int,
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
        **kwargs: Unpack[CellOptions],
    ) -> None:
        implementation = kwargs.pop("implementation", 2)
        super().__init__(**kwargs)
        self.activation = activation
        self.recurrent_activation = recurrent_activation
        self.unit_forget_bias = unit_forget_bias
        options = {
            "kernel": (kernel_initializer, kernel_regularizer, kernel_constraint),
            "recurrent": (recurrent_initializer, recurrent_regularizer, recurrent_constraint),
            "bias": (bias_initializer, bias_regularizer, bias_constraint),
        }
        self._set_cell(units, use_bias, options, dropout, recurrent_dropout, seed, implementation)

    @property
    def state_size(self) -> list[int]:
        """Units of state and carry."""
        return [self.units, self.units]

    def _add_bias(self, columns: int) -> Variable:
        return forget_bias(self, columns) if self.unit_forget_bias else super()._add_bias(columns)

    def call(
        self, inputs: Tensor, states: Sequence[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """The output and the new states."""
        z = self._projected(self._with_holes(inputs, training))
        return self._advance(z, states, training)

    def _advance(
        self, z: Tensor, states: Sequence[Tensor], training: bool
    ) -> tuple[Tensor, list[Tensor]]:
        state, carry = states
        z = ops.add(z, self._through(state, training))
        i, f, c, o = ops.split(z, 4, axis=-1)
        i, f = self.recurrent_activation(i), self.recurrent_activation(f)
        carry = ops.add(ops.multiply(f, carry), ops.multiply(i, self.activation(c)))
        output = ops.multiply(self.recurrent_activation(o), self.activation(carry))
        return output, [output, carry]

    def _has_usual_functions(self) -> bool:
        return is_tanh(self.activation) and is_sigmoid(self.recurrent_activation)

    def _whole(
        self,
        x: Tensor,
        states: Sequence[Tensor],
        kernel: Variable | None,
        mask: Tensor | None,
        dropout: Tensor | None,
        reverse: bool,
    ) -> tuple[Tensor, ...]:
        weights = kernel, self.recurrent_kernel, self.bias
        return lstm(x, *states, *weights, mask, dropout, reverse=reverse)


def forget_bias(cell: Cell, columns: int) -> Variable:
    """A bias that begins with ones for the forget gate."""
    return cell.add_weight(
        shape=(columns,),
        initializer=ForgetBias(cell.bias_initializer),
        regularizer=cell.bias_regularizer,
        constraint=cell.bias_constraint,
        name="bias",
    )


class ForgetBias:
    """The initializer of an LSTM's bias: ones for the forget gate, another one for the others."""

    def __init__(self, initializer: Any) -> None:
        self.initializer = initializer

    def __call__(self, shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
        """The bias of all gates."""
        units = shape[0] // 4
        first, last = (self.initializer((size,), dtype=dtype) for size in (units, 2 * units))
        ones = initializers.Ones()((units,), dtype=dtypes.standardize(dtype))
        return ops.concatenate([first, ones, last])


class LSTM(CellRNN):
    """Long short-term memory, run over sequences: see `LSTMCell`.

    With the usual activations, tanh and sigmoid, all steps are one operation, forward and backward.

    Args:
        units: size of state, carry and output.
        activation: name or function of the candidate and of the carry.
        recurrent_activation: name or function of the gates.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of W, `(features, 4 * units)`.
        recurrent_initializer: initializer of U, `(units, 4 * units)`.
        bias_initializer: initializer of the bias `(4 * units,)`.
        unit_forget_bias: the bias of the forget gate begins with ones.
        kernel_regularizer: penalty of W.
        recurrent_regularizer: penalty of U.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to W after each update.
        recurrent_constraint: applied to U after each update.
        bias_constraint: applied to the bias after each update.
        dropout: part of the inputs to drop in training, in [0, 1]; the same at all steps.
        recurrent_dropout: part of the state to drop in training, in its product.
        seed: int, for dropout.
        return_sequences: whether to return the outputs of all steps, instead of the last one.
        return_state: whether to return the last state and carry as well.
        go_backwards: whether to begin with the last step; outputs come in that order.
        stateful: whether the last states are the first ones of the next batch.
        unroll: accepted for Keras' sake: numbers are the same.
        use_cudnn: accepted for Keras' sake: `"auto"`, True or False.

    `zero_output_for_mask=True` makes outputs of masked steps 0, with `return_sequences`, as Keras'
    documentation says; Keras 3.15 zeroes a masked last output as well.
    `implementation=1` draws dropout of the inputs for each gate.

    Call arguments: `sequences`, `initial_state`, a list of tensors `(batch, units)`, `mask`, bool
    `(batch, steps)`: where it is False, a step is skipped; `training`.

    Input shape: `(batch, steps, features)`. Output shape: `(batch, units)`, with
    `return_sequences` `(batch, steps, units)`; with `return_state` a tuple of it
    and of the last state and carry.

    Example:
        >>> import nkeras
        >>> LSTM(4, return_sequences=True)(nkeras.ops.ones((2, 5, 3))).shape
        (2, 5, 4)

    Source: Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735
    """

    config_reads: ClassVar[Mapping[str, str]] = {
        **CellRNN.config_reads,
        "recurrent_activation": "recurrent_activation",
        "unit_forget_bias": "unit_forget_bias",
    }
    recurrent_activation = OfCell()
    unit_forget_bias = OfCell()

    def __init__(
        self,
        units: int,
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
        unroll: bool = False,
        use_cudnn: str | bool = "auto",
        **kwargs: Unpack[RNNOptions],
    ) -> None:
        cell = LSTMCell(
            units,
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
            **cell_options(kwargs, "lstm_cell"),
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        if use_cudnn not in ("auto", True, False):
            refuse("use_cudnn", use_cudnn, '"auto", True or False', type(self).__name__)
        self.use_cudnn = use_cudnn
