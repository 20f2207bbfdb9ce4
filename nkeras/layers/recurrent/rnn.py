"""RNN: a cell, run over sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nkeras import ops
from nkeras.core import graph, tree
from nkeras.core.configurable import ANY
from nkeras.core.errors import refuse, short
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    AllLayerOptions,
    Config,
    LayerOptions,
    Masks,
    Shapes,
    Structure,
    Unpack,
)
from nkeras.core.variable import Variable
from nkeras.layers.base import Layer
from nkeras.layers.building import Buildable
from nkeras.layers.calling import signature_of
from nkeras.layers.input_spec import InputSpec
from nkeras.layers.recurrent.stacked import StackedRNNCells, first_states
from nkeras.layers.recurrent.steps import run_steps


class RNNOptions(LayerOptions, total=False):
    """What recurrent layers take beside their own arguments."""

    zero_output_for_mask: bool
    implementation: int


class RNN(Layer):
    """Runs a cell over sequences.

    A cell is an object with `call(inputs, states)`, which gives the output and the new states of
    one step, and `state_size`, an int or a list of them; `output_size` and
    `get_initial_state(batch_size)` are used where it has them. With `training` in its signature it
    is told.

    The cells of nkeras with their usual functions, alone or stacked, run whole sequences as one
    operation; with others they multiply the inputs of all steps at once, and any other cell runs
    step by step.

    Where a mask `(batch, steps)` is False, states stay as they are and the output is the one
    before, as Keras says; at the first step that is the initial state.

    Args:
        cell: a cell, or a list of cells, which are stacked.
        return_sequences: whether to return the outputs of all steps, instead of the last one.
        return_state: whether to return the last states as well.
        go_backwards: whether to begin with the last step; outputs come in that order.
        stateful: whether the last states are the first ones of the next batch, which must have the
            same size. `reset_state()` sets them to 0.
        unroll: accepted for Keras' sake: numbers are the same, and a plan has all steps anyway.
        zero_output_for_mask: whether outputs of masked steps are 0, with `return_sequences`, as
            Keras' documentation says; Keras 3.15 zeroes a masked last output as well.

    Call arguments: `sequences` `(batch, steps, ...)`, `initial_state`, a list of tensors, `mask`,
    `training`.

    Output: `(batch, units)`, with `return_sequences` `(batch, steps, units)`; with `return_state` a
    tuple of that and of the last states.

    Raises:
        ValueError: the cell lacks something.

    Example:
        >>> import nkeras
        >>> class Sum(nkeras.Layer):
        ...     state_size = 3
        ...     def call(self, inputs, states):
        ...         total = states[0] + inputs
        ...         return total, [total]
        >>> RNN(Sum())(nkeras.ops.ones((1, 5, 3))).numpy()
        array([[5., 5., 5.]], dtype=float32)

    Source: https://keras.io/api/layers/recurrent_layers/rnn/
    """

    states: Any

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        owner = type(self).__name__
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        for name in ("call", "state_size"):
            if not hasattr(cell, name):
                refuse("cell", cell, f"an object with `{name}`", owner)
        size: Any = cell.state_size
        if not isinstance(size, (list, tuple, int)):
            refuse("cell", cell, "an object whose `state_size` is an int or a list", owner)
        super().__init__(**kwargs)
        self.zero_output_for_mask = zero_output_for_mask
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.supports_masking = True
        self.single_state = isinstance(size, int)
        self.state_size = [size] if isinstance(size, int) else list(size)
        self._set_states(None)

    def _set_states(self, states: Structure) -> None:
        # Not among the weights, as in Keras: a file does not have them.
        self.__dict__["states"] = states

    # Keras' names: the shapes of the arguments of `call`.
    def build(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, sequences_shape: Shapes, initial_state_shape: Shapes = None
    ) -> None:
        """Build the cell, and make the states of a stateful layer."""
        cell = self.cell
        if isinstance(cell, Layer) and not cell.built and type(cell).build is not Buildable.build:
            cell.build((sequences_shape[0], *sequences_shape[2:]))
        if self.stateful and self.states is None:
            if sequences_shape[0] is None:
                raise ValueError(
                    f"{type(self).__name__}: `stateful=True` needs a known batch size: pass "
                    "`batch_size` or `batch_shape` to `Input`. Received: "
                    f"sequences of shape {short(tuple(sequences_shape))}"
                )
            self._make_states(int(sequences_shape[0]))

    def _make_states(self, batch_size: int) -> None:
        # Traced, so that none is made before the variable wants its value.
        symbolic = graph.infer_outputs(lambda: self.get_initial_state(batch_size), (), {})

        def variable(number: int, shape: Sequence[int]) -> Variable:
            def first(shape: Sequence[int], dtype: str) -> Any:
                return tree.flatten(self.get_initial_state(batch_size))[number]

            return Variable(
                first, shape, trainable=False, dtype=self.variable_dtype, name="rnn_state"
            )

        states = [variable(i, one.shape) for i, one in enumerate(tree.flatten(symbolic))]
        self._set_states(tree.pack_sequence_as(symbolic, states))

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The states before the first step.

        Args:
            batch_size: number of sequences.
        """
        return first_states(self.cell, batch_size, self.compute_dtype)

    def reset_state(self) -> None:
        """Set the states of a stateful layer to 0."""
        for state in tree.flatten(self.states or []):
            state.assign(ops.zeros_like(state))

    def reset_states(self) -> None:
        """The same, under its former name."""
        self.reset_state()

    def inner_loop(
        self, sequences: Tensor, initial_state: Structure, mask: Masks, training: bool = False
    ) -> tuple[Tensor, Tensor | None, Structure]:
        """All steps.

        Args:
            sequences: `(batch, steps, ...)`.
            initial_state: list of states.
            mask: bool `(batch, steps)` or None.
            training: told to the cell.

        Returns:
            The last output, all outputs in the order in which they came (None where nobody wants
            them), and the last states.
        """
        cell = self.cell
        if mask is not None and mask.dtype != "bool":
            mask = ops.cast(mask, "bool")
        zeros = self.zero_output_for_mask and self.return_sequences
        if runs_sequences(cell):
            y, states = cell.run_sequence(
                sequences, initial_state, mask, self.go_backwards, bool(training)
            )
            last = tree.flatten(states[-1])[0] if _is_stacked(cell) else states[0]
            if not self.return_sequences:
                return last, None, states
            if zeros and mask is not None:
                y = ops.where(ops.expand_dims(mask, -1), y, 0)
            return last, ops.flip(y, axis=1) if self._is_flipped else y, states
        told = {"training": training} if _is_told(cell) else {}

        def step(inputs: Tensor, states: Structure) -> tuple[Tensor, Structure]:
            output, new = cell(inputs, states, **told)
            return output, new if tree.is_nested(new) else [new]

        last, y, states = run_steps(
            step, sequences, initial_state, mask, reverse=self.go_backwards, zero_output=zeros
        )
        return last, ops.flip(y, axis=1) if self._is_flipped else y, states

    @property
    def _is_flipped(self) -> bool:
        """Whether outputs come in another order than their steps."""
        return self.go_backwards and self.return_sequences

    def call(
        self,
        sequences: Tensor,
        initial_state: Structure = None,
        mask: Masks = None,
        training: bool = False,
    ) -> Any:
        """The last output or all, and the last states."""
        if initial_state is None:
            initial_state = self.states if self.stateful else None
        if initial_state is None:
            initial_state = self.get_initial_state(sequences.shape[0])
        elif not tree.is_nested(initial_state):
            initial_state = [initial_state]
        self._check_states(sequences, initial_state)
        dtype = self.cell.compute_dtype if isinstance(self.cell, Layer) else self.compute_dtype
        states = tree.map_structure(lambda state: _cast(state, dtype), list(initial_state))
        masks = tree.flatten(mask)
        try:
            last, outputs, states = self.inner_loop(
                sequences, states, masks[0] if masks else None, training
            )
        finally:
            _reset_holes(self.cell)
        if self.stateful:
            self._keep(states)
        output = outputs if self.return_sequences else last
        output = _cast(output, self.compute_dtype)
        if self.return_state:
            return output, *(
                tree.map_structure(lambda state: _cast(state, self.compute_dtype), one)
                for one in states
            )
        return output

    def _check_states(self, sequences: Tensor, states: Structure) -> None:
        for state in tree.flatten(states):
            if state.shape[0] != sequences.shape[0]:
                what = "the states that it keeps" if self.stateful else "`initial_state`"
                raise ValueError(
                    f"{type(self).__name__}: {what} must be of as many sequences as the input. "
                    f"Received: {sequences.shape[0]} sequences, states of {state.shape[0]}"
                )

    def _keep(self, states: Structure) -> None:
        for variable, state in zip(tree.flatten(self.states), tree.flatten(states), strict=True):
            if not isinstance(state, KerasTensor):
                variable.assign(_cast(state, variable.dtype))

    def compute_mask(self, inputs: Structure, previous_mask: Masks) -> Masks:
        """The mask of the outputs of all steps; last outputs and states have none."""
        masks = tree.flatten(previous_mask)
        mask = masks[0] if masks and self.return_sequences else None
        return [mask] + [None for _ in self.state_size] if self.return_state else mask


def runs_sequences(cell: Any) -> bool:
    """Whether a cell can run whole sequences."""
    return hasattr(cell, "runs_sequences") and cell.runs_sequences()


def _is_stacked(cell: object) -> bool:
    return isinstance(cell, StackedRNNCells)


def _is_told(cell: Any) -> bool:
    """Whether the cell wants to know of `training`."""
    return isinstance(cell, Layer) and signature_of(type(cell).call).has_training


def _reset_holes(cell: Any) -> None:
    """Dropout has the same holes at all steps of a sequence, and others next time."""
    for one in cell.cells if _is_stacked(cell) else [cell]:
        if hasattr(one, "reset_dropout_mask"):
            one.reset_dropout_mask()
            one.reset_recurrent_dropout_mask()


def _cast(value: Any, dtype: str) -> Any:
    tensor = to_tensor(value)
    return tensor if tensor.dtype == dtype else ops.cast(tensor, dtype)


class OfCell:
    """An attribute of the layer's cell, as one of the layer."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        """The cell's value."""
        return self if layer is None else getattr(layer.cell, self.name)

    def __set__(self, layer: Any, value: object) -> None:
        """Set the cell's value."""
        setattr(layer.cell, self.name, value)


class CellRNN(RNN):
    """A recurrent layer that makes its cell from its own arguments."""

    config_reads: ClassVar[Mapping[str, str]] = {
        **RNN.config_reads,
        **{
            name: name
            for name in "units activation use_bias kernel_initializer recurrent_initializer "
            "bias_initializer kernel_regularizer recurrent_regularizer bias_regularizer "
            "kernel_constraint recurrent_constraint bias_constraint dropout recurrent_dropout "
            "seed zero_output_for_mask".split()
        },
    }
    config_omits: ClassVar[Mapping[str, object]] = {
        "autocast": ANY,
        "cell": ANY,
        "implementation": ANY,
        "use_cudnn": ANY,
    }
    units = OfCell()
    activation = OfCell()
    use_bias = OfCell()
    kernel_initializer = OfCell()
    recurrent_initializer = OfCell()
    bias_initializer = OfCell()
    kernel_regularizer = OfCell()
    recurrent_regularizer = OfCell()
    bias_regularizer = OfCell()
    kernel_constraint = OfCell()
    recurrent_constraint = OfCell()
    bias_constraint = OfCell()
    dropout = OfCell()
    recurrent_dropout = OfCell()
    seed = OfCell()

    def __init__(self, cell: Layer, **options: Any) -> None:
        super().__init__(cell, **options)
        self.input_spec = InputSpec(ndim=3)


def cell_options(kwargs: RNNOptions, name: str) -> Config:
    """Of a layer's further arguments, those of its cell; what is the cell's alone is taken out."""
    given: Config = {"name": name, "dtype": kwargs.get("dtype")}
    given["trainable"] = kwargs.get("trainable", True)
    if "implementation" in kwargs:
        given["implementation"] = kwargs.pop("implementation")
    return given
