"""Functional models as configuration, in Keras' format, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from nkeras.core import tree
from nkeras.core.errors import short
from nkeras.core.graph import KerasTensor, Node, calls_of
from nkeras.core.operation import Operation
from nkeras.core.serialization import deserialize_keras_object, serialize_keras_object
from nkeras.core.typing import Config, Structure
from nkeras.layers.core import InputLayer
from nkeras.models import operations

if TYPE_CHECKING:
    from nkeras.models.model import Model

_Model = TypeVar("_Model", bound="Model")


def is_graph_config(config: Config) -> bool:
    """Whether a config describes a functional model."""
    return {"layers", "input_layers", "output_layers"} <= set(config)


def graph_config(model: Model) -> Config:
    """Layers, their calls, and which tensors are inputs and outputs."""
    graph = model.need_graph()
    names = operation_names(graph.operations)
    members = {id(node) for node in graph.nodes} | {
        id(tensor.node) for tensor in graph.inputs if tensor.node is not None
    }
    numbers = _node_numbers(graph.operations, members)

    def reference(tensor: KerasTensor) -> list[str | int]:
        node = tensor.node
        assert node is not None
        return [names[_identity(node)], numbers[id(node)], tensor.index]

    layers = []
    for operation in graph.operations:
        nodes = _nodes_of(operation, members)
        name = names[id(operation)]
        if isinstance(operation, Operation):
            described = serialize_keras_object(operation)
            calls = [(node.arguments, node.named) for node in nodes]
        else:
            described, *call = operations.describe(
                operation.operation, name, operation.arguments, operation.named
            )
            described["config"] = _describe_argument(described["config"], reference)
            calls = [call]
        described["name"] = name
        described["inbound_nodes"] = [
            {
                "args": _describe_argument(list(arguments), reference),
                "kwargs": _describe_argument(named, reference),
            }
            for arguments, named in calls
            if not isinstance(operation, InputLayer)
        ]
        layers.append(described)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": tree.map_structure(reference, graph.inputs_structure),
        "output_layers": tree.map_structure(reference, graph.outputs_structure),
    }


def _identity(node: Node) -> int:
    return id(node.operation) if isinstance(node.operation, Operation) else id(node)


def _nodes_of(operation: Operation | Node, members: set[int]) -> list[Node]:
    return [node for node in calls_of(operation) if id(node) in members]


def _node_numbers(operations: list[Operation | Node], members: set[int]) -> dict[int, int]:
    return {
        id(node): number
        for operation in operations
        for number, node in enumerate(_nodes_of(operation, members))
    }


def operation_names(operations: Iterable[Operation | Node]) -> dict[int, str]:
    """Names by identity; calls of ops get the op's name and a number that no layer has."""
    operations = list(operations)
    names: dict[int, str] = {}
    taken = {operation.name for operation in operations if isinstance(operation, Operation)}
    for operation in operations:
        if isinstance(operation, Operation):
            name = operation.name
        else:
            name = base = operation.operation.__name__.rstrip("_")
            count = 0
            while name in taken:
                count += 1
                name = f"{base}_{count}"
            taken.add(name)
        names[id(operation)] = name
    return names


def _describe_argument(
    value: Structure, reference: Callable[[KerasTensor], list[str | int]]
) -> Structure:
    if isinstance(value, KerasTensor):
        return {
            "class_name": "__keras_tensor__",
            "config": {
                "shape": list(value.shape),
                "dtype": value.dtype,
                "keras_history": reference(value),
            },
        }
    if isinstance(value, (list, tuple)):
        return type(value)([_describe_argument(item, reference) for item in value])
    if isinstance(value, dict):
        return {key: _describe_argument(item, reference) for key, item in value.items()}
    if isinstance(value, slice):
        parts = {"start": value.start, "stop": value.stop, "step": value.step}
        return {"class_name": "__slice__", "config": parts}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": None}
    return serialize_keras_object(value)


def graph_from_config(cls: type[_Model], config: Config) -> _Model:
    """A functional model from its configuration.

    Raises:
        ValueError: a call refers to a layer that the config does not describe.
    """
    made: Config = {}
    waiting: list[tuple[str, int, Config]] = []
    tensors: dict[tuple[str, int], list[KerasTensor]] = {}
    for described in config["layers"]:
        name = described.get("name") or described["config"]["name"]
        operation = _operation_from(described)
        made[name] = operation
        if isinstance(operation, InputLayer):
            tensors[name, 0] = [operation.output]
        for number, call in enumerate(described.get("inbound_nodes", [])):
            waiting.append((name, number, call))
    while waiting:
        later = []
        for name, number, call in waiting:
            references = _references(call)
            if not references:
                raise ValueError(
                    f"The config of model {short(config.get('name'))} has a call of {short(name)} "
                    "on nothing that depends on the model's inputs."
                )
            if any((source, index) not in tensors for source, index, _ in references) or (
                number and (name, number - 1) not in tensors
            ):
                later.append((name, number, call))
                continue
            args = [_restore(argument, tensors) for argument in call["args"]]
            kwargs = {
                key: _restore(value, tensors) for key, value in call.get("kwargs", {}).items()
            }
            outputs = made[name](*args, **kwargs)
            tensors[name, number] = tree.flatten(outputs)
        if len(later) == len(waiting):
            raise ValueError(
                f"The config of model {short(config.get('name'))} has calls whose inputs are "
                f"missing: {short([name for name, _, _ in later])}."
            )
        waiting = later

    def find(structure: Structure) -> Structure:
        if isinstance(structure, (list, tuple)) and structure and isinstance(structure[0], str):
            name, number, index = structure[:3]
            return tensors[name, number][index]
        if isinstance(structure, dict):
            return {key: find(value) for key, value in structure.items()}
        parts = [find(part) for part in structure]
        return tuple(parts) if isinstance(structure, tuple) else parts

    inputs, outputs = find(config["input_layers"]), find(config["output_layers"])
    more = {key: value for key, value in config.items() if key not in _OF_GRAPHS}
    model = cls(inputs=inputs, outputs=outputs, name=config.get("name"), **more)
    if not config.get("trainable", True):  # True says nothing of the layers
        model.trainable = False
    return model


_OF_GRAPHS = ("name", "trainable", "layers", "input_layers", "output_layers")


def _operation_from(described: Config) -> Callable[..., Structure]:
    if str(described.get("module")).startswith(("nkeras.ops", "keras.src.ops.")):
        return operations.find(described)
    return deserialize_keras_object(described)


def _references(value: object) -> list[tuple[str, int, int]]:
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            name, number, index = value["config"]["keras_history"]
            return [(name, number, index)]
        return [reference for item in value.values() for reference in _references(item)]
    if isinstance(value, (list, tuple)):
        return [reference for item in value for reference in _references(item)]
    return []


def _restore(value: Structure, tensors: dict[tuple[str, int], list[KerasTensor]]) -> Structure:
    if isinstance(value, dict):
        kind = value.get("class_name")
        if kind == "__keras_tensor__":
            name, number, index = value["config"]["keras_history"]
            return tensors[name, number][index]
        if kind == "__slice__":
            return slice(*(value["config"][part] for part in ("start", "stop", "step")))
        if kind == "__ellipsis__":
            return Ellipsis
        if kind is None:
            return {key: _restore(item, tensors) for key, item in value.items()}
        return deserialize_keras_object(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_restore(item, tensors) for item in value)
    return value
