"""Runs a model on the backend that writes ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nkeras.backend import registry
from nkeras.core import dtypes, observer, recomputing, tape, tree
from nkeras.core.errors import cut_text, short
from nkeras.core.operation import Operation
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure
from nkeras.core.variable import Variable
from nkeras.export.onnx.backend import ONNX
from nkeras.export.onnx.graph import ExportError, Graph, Value, node
from nkeras.export.onnx.liveness import prune

Inputs = Sequence[tuple[str, tuple[int, ...], str]]
"""Name, shape and dtype of each input."""


class Weights(dict[Variable, Tensor]):
    """Variables as values of the graph, the same ones in each run."""


class _Run:
    """See `nkeras.core.recomputing`: variables are initializers, and nothing reaches them."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.assigned: dict[Variable, Tensor | None] = {}

    def value(self, variable: Variable, current: Tensor) -> Tensor:
        """The initializer of a variable, or what the run has assigned."""
        assigned = self.assigned.get(variable)
        if assigned is not None:
            return assigned
        if variable not in self._weights:
            data = np.asarray(current.numpy())
            path = None if variable.host else variable.path
            self._weights[variable] = Tensor(Value(data.shape, data.dtype, data, path), ONNX)
        return self._weights[variable]

    def is_own(self, variable: Variable) -> bool:
        """An initializer stands for the variable itself."""
        return True

    def keeps(self, variable: Variable, value: Tensor | None) -> bool:
        """Assignments are noted: there is no state in a file."""
        self.assigned[variable] = value
        return True

    def seed(self, draw: Callable[[], Any]) -> Any:
        """Random numbers cannot be written, so any seed will do."""
        return 0, 0

    def keeps_loss(self, loss: Tensor) -> bool:
        """Losses are no outputs."""
        return True


class _Writing(observer.Observer):
    """An observer, so that operations ask no tensor for its values."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self._graph = graph

    def enter(self, layer: Operation) -> None:
        """Operators have the names of layers."""
        self._graph.layers.append(layer.name)

    def leave(self, layer: Operation, outputs: Structure) -> None:
        """The layer's operators are written."""
        self._graph.layers.pop()

    def on_host(self, function: Callable[..., object], tensors: Sequence[Tensor]) -> None:
        """Checks of values, which are not known."""

    def either(self, flag: Tensor, body: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Only training does this."""
        self.fail("a part of it runs only where a condition holds")

    def fail(self, reason: str) -> None:
        """What cannot be repeated without Python cannot be written."""
        raise ExportError(f"Model.export: the model cannot be written: {cut_text(reason)}.")


def traced(
    call: Callable[..., Structure],
    structure: Structure,
    inputs: Inputs,
    names: Sequence[str] | None,
    opset: int,
    weights: Weights,
) -> Graph:
    """The graph of one run.

    Args:
        call: called with the arguments.
        structure: of the arguments, a sequence with indices of `inputs` as leaves.
        inputs: the inputs.
        names: of the outputs, flat; None takes the keys of a dict, or numbers them.
        opset: version of the operators.
        weights: the variables, filled here.

    Raises:
        ValueError: something cannot be written.
    """
    graph = Graph(opset)
    for name, shape, dtype in inputs:
        graph.inputs.append(Value(shape, dtypes.to_numpy(dtype), name=name))
    tensors = [Tensor(value, ONNX) for value in graph.inputs]
    arguments = tree.map_structure(lambda index: tensors[index], structure)
    run = _Run(weights)
    token = observer.begin(_Writing(graph))
    try:
        with registry.using(ONNX), recomputing.scope(run), tape.paused(), graph.scope():
            _name_outputs(graph, call(*arguments), names)
    finally:
        observer.end(token)
    prune(graph)
    _check(graph, run)
    return graph


def _name_outputs(graph: Graph, outputs: Structure, names: Sequence[str] | None) -> None:
    if names is None and isinstance(outputs, dict):
        names = ["_".join(map(str, path)) for path, _ in tree.flatten_with_path(outputs)]
    taken = {value.name for value in graph.inputs}
    for index, output in enumerate(tree.flatten(outputs)):
        if not isinstance(output, Tensor):
            raise ExportError(
                f"Model.export: output {index} of the model is no tensor: {short(output)}"
            )
        source = output.data
        name = names[index] if names is not None else f"output_{index}"
        base, count = name, 0
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        value = node("Identity", source)
        value.shape, value.dtype, value.name = source.shape, source.dtype, name
        graph.outputs.append(value)


def _check(graph: Graph, run: _Run) -> None:
    behind = [one.operator[1:] for one in graph.nodes if one.operator.startswith("?")]
    missing = dict.fromkeys([*graph.missing, *behind])
    if missing:
        raise ExportError(
            "Model.export: ONNX has no operators for these primitives of the model: "
            f"{cut_text(', '.join(missing), 150)}. Leave out the layers that use them: export a "
            "model of the layers in front of or behind them."
        )
    if run.assigned:
        paths = ", ".join(variable.path for variable in run.assigned)
        raise ExportError(
            f"Model.export: the model changes variables when it predicts: {cut_text(paths, 150)}. "
            "An ONNX file has no state: build recurrent layers with `stateful=False`, or pass "
            "states in and out as inputs and outputs."
        )
