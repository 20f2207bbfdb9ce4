"""What of a graph is needed, and what of it can be done before it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nkeras.export.onnx.graph import Body, Graph, Node, Value


def uses(node: Node) -> Iterator[Value]:
    """The values that a node needs, also those that its bodies take from around them."""
    for value in node.inputs:
        if value is not None:
            yield value
    for attribute in node.attributes.values():
        if isinstance(attribute, Body):
            for inner in attribute.graph.nodes:
                yield from uses(inner)
            yield from attribute.outputs


def prune(graph: Graph) -> None:
    """Drop the nodes that no output needs."""
    needed = {id(value) for value in graph.outputs}
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if any(id(output) in needed for output in node.outputs):
            kept.append(node)
            needed.update(id(value) for value in uses(node))
    graph.nodes = kept[::-1]
    for node in graph.nodes:
        for attribute in node.attributes.values():
            if isinstance(attribute, Body):
                attribute.graph.outputs = attribute.outputs
                prune(attribute.graph)


def fold_weights(graph: Graph) -> None:
    """Lay variables out as operators want them, where nothing else uses them as they are."""
    while _fold_once(graph):
        pass


def _fold_once(graph: Graph) -> bool:
    counts = Counter(id(value) for node in graph.nodes for value in uses(node))
    taken = Counter(
        id(value)
        for node in graph.nodes
        if _is_layout(node)
        for value in node.inputs
        if value is not None
    )
    kept, found = [], False
    for node in graph.nodes:
        given = [value for value in node.inputs if value is not None]
        if not _is_layout(node) or any(counts[id(one)] > taken[id(one)] for one in _weights(given)):
            kept.append(node)
            continue
        (path,) = {one.path for one in _weights(given)}
        results = _LAYOUTS[node.operator](node, *[one.data for one in given])
        for output, data in zip(node.outputs, results, strict=True):
            output.data, output.path = np.ascontiguousarray(data), path
            output.shape, output.dtype = data.shape, data.dtype
        found = True
    graph.nodes = kept
    return found


def _weights(values: list[Value]) -> list[Value]:
    return [value for value in values if value.path is not None]


def _is_layout(node: Node) -> bool:
    """Whether a node moves the values of one variable, and perhaps constants, and nothing else."""
    given = [value for value in node.inputs if value is not None]
    if node.operator not in _LAYOUTS or any(value.data is None for value in given):
        return False
    if any(output.name is not None for output in node.outputs):
        return False
    return len({one.path for one in _weights(given)}) == 1


def _split(node: Node, x: np.ndarray, sizes: Any = None) -> list[np.ndarray]:
    axis, count = node.attributes["axis"], len(node.outputs)
    return np.split(x, count if sizes is None else np.cumsum(sizes)[:-1], axis)


_LAYOUTS: dict[str, Callable[..., list[np.ndarray]]] = {
    "Transpose": lambda node, x: [np.transpose(x, node.attributes["perm"])],
    "Reshape": lambda node, x, shape: [np.reshape(x, shape)],
    "Unsqueeze": lambda node, x, axes: [np.expand_dims(x, tuple(axes))],
    "Squeeze": lambda node, x, axes: [np.squeeze(x, tuple(axes))],
    "Split": _split,
    "Concat": lambda node, *xs: [np.concatenate(xs, node.attributes["axis"])],
}
