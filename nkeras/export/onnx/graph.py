"""The ONNX graph in the making: values, nodes, and the graph that writers add to."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nkeras.core.scope import Scope

Shape = tuple[int, ...]


class ExportError(ValueError):
    """The model cannot be written; the message says what to do."""


class Value:
    """What flows through the graph: an array of known shape and dtype, or a constant.

    Attributes:
        shape: of a result of a primitive, else None where nobody asks for it.
        dtype: NumPy dtype; None where nobody asks for it.
        data: the array of a constant or a variable.
        path: that of the variable whose value it is.
        name: in the file, for inputs and outputs of the model.
    """

    __slots__ = ("data", "dtype", "name", "path", "shape")

    def __init__(
        self,
        shape: Shape | None = None,
        dtype: np.dtype[Any] | None = None,
        data: np.ndarray | None = None,
        path: str | None = None,
        name: str | None = None,
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.data = data
        self.path = path
        self.name = name

    @property
    def is_constant(self) -> bool:
        """Whether what is computed from it alone is computed now."""
        return self.data is not None and self.path is None

    def __repr__(self) -> str:
        return f"<Value {self.name or self.path or ''} {self.shape} {self.dtype}>"


@dataclass
class Body:
    """A graph inside a node, such as the step of a Scan; it may use values of the graph around."""

    graph: Graph
    inputs: list[Value]
    outputs: list[Value]


@dataclass
class Node:
    """One operator.

    Attributes:
        is_cut: of a slice, whether its bounds are those of all axes.
        scope: names of the layers around it, from the outermost, with slashes between.
        same: of a convolution or pooling, whether its padding is that of Keras' "same".
    """

    operator: str
    inputs: list[Value | None]
    outputs: list[Value]
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])
    same: bool = False
    is_cut: bool = False
    scope: str = ""


@dataclass
class Graph:
    """Nodes in order, each behind those that it needs."""

    opset: int
    inputs: list[Value] = field(default_factory=list[Value])
    outputs: list[Value] = field(default_factory=list[Value])
    nodes: list[Node] = field(default_factory=list[Node])
    missing: dict[str, None] = field(default_factory=dict[str, None])  # names, in order
    layers: list[str] = field(default_factory=list[str])  # whose operators are being written

    def scope(self) -> Scope[Graph | None]:
        """The block in which operators are added to this graph."""
        return Scope(_graph, self)


_graph: ContextVar[Graph | None] = ContextVar("nkeras_onnx_graph", default=None)


def graph() -> Graph:
    """The graph that is being written.

    Raises:
        RuntimeError: none is.
    """
    found = _graph.get()
    if found is None:
        raise RuntimeError("The backend 'onnx' computes nothing: it only writes models.")
    return found


def constant(value: Any, dtype: Any = "int64") -> Value:
    """A constant of numbers."""
    data = np.asarray(value, dtype)
    return Value(data.shape, data.dtype, data)


def unwritten(what: str) -> Value:
    """A result that ONNX cannot give: an error where anything depends on it."""
    return node(f"?{what}")


def node(
    operator: str,
    *inputs: Value | None,
    same: bool = False,
    is_cut: bool = False,
    **attributes: Any,
) -> Value:
    """Add an operator with one result."""
    (result,) = nodes(operator, inputs, 1, **attributes)
    added = graph().nodes[-1]
    added.same, added.is_cut = same, is_cut
    return result


def nodes(
    operator: str, inputs: Sequence[Value | None], outputs: int, **attributes: Any
) -> list[Value]:
    """Add an operator with several results."""
    results = [Value() for _ in range(outputs)]
    given = {name: value for name, value in attributes.items() if value is not None}
    scope = "/".join(graph().layers)
    graph().nodes.append(Node(operator, list(inputs), results, given, scope=scope))
    return results
