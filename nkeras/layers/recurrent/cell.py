"""What the cells, one step of a recurrent layer each, have in common.

A cell whose functions are the usual ones also knows how to run a whole sequence at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nkeras import activations, ops
from nkeras.core import observer
from nkeras.core.configurable import ANY
from nkeras.core.python_values import is_of_users
from nkeras.core.random import SeedGenerator
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    AllLayerOptions,
    ConstraintLike,
    InitializerLike,
    PartialShape,
    RegularizerLike,
)
from nkeras.core.variable import Variable, autocast_scope
from nkeras.layers.arguments import positive_int
from nkeras.layers.base import Layer
from nkeras.layers.recurrent.steps import run_steps
from nkeras.ops.random import dropout as dropped

Holes = list[Tensor]
"""Random factors of inputs or of a state, for each gate or one for all."""


class CellOptions(AllLayerOptions, total=False):
    """What LSTM and GRU cells take beside their own arguments."""

    implementation: int


class _Kept:
    """The holes of one sequence, which are the same at all steps."""

    def __init__(self) -> None:
        self.inputs: Holes | None = None
        self.state: Holes | None = None


class Cell(Layer):
    """What the cells share: weights, dropout, and a whole sequence as one primitive."""

    config_omits: ClassVar[Mapping[str, object]] = {**Layer.config_omits, "implementation": ANY}
    gates: ClassVar[int] = 1

    units: int
    bias: Variable | None
    implementation: int
    bias_initializer: Any
    bias_regularizer: Any
    bias_constraint: Any

    def _set_cell(
        self,
        units: int,
        use_bias: bool,
        options: Mapping[str, tuple[InitializerLike, RegularizerLike, ConstraintLike]],
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        implementation: int,
    ) -> None:
        self.units = positive_int(units, "units", type(self).__name__)
        self.use_bias = use_bias
        for name, given in options.items():
            self._set_options(name, *given)
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))
        # Keras draws holes for each gate where the state has some.
        self.implementation = 1 if recurrent_dropout != 0.0 else implementation
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)
        self.output_size = self.units
        self._kept = _Kept()

    def build(self, input_shape: PartialShape) -> None:
        """Make kernel, recurrent kernel and bias."""
        columns = self.gates * self.units
        self.kernel = self.add_weight("kernel", (input_shape[-1], columns))
        self.recurrent_kernel = self.add_weight("recurrent_kernel", (self.units, columns))
        self.bias = self._add_bias(columns) if self.use_bias else None

    def _add_bias(self, columns: int) -> Variable:
        return self.add_weight("bias", (columns,))

    def get_initial_state(self, batch_size: int | None = None) -> list[Tensor]:
        """Zeros for the first step.

        Args:
            batch_size: number of sequences.
        """
        sizes: Any = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [ops.zeros((batch_size or 1, size), self.compute_dtype) for size in sizes]

    @property
    def state_size(self) -> int | list[int]:
        """Units of the state, or of each state."""
        return self.units

    # Dropout.

    def get_dropout_mask(self, step_input: Tensor) -> Any:
        """Factors of the inputs: 0, or larger than 1; the same until they are reset.

        Args:
            step_input: inputs of a step.

        Returns:
            None without dropout; a list with one for each gate where the gates have their own.
        """
        if self.dropout > 0 and not _fit(self._kept.inputs, step_input):
            self._kept.inputs = self._holes(step_input, self.dropout, self._gates_of_inputs)
        return self._as_keras(self._kept.inputs, self._gates_of_inputs)

    def get_recurrent_dropout_mask(self, step_input: Tensor) -> Any:
        """Factors of the state, as `get_dropout_mask` has them of the inputs.

        Args:
            step_input: the state of a step.
        """
        if self.recurrent_dropout > 0 and not _fit(self._kept.state, step_input):
            self._kept.state = self._holes(step_input, self.recurrent_dropout, self.gates)
        return self._as_keras(self._kept.state, self.gates)

    def reset_dropout_mask(self) -> None:
        """Draw other factors of the inputs next time."""
        self._kept.inputs = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Draw other factors of the state next time."""
        self._kept.state = None

    @property
    def _gates_of_inputs(self) -> int:
        """How many factors of the inputs there are."""
        return self.gates if self.implementation == 1 else 1

    def _holes(self, like: Tensor, rate: float, count: int) -> Holes:
        ones = ops.ones_like(like)
        return [dropped(ones, rate, seed=self.seed_generator) for _ in range(count)]

    def _as_keras(self, holes: Holes | None, count: int) -> Any:
        return holes if holes is None or count > 1 else holes[0]

    def _state_holes(self, state: Tensor, training: bool) -> Holes | None:
        if not training or self.recurrent_dropout == 0:
            return None
        self.get_recurrent_dropout_mask(state)
        return self._kept.state

    def _with_holes(self, inputs: Tensor, training: bool) -> Holes:
        """The inputs of the gates: one for all, or one for each."""
        if not training or self.dropout == 0:
            return [inputs]
        self.get_dropout_mask(inputs)
        return [ops.multiply(inputs, holes) for holes in self._kept.inputs or []]

    def _through(self, state: Tensor, training: bool) -> Tensor:
        """`state @ recurrent_kernel`, with dropout of the state."""
        holes = self._state_holes(state, training)
        given = [state] if holes is None else [ops.multiply(state, one) for one in holes]
        return product(given, self.recurrent_kernel)

    # Whole sequences.

    def runs_sequences(self) -> bool:
        """Whether `run_sequence` does what `call` does at each step."""
        return not is_of_users(type(self)) and self.activity_regularizer is None

    def _has_usual_functions(self) -> bool:
        raise NotImplementedError

    def run_sequence(
        self,
        sequences: Tensor,
        states: Sequence[Tensor],
        mask: Tensor | None,
        reverse: bool,
        training: bool,
    ) -> tuple[Tensor, list[Tensor]]:
        """All steps: one primitive for the usual functions, else one product of all inputs first.

        Args:
            sequences: `(batch, time, features)`.
            states: the states before.
            mask: bool `(batch, time)`: the state stays where it is False.
            reverse: begin with the last step.
            training: whether there is dropout.

        Returns:
            The first state after each step, `(batch, time, units)`, where its step stands, and
            the last states.
        """
        recorder = observer.active()
        if recorder is not None:
            recorder.guard.meet(self)
        with autocast_scope(self.compute_dtype if self.autocast else None):
            x, *first = (ops.cast(one, self.compute_dtype) for one in (sequences, *states))
            given = [x]
            if training and self.dropout > 0:
                self.get_dropout_mask(ops.ones((x.shape[0], x.shape[2]), x.dtype))
                given = [ops.multiply(x, ops.expand_dims(h, 1)) for h in self._kept.inputs or []]
            if not self._has_usual_functions():
                return self._run_steps(given, first, mask, reverse, training)
            kernel: Any = self.kernel
            x = given[0]
            if len(given) > 1:
                x, kernel = product(given, kernel), None
            holes = self._state_holes(first[0], training)
            dropout = None if holes is None else ops.stack(holes)
            made = self._whole(x, first, kernel, mask, dropout, reverse)
        return made[0], list(made[1 : 1 + len(first)])

    def _run_steps(
        self,
        given: Holes,
        states: list[Tensor],
        mask: Tensor | None,
        reverse: bool,
        training: bool,
    ) -> tuple[Tensor, list[Tensor]]:
        def step(z: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
            return self._advance(z, states, training)

        z = self._projected(given)
        _, y, last = run_steps(step, z, states, mask, reverse=reverse, zero_output=False)
        return y, last

    def _projected(self, given: Holes) -> Tensor:
        """What the gates get from the inputs: of all, or of each."""
        z = product(given, self.kernel)
        return z if self.bias is None else ops.add(z, self.bias)

    def _advance(
        self, z: Tensor, states: Sequence[Tensor], training: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """Output and new states, from what the gates get from the inputs."""
        raise NotImplementedError

    def _whole(
        self,
        x: Tensor,
        states: Sequence[Tensor],
        kernel: Variable | None,
        mask: Tensor | None,
        dropout: Tensor | None,
        reverse: bool,
    ) -> tuple[Tensor, ...]:
        raise NotImplementedError


def _fit(holes: Holes | None, like: Tensor) -> bool:
    """Whether holes are there for tensors of this shape."""
    return holes is not None and type(holes[0]) is type(like) and holes[0].shape == like.shape


def product(given: Holes, kernel: Variable) -> Tensor:
    """`given @ kernel`, of several inputs each with its own columns of the kernel."""
    if len(given) == 1:
        return ops.matmul(given[0], kernel)
    blocks = ops.split(kernel, len(given), axis=1)
    return ops.concatenate(
        [ops.matmul(one, block) for one, block in zip(given, blocks, strict=True)], axis=-1
    )


def is_tanh(function: object) -> bool:
    """Whether an activation is tanh."""
    return function is activations.tanh or function is ops.tanh


def is_sigmoid(function: object) -> bool:
    """Whether an activation is the sigmoid function."""
    return function is activations.sigmoid or function is ops.sigmoid


def first_of(states: Any) -> Any:
    """The first state; Keras' cells also take one alone."""
    return states[0] if isinstance(states, (list, tuple)) else states
