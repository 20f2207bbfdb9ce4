"""What an ONNX file says of itself: its nodes as layers, and its initializers as weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nkeras.models.onnx.reading import Branch, InputDescription, Node, read


class Held:
    """An array in memory: see `nkeras.saving.stored.Stored`."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.shape: tuple[int, ...] = array.shape
        self.dtype = array.dtype.name
        self.nbytes = array.nbytes

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The numbers."""
        return self._array if dtype is None else self._array.astype(dtype)


class OnnxFacts:
    """What is in an ONNX file.

    Args:
        path: of the file.

    Attributes:
        model: name of the graph and version of the operators.
        about: inputs, outputs and operators that nkeras does not know.
        nodes: name, operator, shape of the input if the file notes it, and numbers and bytes of
            the initializers that no node before it takes.
        weights: initializers by name.

    Raises:
        ImportError: the package onnx is missing.
        ValueError: the file is damaged, or refers to what it must not refer to.
    """

    def __init__(self, path: Path) -> None:
        from nkeras.models.onnx.folding import FOLDS
        from nkeras.models.onnx.operators import OPERATORS

        graph = read(path)
        self.model = f"ONNX graph {graph.name!r} of operator set {graph.opset}"
        used = list(dict.fromkeys(node.operator for node in _all(graph.nodes)))
        unknown = [name for name in used if name not in OPERATORS and name not in FOLDS]
        self.about = {
            "inputs": "; ".join(map(_input, graph.inputs)),
            "outputs": ", ".join(graph.outputs),
            "operators not known": ", ".join(unknown) or "none",
        }
        self.weights = {name: Held(array) for name, array in graph.weights.items()}
        shapes = {item.name: _sizes(item) for item in graph.inputs}
        left = dict(self.weights)
        self.nodes: list[tuple[str, str, str, int, int]] = []
        for node in graph.nodes:
            own = [left.pop(name) for name in dict.fromkeys(node.needed()) if name in left]
            shape = next((shapes[name] for name in node.inputs if name in shapes), "")
            numbers = sum(math.prod(array.shape) for array in own)
            size = sum(array.nbytes for array in own)
            self.nodes.append((node.name, node.operator, shape, numbers, size))


def _all(nodes: list[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        for value in node.attributes.values():
            if isinstance(value, Branch):
                yield from _all(value.nodes)


def _sizes(item: InputDescription) -> str:
    if item.sizes is None:
        return ""
    return f"({', '.join(str(size) or '?' for size in item.sizes)})"


def _input(item: InputDescription) -> str:
    return f"{item.name} {item.dtype} {_sizes(item)}".rstrip()
