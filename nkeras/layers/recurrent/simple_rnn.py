"""SimpleRNNCell and SimpleRNN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nkeras import ops
from nkeras.core.configurable import ANY
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    ActivationLike,
    AllLayerOptions,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Unpack,
)
from nkeras.core.variable import Variable
from nkeras.layers.activation import ActivationOption
from nkeras.layers.recurrent.cell import Cell, first_of, is_tanh
from nkeras.layers.recurrent.rnn import CellRNN, RNNOptions, cell_options
from nkeras.ops.simple_rnn import simple_rnn


class SimpleRNNCell(Cell):
    """A step of a fully connected recurrence: `activation(inputs @ W + bias + state @ U)`.

    Args:
        units: size of state and output.
        activation: name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of W, `(features, units)`.
        recurrent_initializer: initializer of U, `(units, units)`.
        bias_initializer: initializer of the bias `(units,)`.
        kernel_regularizer: penalty of W.
        recurrent_regularizer: penalty of U.
        bias_regularizer: penalty of the bias.
        kernel_constraint: applied to W after each update.
        recurrent_constraint: applied to U after each update.
        bias_constraint: applied to the bias after each update.
        dropout: part of the inputs to drop in training, in [0, 1].
        recurrent_dropout: part of the state to drop in training, in its product.
        seed: int, for dropout.

    Call arguments: `sequence` `(batch, features)`, `states`, a list of `(batch, units)`,
    `training`.

    Output: `(output, states)`, where the output `(batch, units)` is the new state.

    Example:
        >>> import nkeras
        >>> y, states = SimpleRNNCell(4)(nkeras.ops.ones((2, 3)), [nkeras.ops.zeros((2, 4))])
        >>> y.shape, len(states)
        ((2, 4), 1)

    Source: https://keras.io/api/layers/recurrent_layers/simple_rnn_cell/
    """

    activation: ActivationOption = ActivationOption()

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
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
        self.activation = activation
        options = {
            "kernel": (kernel_initializer, kernel_regularizer, kernel_constraint),
            "recurrent": (recurrent_initializer, recurrent_regularizer, recurrent_constraint),
            "bias": (bias_initializer, bias_regularizer, bias_constraint),
        }
        self._set_cell(units, use_bias, options, dropout, recurrent_dropout, seed, 2)

    def call(
        self, sequence: Tensor, states: Sequence[Tensor], training: bool = False
    ) -> tuple[Tensor, Any]:
        """The output and the new states."""
        z = self._projected(self._with_holes(sequence, training))
        output, new = self._advance(z, [first_of(states)], training)
        return output, new if isinstance(states, (list, tuple)) else new[0]

    def _advance(
        self, z: Tensor, states: Sequence[Tensor], training: bool
    ) -> tuple[Tensor, list[Tensor]]:
        output = self.activation(ops.add(z, self._through(states[0], training)))
        return output, [output]

    def _has_usual_functions(self) -> bool:
        return is_tanh(self.activation)

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
        return simple_rnn(x, states[0], *weights, mask, dropout, reverse=reverse)


class SimpleRNN(CellRNN):
    """A fully connected recurrence, run over sequences: see `SimpleRNNCell`.

    With the usual activation, tanh, all steps are one operation, forward and backward.

    Args:
        units: size of state and output.
        activation: name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of W, `(features, units)`.
        recurrent_initializer: initializer of U, `(units, units)`.
        bias_initializer: initializer of the bias `(units,)`.
        kernel_regularizer: penalty of W.
        recurrent_regularizer: penalty of U.
        bias_regularizer: penalty of the bias.
        activity_regularizer: penalty of the output.
        kernel_constraint: applied to W after each update.
        recurrent_constraint: applied to U after each update.
        bias_constraint: applied to the bias after each update.
        dropout: part of the inputs to drop in training, in [0, 1]; the same at all steps.
        recurrent_dropout: part of the state to drop in training, in its product.
        return_sequences: whether to return the outputs of all steps, instead of the last one.
        return_state: whether to return the last state as well.
        go_backwards: whether to begin with the last step; outputs come in that order.
        stateful: whether the last states are the first ones of the next batch.
        unroll: accepted for Keras' sake: numbers are the same.
        seed: int, for dropout.

    `zero_output_for_mask=True` makes outputs of masked steps 0, with `return_sequences`, as Keras'
    documentation says; Keras 3.15 zeroes a masked last output as well.

    Call arguments: `sequences`, `initial_state`, a list of tensors `(batch, units)`, `mask`, bool
    `(batch, steps)`: where it is False, a step is skipped; `training`.

    Input shape: `(batch, steps, features)`. Output shape: `(batch, units)`, with
    `return_sequences` `(batch, steps, units)`; with `return_state` a tuple of it
    and of the last state.

    Example:
        >>> import nkeras
        >>> SimpleRNN(4, return_sequences=True)(nkeras.ops.ones((2, 5, 3))).shape
        (2, 5, 4)

    Source: https://keras.io/api/layers/recurrent_layers/simple_rnn/. Keras 3.15 takes the activity
    regularizer and does not use it.
    """

    # Keras writes no seed.
    config_omits: ClassVar[Mapping[str, object]] = {**CellRNN.config_omits, "seed": ANY}

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Unpack[RNNOptions],
    ) -> None:
        cell = SimpleRNNCell(
            units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            **cell_options(kwargs, "simple_rnn_cell"),
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
