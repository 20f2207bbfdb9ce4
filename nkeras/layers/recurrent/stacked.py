"""StackedRNNCells: cells one above the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nkeras import ops
from nkeras.core import tree
from nkeras.core.errors import refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, Shapes, Structure, Unpack
from nkeras.layers.base import Layer
from nkeras.layers.building import Buildable
from nkeras.layers.calling import signature_of


class StackedRNNCells(Layer):
    """Several cells as one: the output of each is the input of the next one.

    Args:
        cells: list of cells; see `nkeras.layers.RNN` for what a cell is.

    Call arguments: `inputs` `(batch, features)`, `states`, a list with the states of each cell,
    `training`.

    Output: `(output, states)`, where the output is that of the last cell.

    Raises:
        ValueError: a cell lacks something.

    Example:
        >>> import nkeras
        >>> cells = [nkeras.layers.LSTMCell(4), nkeras.layers.GRUCell(2)]
        >>> layer = nkeras.layers.RNN(StackedRNNCells(cells))
        >>> layer(nkeras.ops.ones((2, 5, 3))).shape
        (2, 2)

    Source: https://keras.io/api/layers/recurrent_layers/stacked_rnn_cell/
    """

    def __init__(self, cells: Sequence[Any], **kwargs: Unpack[AllLayerOptions]) -> None:
        super().__init__(**kwargs)
        for cell in cells:
            for name in ("call", "state_size"):
                if not hasattr(cell, name):
                    refuse("cells", cell, f"objects with `{name}`", type(self).__name__)
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """The sizes of all cells' states."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """The size of the last cell's output."""
        return output_size(self.cells[-1])

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The states before the first step, of each cell.

        Args:
            batch_size: number of sequences.
        """
        states: list[Any] = []
        for cell in self.cells:
            made = first_states(cell, batch_size, self.compute_dtype)
            single = isinstance(cell.state_size, int) and not hasattr(cell, "get_initial_state")
            states.append(made[0] if single else made)
        return states

    def build(self, input_shape: Shapes) -> None:
        """Build the cells."""
        for cell in self.cells:
            own = isinstance(cell, Layer) and type(cell).build is not Buildable.build
            if own and not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def call(
        self, inputs: Tensor, states: Structure, training: bool = False, **kwargs: Any
    ) -> tuple[Tensor, Structure]:
        """The last cell's output and all new states."""
        made = []
        for cell, given in zip(self.cells, states, strict=True):
            nested = tree.is_nested(given)
            named = dict(kwargs)
            if isinstance(cell, Layer) and signature_of(type(cell).call).has_training:
                named["training"] = training
            run: Any = cell if callable(cell) else cell.call
            inputs, new = run(inputs, list(given) if nested else [given], **named)
            new = list(new) if tree.is_nested(new) else [new]
            made.append(new if nested else new[0])
        return inputs, made

    def runs_sequences(self) -> bool:
        """Whether all cells can run whole sequences, one after the other."""
        return type(self) is StackedRNNCells and all(
            hasattr(cell, "runs_sequences") and cell.runs_sequences() for cell in self.cells
        )

    def run_sequence(
        self,
        sequences: Tensor,
        states: Structure,
        mask: Tensor | None,
        reverse: bool,
        training: bool,
    ) -> tuple[Tensor, Structure]:
        """All steps of the first cell, then all of the next one.

        Args:
            sequences: `(batch, time, features)`.
            states: the states before, of each cell.
            mask: bool `(batch, time)`: states stay where it is False.
            reverse: begin with the last step.
            training: whether there is dropout.

        Returns:
            The last cell's states after each step, and the last states.
        """
        made = []
        for cell, one in zip(self.cells, states, strict=True):
            given = list(one) if tree.is_nested(one) else [one]
            sequences, last = cell.run_sequence(sequences, given, mask, reverse, training)
            made.append(last)
        return sequences, made


def output_size(cell: Any) -> int:
    """The size of a cell's output: that of its first state where it does not say."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size
    return size if isinstance(size, int) else size[0]


def first_states(cell: Any, batch_size: int | None, dtype: str) -> list[Any]:
    """A cell's initial states: its own, or zeros."""
    if hasattr(cell, "get_initial_state"):
        made = cell.get_initial_state(batch_size=batch_size)
        return list(made) if tree.is_nested(made) else [made]
    sizes = [cell.state_size] if isinstance(cell.state_size, int) else list(cell.state_size)
    dtype = getattr(cell, "compute_dtype", dtype)
    return [ops.zeros((batch_size or 1, size), dtype) for size in sizes]
