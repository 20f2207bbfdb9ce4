"""GRUCell and GRU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nkeras import ops
from nkeras.core.errors import refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Unpack,
)
from nkeras.core.variable import Variable
from nkeras.layers.activation import ActivationOption
from nkeras.layers.recurrent.cell import (
    Cell,
    CellOptions,
    Holes,
    first_of,
    is_sigmoid,
    is_tanh,
    product,
)
from nkeras.layers.recurrent.rnn import CellRNN, OfCell, RNNOptions, cell_options
from nkeras.ops.gru import gru


class GRUCell(Cell):
    """A step of a gated recurrent unit.

    With update gate z and reset gate r, sigmoids of their thirds of `inputs @ W + state @ U`, and
    a candidate, tanh of its third where r has multiplied the state's product (`reset_after`) or
    the state in front of it, the new state is `z * state + (1 - z) * candidate`.

    Args:
        units: size of state and output.
        activation: name or function of the candidate (tanh above).
        recurrent_activation: name or function of the gates (sigmoid above).
        use_bias: whether to add a bias.
        kernel_initializer: initializer of W, `(features, 3 * units)`.
        recurrent_initializer: initializer of U, `(units, 3 * units)`.
        bias_initializer: initializer of the bias: `(2, 3 * units)`, for the products of inputs and
            state, with `reset_after`, else `(3 * units,)`.
        kernel_regularizer: penalty of W.
        recurrent_regularizer: penalty of U.
        bias_regularizer: penalty of the bias.
        kernel_constraint: applied to W after each update.
        recurrent_constraint: applied to U after each update.
        bias_constraint: applied to the bias after each update.
        dropout: part of the inputs to drop in training, in [0, 1].
        recurrent_dropout: part of the state to drop in training, in its product.
        reset_after: whether the reset gate comes after the product of the state.
        seed: int, for dropout.

    `implementation=1` draws dropout of the inputs for each gate.

    Call arguments: `inputs` `(batch, features)`, `states`, a list of `(batch, units)`, `training`.

    Output: `(output, states)`, where the output `(batch, units)` is the new state.

    Example:
        >>> import nkeras
        >>> y, states = GRUCell(4)(nkeras.ops.ones((2, 3)), [nkeras.ops.zeros((2, 4))])
        >>> y.shape, len(states)
        ((2, 4), 1)

    Source: Cho et al. 2014, https://arxiv.org/abs/1406.1078
    """

    gates = 3

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
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Unpack[CellOptions],
    ) -> None:
        implementation = kwargs.pop("implementation", 2)
        super().__init__(**kwargs)
        self.activation = activation
        self.recurrent_activation = recurrent_activation
        self.reset_after = reset_after
        options = {
            "kernel": (kernel_initializer, kernel_regularizer, kernel_constraint),
            "recurrent": (recurrent_initializer, recurrent_regularizer, recurrent_constraint),
            "bias": (bias_initializer, bias_regularizer, bias_constraint),
        }
        self._set_cell(units, use_bias, options, dropout, recurrent_dropout, seed, implementation)

    def _add_bias(self, columns: int) -> Variable:
        return self.add_weight("bias", (2, columns) if self.reset_after else (columns,))

    def call(
        self, inputs: Tensor, states: Sequence[Tensor], training: bool = False
    ) -> tuple[Tensor, Any]:
        """The output and the new states."""
        z = self._projected(self._with_holes(inputs, training))
        output, new = self._advance(z, [first_of(states)], training)
        return output, new if isinstance(states, (list, tuple)) else new[0]

    def _projected(self, given: Holes) -> Tensor:
        z = product(given, self.kernel)
        if self.bias is None:
            return z
        return ops.add(z, self.bias[0] if self.reset_after else self.bias)

    def _advance(
        self, z: Tensor, states: Sequence[Tensor], training: bool
    ) -> tuple[Tensor, list[Tensor]]:
        state = states[0]
        x_z, x_r, x_h = ops.split(z, 3, axis=-1)
        h_z, h_r, h_h = self._parts(state, training)
        update, r = self.recurrent_activation(x_z + h_z), self.recurrent_activation(x_r + h_r)
        if self.reset_after:
            candidate = self.activation(x_h + r * h_h)
        else:
            block = ops.split(self.recurrent_kernel, 3, axis=1)[2]
            candidate = self.activation(x_h + ops.matmul(r * h_h, block))
        output = update * state + (1.0 - update) * candidate
        return output, [output]

    def _parts(self, state: Tensor, training: bool) -> Sequence[Tensor]:
        """The products of the state for the gates, and what meets the reset gate."""
        if self.reset_after:
            through = self._through(state, training)
            through = through if self.bias is None else ops.add(through, self.bias[1])
            return ops.split(through, 3, axis=-1)
        holes = self._state_holes(state, training)
        given = [state] * 3 if holes is None else [state * one for one in holes]
        blocks = ops.split(self.recurrent_kernel, 3, axis=1)
        return ops.matmul(given[0], blocks[0]), ops.matmul(given[1], blocks[1]), given[2]

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
        static = {"reset_after": self.reset_after, "reverse": reverse}
        return gru(x, states[0], *weights, mask, dropout, **static)


class GRU(CellRNN):
    """Gated recurrent units, run over sequences: see `GRUCell`.

    With the usual activations, tanh and sigmoid, all steps are one operation, forward and backward.

    Args:
        units: size of state and output.
        activation: name or function of the candidate.
        recurrent_activation: name or function of the gates.
        use_bias: whether to add a bias.
        kernel_initializer: initializer of W, `(features, 3 * units)`.
        recurrent_initializer: initializer of U, `(units, 3 * units)`.
        bias_initializer: initializer of the bias: `(2, 3 * units)`, for the products of inputs and
            state, with `reset_after`, else `(3 * units,)`.
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
        return_state: whether to return the last state as well.
        go_backwards: whether to begin with the last step; outputs come in that order.
        stateful: whether the last states are the first ones of the next batch.
        unroll: accepted for Keras' sake: numbers are the same.
        reset_after: whether the reset gate comes after the product of the state.
        use_cudnn: accepted for Keras' sake: `"auto"`, True or False.

    `zero_output_for_mask=True` makes outputs of masked steps 0, with `return_sequences`, as Keras'
    documentation says; Keras 3.15 zeroes a masked last output as well.
    `implementation=1` draws dropout of the inputs for each gate.

    Call arguments: `sequences`, `initial_state`, a list of tensors `(batch, units)`, `mask`, bool
    `(batch, steps)`: where it is False, a step is skipped; `training`.

    Input shape: `(batch, steps, features)`. Output shape: `(batch, units)`, with
    `return_sequences` `(batch, steps, units)`; with `return_state` a tuple of it
    and of the last state.

    Example:
        >>> import nkeras
        >>> GRU(4, return_sequences=True)(nkeras.ops.ones((2, 5, 3))).shape
        (2, 5, 4)

    Source: Cho et al. 2014, https://arxiv.org/abs/1406.1078
    """

    config_reads: ClassVar[Mapping[str, str]] = {
        **CellRNN.config_reads,
        "recurrent_activation": "recurrent_activation",
        "reset_after": "reset_after",
    }
    recurrent_activation = OfCell()
    reset_after = OfCell()

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
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
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: str | bool = "auto",
        **kwargs: Unpack[RNNOptions],
    ) -> None:
        cell = GRUCell(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
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
            reset_after=reset_after,
            seed=seed,
            **cell_options(kwargs, "gru_cell"),
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
