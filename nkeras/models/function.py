"""A graph of operations between symbolic tensors as one operation, without a model around it."""

from __future__ import annotations

from typing import Any

from nkeras.core import graph, tree
from nkeras.core.errors import short
from nkeras.core.graph import KerasTensor
from nkeras.core.operation import Operation
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PartialShape, Shapes, Structure
from nkeras.models.functional import Graph
from nkeras.tree import assert_same_structure, map_shape_structure


class Function(Operation):
    """Computes what a graph of operations computes, for other inputs.

    Args:
        inputs: KerasTensor or structure of them.
        outputs: KerasTensor or structure of them, computed from the inputs.
        name: name; made from the class name for None.

    Raises:
        ValueError: there are no inputs or no outputs, one is no KerasTensor, or an output depends
            on a tensor that is not among the inputs.

    Example:
        >>> import nkeras
        >>> a, b = nkeras.KerasTensor((None, 2)), nkeras.KerasTensor((None, 2))
        >>> add_up = nkeras.Function([a, b], nkeras.ops.sum(a + b, axis=1))
        >>> add_up([nkeras.ops.ones((3, 2)), nkeras.ops.ones((3, 2))]).numpy()
        array([4., 4., 4.], dtype=float32)

    Source: https://github.com/keras-team/keras/blob/v3.15.0/keras/src/ops/function.py
    """

    def __init__(self, inputs: Structure, outputs: Structure, name: str | None = None) -> None:
        super().__init__(name=name)
        for argument, structure in (("inputs", inputs), ("outputs", outputs)):
            if not tree.flatten(structure):
                raise ValueError(
                    f"Function: argument `{argument}` cannot be empty. Received: {short(structure)}"
                )
        self._graph = Graph(inputs, outputs)

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs in a flat list."""
        return self._graph.inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs in a flat list."""
        return self._graph.outputs

    @property
    def operations(self) -> list[Operation | graph.Node]:
        """The layers and operations of the graph, and its calls of `nkeras.ops`."""
        return self._graph.operations[:]

    def call(self, inputs: Any) -> Any:
        """The outputs for a structure of tensors like that of the symbolic inputs."""
        return self._graph.run(self._checked(inputs))

    def compute_output_shape(self, input_shape: Shapes) -> Shapes:
        """The shapes of the outputs for shapes of the inputs.

        Args:
            input_shape: structure of shapes like that of the symbolic inputs.

        Returns:
            The shape, or the structure of shapes.
        """
        symbolic = map_shape_structure(KerasTensor, input_shape)
        for made, tensor in zip(tree.flatten(symbolic), self.inputs, strict=True):
            made.dtype = tensor.dtype
        outputs = self.compute_output_spec(symbolic)
        return tree.map_structure(lambda tensor: tensor.shape, outputs)

    def _checked(self, inputs: Structure) -> list[Tensor]:
        expected = self._graph.inputs_structure
        try:
            assert_same_structure(inputs, expected)
        except ValueError:
            raise ValueError(
                f"Function {short(self.name)} was called with another structure than its inputs "
                f"have. Expected: {short(expected)}. Received: {short(inputs)}"
            ) from None
        values = [to_tensor(value) for value in tree.flatten(inputs)]
        for value, tensor in zip(values, self.inputs, strict=True):
            if not _fits(graph.known_shape(value), tensor.shape):
                raise ValueError(
                    f"Function {short(self.name)}: the input {short(tensor.name)} must have the "
                    f"shape {tensor.shape}. Received shape: {value.shape}"
                )
        return values


def _fits(shape: PartialShape, expected: PartialShape) -> bool:
    return len(shape) == len(expected) and all(
        size is None or wanted is None or size == wanted
        for size, wanted in zip(shape, expected, strict=True)
    )
