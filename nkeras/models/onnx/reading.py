"""An ONNX file as plain Python: nodes, arrays, inputs and outputs, all checked."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from nkeras.core.errors import cut_text, short
from nkeras.models.onnx.tensors import ExternalFiles, array_of, dtype_of, text
from nkeras.models.onnx.wire import check_skeleton

MOST_BYTES = 2**31 - 1  # protobuf's own limit
OLDEST, NEWEST = 7, 28
"""Versions of the operator set that are read."""
_OLDEST_FORMAT, _NEWEST_FORMAT = 3, 16
_MOST_SIZE = 2**31 - 1

AttributeValue: TypeAlias = "int | float | str | list[Any] | np.ndarray | Branch | None"
"""None where nkeras does not read the kind, such as a list of graphs."""


@dataclass
class Node:
    """One call of an operator.

    Attributes:
        name: as the file has it, or made of its first output.
        operator: name of the operator, with the domain in front unless it is ONNX' own.
        inputs: names of tensors, `""` for one that is left out.
        outputs: likewise.
        attributes: by name.
    """

    name: str
    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, AttributeValue]

    def needed(self) -> list[str]:
        """Names of tensors that it needs, also those that its branches take from outside."""
        found = [name for name in self.inputs if name]
        for branch in self.attributes.values():
            if isinstance(branch, Branch):
                found += branch.taken
        return found


@dataclass
class Branch:
    """A graph inside of a node.

    Attributes:
        nodes: its nodes in order.
        weights: its initializers by name.
        outputs: names of tensors.
        taken: names of tensors outside that it needs.
    """

    nodes: list[Node]
    weights: dict[str, np.ndarray]
    outputs: list[str]
    taken: list[str]


@dataclass
class InputDescription:
    """A graph's input: sizes are numbers or names of what is open; `""` has not even a name."""

    name: str
    dtype: str
    sizes: tuple[int | str, ...] | None


@dataclass
class Description:
    """What a file says.

    Attributes:
        name: of the graph.
        opset: version of the operators.
        nodes: the calls that the outputs need, each behind those that it needs.
        weights: arrays of the initializers by name.
        inputs: the inputs, without initializers.
        outputs: names of tensors.
    """

    name: str
    opset: int
    nodes: list[Node]
    weights: dict[str, np.ndarray]
    inputs: list[InputDescription]
    outputs: list[str]


def read(path: str | os.PathLike[str]) -> Description:
    """The graph of a file.

    Raises:
        ImportError: the package onnx is missing.
        ValueError: the file is damaged, too new, or refers to what it must not refer to.
    """
    try:
        onnx: Any = import_module("onnx")
    except ImportError as error:
        raise ImportError("from_onnx needs the package onnx: pip install 'nkeras[onnx]'") from error
    model_type = onnx.ModelProto
    file = Path(path)
    data = _bytes_of(file)
    check_skeleton(data, model_type.DESCRIPTOR, "from_onnx")
    try:
        model = model_type.FromString(data)
    except Exception as error:
        raise ValueError(
            f"from_onnx: {cut_text(str(file))} is damaged or no ONNX model: protobuf says "
            f"{short(str(error), 80)}."
        ) from None
    del data
    return _described(model, ExternalFiles(file.resolve().parent))


def _bytes_of(file: Path) -> bytes:
    with open(file, "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"from_onnx: {cut_text(str(file))} is no ordinary file.")
        if found.st_size > MOST_BYTES:
            raise ValueError(
                f"from_onnx: {cut_text(str(file))} has {found.st_size:,} bytes; an ONNX file has "
                f"at most {MOST_BYTES:,}, larger weights lie in files beside it."
            )
        return opened.read(found.st_size)  # a larger count takes as much memory at first


def _described(model: Any, external: ExternalFiles) -> Description:
    if not _OLDEST_FORMAT <= model.ir_version <= _NEWEST_FORMAT:
        raise ValueError(
            f"from_onnx: the file has the format version {short(model.ir_version)}; versions "
            f"{_OLDEST_FORMAT} to {_NEWEST_FORMAT} are read."
        )
    opset = _opset(model)
    graph = model.graph
    weights = _weights(graph, external)
    nodes = [_node(node, number, external) for number, node in enumerate(graph.node)]
    inputs = [_input(item) for item in graph.input if text(item.name) not in weights]
    outputs = [text(item.name) for item in graph.output]
    if not inputs or not all(outputs) or not outputs:
        raise ValueError("from_onnx: the graph has no inputs or no outputs.")
    known = [item.name for item in inputs] + list(weights)
    nodes = _in_order(nodes, known, outputs)
    return Description(text(graph.name), opset, nodes, weights, inputs, outputs)


def _weights(graph: Any, external: ExternalFiles) -> dict[str, np.ndarray]:
    if graph.sparse_initializer:
        raise ValueError("from_onnx: the graph has sparse initializers, which nkeras has not.")
    weights: dict[str, np.ndarray] = {}
    for tensor in graph.initializer:
        name = text(tensor.name)
        if not name or name in weights:
            raise ValueError(
                f"from_onnx: two initializers have the name {short(name, 60)}, or none."
            )
        weights[name] = array_of(tensor, external, name)
    return weights


def _branch(graph: Any, external: ExternalFiles) -> Branch | None:
    """A graph inside of a node; None where it is that of a loop, which has inputs."""
    if graph.input:
        return None
    weights = _weights(graph, external)
    nodes = [_node(node, number, external) for number, node in enumerate(graph.node)]
    outputs = [text(item.name) for item in graph.output]
    made = {*weights, *(name for node in nodes for name in node.outputs)}
    needed = [*outputs, *(name for node in nodes for name in node.needed())]
    taken = list(dict.fromkeys(name for name in needed if name not in made))
    if not all(outputs):
        raise ValueError("from_onnx: a graph inside of a node has an output without a name.")
    nodes = _in_order(nodes, [*weights, *taken], outputs)
    return Branch(nodes, weights, outputs, taken)


def _opset(model: Any) -> int:
    versions = [item.version for item in model.opset_import if item.domain in ("", "ai.onnx")]
    if len(versions) != 1 or not OLDEST <= versions[0] <= NEWEST:
        raise ValueError(
            f"from_onnx: the file needs the operator set {short(versions)}; sets {OLDEST} to "
            f"{NEWEST} are read."
        )
    return int(versions[0])


def _node(node: Any, number: int, external: ExternalFiles) -> Node:
    inputs, outputs = [text(item) for item in node.input], [text(item) for item in node.output]
    name = text(node.name) or next(filter(None, outputs), f"node {number}")
    operator = text(node.op_type)
    if node.domain not in ("", "ai.onnx"):
        operator = f"{text(node.domain)}.{operator}"
    attributes: dict[str, AttributeValue] = {}
    for attribute in node.attribute:
        key = text(attribute.name)
        if key in attributes:
            raise ValueError(
                f"from_onnx: node {short(name, 60)} has the attribute {short(key, 60)} twice."
            )
        attributes[key] = _attribute(attribute, name, external)
    return Node(name, operator, inputs, outputs, attributes)


def _attribute(attribute: Any, node: str, external: ExternalFiles) -> AttributeValue:
    if attribute.type == 1:
        return float(attribute.f)
    if attribute.type == 2:
        return int(attribute.i)
    if attribute.type == 3:
        return text(attribute.s)
    if attribute.type == 4:
        return array_of(attribute.t, external, f"{node}.{text(attribute.name)}")
    if attribute.type == 5:
        return _branch(attribute.g, external)
    if attribute.type == 6:
        return [float(item) for item in attribute.floats]
    if attribute.type == 7:
        return [int(item) for item in attribute.ints]
    if attribute.type == 8:
        return [text(item) for item in attribute.strings]
    return None


def _input(item: Any) -> InputDescription:
    name = text(item.name)
    what = f"input {short(name, 60)}"
    if not name or not item.type.HasField("tensor_type"):
        raise ValueError(f"from_onnx: {what} is no tensor.")
    kind = item.type.tensor_type
    dtype = dtype_of(kind.elem_type, what)
    if not kind.HasField("shape"):
        return InputDescription(name, dtype, None)
    sizes: list[int | str] = []
    for axis in kind.shape.dim:
        if axis.HasField("dim_value"):
            if not 0 <= axis.dim_value <= _MOST_SIZE:
                raise ValueError(f"from_onnx: {what} has the size {short(axis.dim_value)}.")
            sizes.append(int(axis.dim_value))
        else:
            sizes.append(text(axis.dim_param))
    return InputDescription(name, dtype, tuple(sizes))


def _in_order(nodes: list[Node], known: list[str], outputs: list[str]) -> list[Node]:
    """The nodes that the outputs need, each behind those that it needs.

    Raises:
        ValueError: a tensor is made twice or not at all, or needs itself.
    """
    makers: dict[str, Node] = {}
    given = set(known)
    if len(given) != len(known):
        raise ValueError("from_onnx: two inputs of the graph have the same name.")
    for node in nodes:
        for name in filter(None, node.outputs):
            if name in makers or name in given:
                raise ValueError(f"from_onnx: two nodes make the tensor {short(name, 60)}.")
            makers[name] = node
    ordered: list[Node] = []
    states: dict[int, bool] = {}  # False while what a node needs is being visited
    for output in outputs:
        stack: list[tuple[str, str]] = [(output, "the graph's outputs")]
        open_nodes: list[Node] = []
        while stack:
            name, user = stack.pop()
            if not name:  # all that the innermost node needs is there
                node = open_nodes.pop()
                states[id(node)] = True
                ordered.append(node)
                continue
            if name in given:
                continue
            node = makers.get(name)
            if node is None:
                raise ValueError(
                    f"from_onnx: nothing makes the tensor {short(name, 60)}, which "
                    f"{short(user, 60)} needs."
                )
            if id(node) in states:
                if not states[id(node)]:
                    raise ValueError(
                        f"from_onnx: node {short(node.name, 60)} needs its own result: the graph "
                        "has a circle."
                    )
                continue
            states[id(node)] = False
            open_nodes.append(node)
            stack.append(("", ""))
            stack.extend((item, node.name) for item in node.needed())
    return ordered
