"""The graph of a functional or sequential model as GraphDef, which TensorBoard draws."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from nkeras.callbacks.tensorboard.event_file import messages
from nkeras.core.graph import KerasTensor, Node
from nkeras.core.typing import PartialShape

_Names = dict[int, str]
"""Names of the nodes, by the id of the symbolic tensor."""

_TYPES = {
    "float16": "DT_HALF",
    "float32": "DT_FLOAT",
    "float64": "DT_DOUBLE",
    "bool": "DT_BOOL",
    "bfloat16": "DT_BFLOAT16",
    "complex64": "DT_COMPLEX64",
    "complex128": "DT_COMPLEX128",
    **{
        f"{kind}{bits}": f"DT_{kind.upper()}{bits}"
        for kind in ("int", "uint")
        for bits in (8, 16, 32, 64)
    },
}


def model_graph(model: Any) -> Any:
    """A GraphDef with a node for each call of a layer or operation, by the model's name.

    Models inside are groups of nodes, which TensorBoard opens and closes.

    Args:
        model: a built functional or sequential model.

    Returns:
        The GraphDef; None for a model without a graph.
    """
    if model._graph is None:
        return None
    drawing = _Drawing()
    names: _Names = {}
    scope = _legal(model.name)
    for tensor in model._graph.inputs:
        drawing.add_input(tensor, scope, names)
    drawing.add(model._graph, scope, names)
    return drawing.graph


def conceptual_graph(model: Any) -> str:
    """The configuration of a model as TensorBoard reads it: `model.to_json()`, a little simpler.

    It wants the tensors that a layer is called with, and nothing between them.

    Args:
        model: a functional or sequential model.

    Raises:
        TypeError, ValueError: something in it has no configuration.
    """
    config = json.loads(model.to_json())
    _simplify(config)
    return json.dumps(config)


def _simplify(config: Any) -> None:
    for layer in config["config"].get("layers", []):
        if "inbound_nodes" in layer:  # in a sequential model each layer takes the one before
            calls = layer["inbound_nodes"]
            layer["inbound_nodes"] = [
                {"args": list(_tensors(call)), "kwargs": {}} for call in calls
            ]
        if isinstance(layer["config"], dict):
            _simplify(layer)


def _tensors(structure: Any) -> Iterator[Any]:
    if isinstance(structure, dict):
        if structure.get("class_name") == "__keras_tensor__":
            yield structure
            return
        structure = list(structure.values())
    if isinstance(structure, list):
        for item in structure:
            yield from _tensors(item)


class _Drawing:
    def __init__(self) -> None:
        self._proto = messages()
        self.graph = self._proto.GraphDef()
        self.graph.versions.producer = 22
        self._taken: dict[str, int] = {}

    def add_input(self, tensor: KerasTensor, scope: str, names: _Names) -> None:
        """An input of the model."""
        operation = tensor.node.operation if tensor.node is not None else tensor
        node = self._node(f"{scope}/{_legal(operation.name)}", "InputLayer", [tensor])
        names[id(tensor)] = node.name

    def add(self, graph: Any, scope: str, names: _Names) -> None:
        """The calls of a graph, whose inputs have names already."""
        for call in graph.nodes:
            if all(id(tensor) in names for tensor in call.output_tensors):
                continue  # an input
            name = f"{scope}/{_legal(_name(call))}"
            inner = getattr(call.operation, "_graph", None)
            if inner is not None:
                self._add_model(inner, call, self._unique(name), names)
                continue
            node = self._node(name, _kind(call), call.output_tensors)
            node.input.extend(dict.fromkeys(names[id(one)] for one in call.input_tensors))
            for tensor in call.output_tensors:
                names[id(tensor)] = node.name

    def _add_model(self, inner: Any, call: Node, scope: str, names: _Names) -> None:
        own = {
            id(tensor): names[id(given)]
            for tensor, given in zip(inner.inputs, call.input_tensors, strict=False)
        }
        self.add(inner, scope, own)
        for tensor, made in zip(call.output_tensors, inner.outputs, strict=True):
            names[id(tensor)] = own[id(made)]

    def _node(self, name: str, kind: str, outputs: list[KerasTensor]) -> Any:
        node = self.graph.node.add(name=self._unique(name), op=kind)
        shapes = node.attr["_output_shapes"].list.shape
        for tensor in outputs:
            shapes.append(self._shape(tensor.shape))
        kind_of_number = _TYPES.get(outputs[0].dtype) if outputs else None
        if kind_of_number is not None:
            node.attr["dtype"].type = getattr(self._proto.types, kind_of_number)
        return node

    def _shape(self, shape: PartialShape) -> Any:
        dim = self._proto.TensorShapeProto.Dim
        sizes = [dim(size=-1 if size is None else size) for size in shape]
        return self._proto.TensorShapeProto(dim=sizes)

    def _unique(self, name: str) -> str:
        """The name, with a number behind it where a call before has it."""
        count = self._taken[name] = self._taken.get(name, -1) + 1
        return self._unique(f"{name}_{count}") if count else name


def _name(call: Node) -> str:
    operation = call.operation
    return getattr(operation, "name", None) or getattr(operation, "__name__", "operation")


def _kind(call: Node) -> str:
    operation = call.operation
    return _name(call) if hasattr(operation, "__name__") else type(operation).__name__


def _legal(name: str) -> str:
    """A name of a node: letters, digits and a few signs."""
    text = re.sub(r"[^A-Za-z0-9_.\-]", "_", name)
    return text if re.match(r"[A-Za-z0-9.]", text) else f".{text}"
