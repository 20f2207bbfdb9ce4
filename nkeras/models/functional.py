"""Functional models: a graph of layer and op calls between symbolic inputs and outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from nkeras import ops
from nkeras.core import graph, observer, tree
from nkeras.core.errors import cut_text, short, warn
from nkeras.core.graph import KerasTensor, Node, set_mask
from nkeras.core.operation import Operation
from nkeras.core.primitive import to_tensor
from nkeras.core.strings import STRING, no_numbers, no_text
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Config, Structure
from nkeras.layers.base import Layer
from nkeras.layers.core import Input, InputLayer
from nkeras.layers.input_spec import InputSpec


class Graph:
    """The calls between inputs and outputs, in an order in which they can be computed.

    Args:
        inputs: KerasTensor or structure of them.
        outputs: KerasTensor or structure of them.

    Raises:
        ValueError: an input or output is no KerasTensor, an input stands twice, an output does not
            depend on the inputs alone, or two layers have the same name.
    """

    def __init__(self, inputs: Structure, outputs: Structure) -> None:
        self.inputs_structure = inputs
        self.outputs_structure = outputs
        self.inputs: list[KerasTensor] = _symbolic(inputs, "inputs")
        self.outputs: list[KerasTensor] = _symbolic(outputs, "outputs")
        if len({id(tensor) for tensor in self.inputs}) != len(self.inputs):
            raise ValueError(
                "All inputs to a functional model must be unique. Received duplicated inputs: "
                f"{short([tensor.name for tensor in self.inputs])}"
            )
        self.nodes, self.operations = self._order()
        self.input_layers = [
            tensor.node.operation
            for tensor in self.inputs
            if tensor.node is not None and isinstance(tensor.node.operation, InputLayer)
        ]
        ((name, count),) = Counter(layer.name for layer in self.layers).most_common(1) or [("", 0)]
        if count > 1:
            raise ValueError(
                f'The name "{cut_text(name)}" is used {count} times in the model. All layers of a '
                "model must have different names."
            )

    def __getstate__(self) -> Config:
        """Calls come first and in order, so that each refers to those before it alone."""
        nodes = graph.history(self.outputs + self.inputs)
        members = {id(node) for node in nodes}
        called = {id(node.operation): node.operation for node in nodes}
        calls = [
            (operation, [node for node in graph.calls_of(operation) if id(node) in members])
            for operation in called.values()
            if isinstance(operation, Operation)
        ]
        return {"_written": (nodes, calls), **vars(self)}

    def __setstate__(self, state: Config) -> None:
        _, calls = state.pop("_written")
        self.__dict__.update(state)
        for operation, nodes in calls:
            known = operation.__dict__.setdefault("_inbound_nodes", [])
            known += [node for node in nodes if not any(node is other for other in known)]

    @property
    def layers(self) -> list[Layer]:
        """The layers, inputs first, in Keras' order: by depth, then by first use."""
        return [operation for operation in self.operations if isinstance(operation, Layer)]

    def _order(self) -> tuple[list[Node], list[Operation | Node]]:
        found = graph.sort_nodes(self.outputs, self.inputs)  # checks that nothing is missing
        members = {id(node) for node in found}
        input_nodes = [tensor.node for tensor in self.inputs if tensor.node is not None]
        boundary = {id(node) for node in input_nodes} - members
        visits, index = self._visit(members | boundary)
        depths: dict[int, int] = {}
        operation_depths: dict[int, int] = {}
        given = {id(tensor) for tensor in self.inputs}
        for node in reversed(visits):
            key = _key(node)
            depth = max(depths.setdefault(id(node), 0), operation_depths.get(key, 0))
            depths[id(node)] = operation_depths[key] = depth
            if id(node) in boundary:
                continue
            for tensor in node.input_tensors:
                parent = tensor.node
                if parent is not None and (id(tensor) not in given or id(parent) in boundary):
                    depths[id(parent)] = max(depth + 1, depths.get(id(parent), 0))
        for node in input_nodes:  # inputs that no output depends on
            operation_depths.setdefault(_key(node), 0)
            index.setdefault(_key(node), -1)
            if id(node) not in depths:
                depths[id(node)] = 0
                visits.append(node)
        order = {id(node): position for position, node in enumerate(visits)}
        nodes = [node for node in visits if id(node) in members]
        nodes.sort(key=lambda node: (-depths[id(node)], order[id(node)]))
        operations = {_key(node): _operation(node) for node in visits}
        keys = sorted(operations, key=lambda key: (-operation_depths[key], index[key]))
        return nodes, [operations[key] for key in keys]

    def _visit(self, members: set[int]) -> tuple[list[Node], dict[int, int]]:
        """Nodes behind their parents, and for each operation when it was first met."""
        index: dict[int, int] = {}
        done: list[Node] = []
        seen: set[int] = set()
        finished: set[int] = set()
        given = {id(tensor) for tensor in self.inputs}
        for output in self.outputs:
            stack = [(output.node, False)]
            while stack:
                node, ready = stack.pop()
                if node is None or id(node) not in members or id(node) in finished:
                    continue
                if ready:
                    finished.add(id(node))
                    done.append(node)
                    continue
                if id(node) in seen:
                    continue
                seen.add(id(node))
                index.setdefault(_key(node), len(index))
                stack.append((node, True))
                for tensor in reversed(node.input_tensors):
                    if id(tensor) not in given or (tensor.node and tensor.node.is_input):
                        stack.append((tensor.node, False))
        return done, index

    def run(self, values: list[Tensor], call: Callable[..., Structure] | None = None) -> Structure:
        """Compute the outputs from input tensors.

        Args:
            values: tensors (or symbolic ones) in the order of `inputs`.
            call: `call(operation, args, kwargs)`; the operation itself by default.
        """
        known = {id(tensor): value for tensor, value in zip(self.inputs, values, strict=True)}

        def look_up(leaf: Structure) -> Structure:
            return known[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

        recorder = observer.active()
        for node in self.nodes:
            if len(node.arguments) == 1 and not node.named:
                args, kwargs = (tree.map_structure(look_up, node.arguments[0]),), {}
            else:
                args, kwargs = tree.map_structure(look_up, (node.arguments, node.named))
            result = (
                node.operation(*args, **kwargs)
                if call is None
                else call(node.operation, args, kwargs)
            )
            if recorder is not None and not isinstance(node.operation, Operation):
                recorder.operation(node, result)
            for tensor, value in zip(node.output_tensors, tree.flatten(result), strict=True):
                known[id(tensor)] = value
        return tree.map_structure(look_up, self.outputs_structure)

    def input_specs(self) -> Structure:
        """What the model accepts: one InputSpec for each input."""
        specs = [
            InputSpec(
                shape=(None, *tensor.shape[1:]),
                allow_last_axis_squeeze=True,
                name=name,
                optional=bool(getattr(tensor.node and tensor.node.operation, "optional", False)),
            )
            for tensor, name in zip(self.inputs, self.input_names(), strict=True)
        ]
        return specs

    def input_names(self) -> list[str]:
        """Keys of a dict of inputs, or the names of the input layers."""
        if isinstance(self.inputs_structure, dict):
            return [str(path[-1]) for path, _ in tree.flatten_with_path(self.inputs_structure)]
        return [_name(tensor) for tensor in self.inputs]

    def output_names(self) -> list[str]:
        """Names of the operations that make the outputs."""
        return [_name(tensor) for tensor in self.outputs]

    def standardize(self, inputs: Structure, masks: Structure, name: str) -> list[Structure]:
        """The inputs as flat list of tensors of the ranks that the graph expects."""
        flat = self._flatten(inputs, name)
        values = []
        for value, tensor in zip(flat, self.inputs, strict=True):
            if value is None:
                values.append(None)
                continue
            value = to_tensor(value)
            if value.dtype != tensor.dtype:
                if STRING in (value.dtype, tensor.dtype):
                    owner = f"Model {short(name)}, input {short(_name(tensor))}"
                    is_text = value.dtype == STRING
                    error = no_text(owner) if is_text else no_numbers(owner, value.dtype)
                    raise TypeError(*error.args)  # it names the input: layers need not
                value = ops.cast(value, tensor.dtype)
            values.append(_fit_rank(value, tensor))
        if masks is not None:
            for value, mask in zip(values, tree.flatten(masks), strict=False):
                if mask is not None:
                    set_mask(value, mask)
        return values

    def _flatten(self, inputs: Structure, name: str) -> list[Structure]:
        structure = self.inputs_structure
        named = list(structure) if isinstance(structure, dict) else self.input_names()
        if isinstance(inputs, dict):
            layers = [_name(tensor) for tensor in self.inputs]
            if set(inputs) == set(layers) != set(named):
                return [inputs[layer] for layer in layers]
            missing = [key for key in named if key not in inputs]
            if missing:
                raise ValueError(
                    f"Model {short(name)} misses the inputs {short(missing)} in the dict with the "
                    f"keys {short(list(inputs))}."
                )
            unknown = [item for item in inputs if item not in named]
            if unknown:
                warn(
                    f"Model {short(name)} has no inputs {short(unknown)}, which are left out: its "
                    f"inputs are named {short(named)}."
                )
            if isinstance(structure, dict):
                inputs = {part: inputs[part] for part in structure}
            else:
                inputs = [inputs[key] for key in named]
        elif isinstance(structure, dict) and named != sorted(named):
            raise ValueError(
                f"Model {short(name)} was built with a dict of inputs, {short(named)}: give a dict "
                "with these "
                "keys. The order of a list could be that of the dict or of the sorted names."
            )
        flat = tree.flatten(inputs)
        if len(flat) != len(self.inputs):
            raise ValueError(
                f"Model {short(name)} expects {len(self.inputs)} input(s) "
                f"({short(self.input_names())}), but received {len(flat)}."
            )
        return flat


def from_inputs(inputs: Structure, outputs: Structure) -> tuple[Structure, Structure]:
    """Inputs and outputs of a model, each input that of an `Input` layer.

    Where a model begins in the middle of another one, its layers are called on an `Input` of its
    own, so that it can be written and copied like others.
    """
    flat = _symbolic(inputs, "inputs")
    own: list[Any] = [
        tensor
        if tensor.node is not None and isinstance(tensor.node.operation, InputLayer)
        else Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
        for tensor in flat
    ]
    if all(mine is tensor for mine, tensor in zip(own, flat, strict=True)):
        return inputs, outputs
    mine_of = {id(tensor): mine for mine, tensor in zip(own, flat, strict=True)}
    structure = tree.map_structure(lambda tensor: mine_of[id(tensor)], inputs)
    return structure, Graph(inputs, outputs).run(own)


def _symbolic(structure: Structure, argument: str) -> list[KerasTensor]:
    flat = tree.flatten(structure)
    for leaf in flat:
        if not isinstance(leaf, KerasTensor):
            raise ValueError(
                f"All `{argument}` values must be KerasTensors. Received: "
                f"{argument}={short(structure)} "
                f"including invalid value {short(leaf)} of type {type(leaf).__name__}"
            )
    return flat


def _name(tensor: KerasTensor) -> str:
    """The name of the layer or operation that makes a symbolic tensor."""
    return getattr(tensor.node and tensor.node.operation, "name", tensor.name)


def _key(node: Node) -> int:
    """Objects are one operation however often they are called; each call of an op is its own."""
    return id(_operation(node))


def _operation(node: Node) -> Operation | Node:
    return node.operation if isinstance(node.operation, Operation) else node


def _fit_rank(value: Tensor, tensor: KerasTensor) -> Tensor:
    """Add or drop a last axis of size 1, as Keras does."""
    rank, expected = len(value.shape), len(tensor.shape)
    if rank == expected:
        return value
    if rank == expected + 1 and value.shape[-1] == 1:
        return ops.squeeze(value, -1)
    if rank == expected - 1 and tensor.shape[-1] == 1:
        return ops.expand_dims(value, -1)
    raise ValueError(
        f"Invalid input shape for input {cut_text(tensor.name)}. Expected shape {tensor.shape}, "
        f"but input has incompatible shape {tuple(value.shape)}"
    )
