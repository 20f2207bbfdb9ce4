"""What a model is made of, for drawings: boxes for the calls of layers, edges for tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nkeras.core import graph
from nkeras.core.errors import cut_text, short
from nkeras.core.graph import KerasTensor, Node, class_name_of
from nkeras.core.operation import Operation
from nkeras.core.typing import PartialShape
from nkeras.layers.core import Input, InputLayer
from nkeras.models.configuration import operation_names
from nkeras.models.functional import Graph
from nkeras.tree import map_shape_structure

if TYPE_CHECKING:
    from nkeras.layers.base import Layer
    from nkeras.models.model import Model

Ends = tuple[int, int]  # a box, and which of its tensors


@dataclass(frozen=True)
class Box:
    """One call of a layer or an op.

    Attributes:
        name: of the layer, unique in its model.
        class_name: its class, or the op's name as Keras writes classes of ops.
        operation: the layer, or the node of an op's call.
        inputs: shape and dtype of each tensor that it takes.
        outputs: likewise.
        call: which of the layer's calls in this model, and of how many.
        inner: the outline of a nested model, if it is wanted and known.
        node: the call, where it is known.
    """

    name: str
    class_name: str
    operation: Operation | Node
    inputs: tuple[tuple[PartialShape, str], ...]
    outputs: tuple[tuple[PartialShape, str], ...]
    call: tuple[int, int] = (1, 1)
    inner: Outline | None = None
    node: Node | None = None

    @property
    def activation(self) -> str | None:
        """The name of the layer's activation, None where it has none or it changes nothing."""
        activation = getattr(self.operation, "activation", None)
        if activation is None:
            return None
        name = getattr(activation, "__name__", None) or getattr(activation, "name", None)
        return None if name == "linear" else cut_text(str(name or type(activation).__name__))

    @property
    def parameters(self) -> int:
        """The number of elements of its weights."""
        count: Callable[[], int] | None = getattr(self.operation, "count_params", None)
        return count() if count is not None and getattr(self.operation, "built", True) else 0

    @property
    def trainable(self) -> bool | None:
        """Whether its weights are trained; None where it has none."""
        if not getattr(self.operation, "weights", ()):
            return None
        return bool(getattr(self.operation, "trainable", True))


@dataclass(frozen=True)
class Outline:
    """A model as boxes and edges.

    Attributes:
        name: of the model.
        class_name: its class.
        boxes: each behind those that it depends on.
        edges: pairs of ends: a tensor that a box makes, and a tensor that a later box takes.
        inputs: for each input of the model the box that stands for it, and its tensor.
        outputs: for each output of the model the box that makes it, and its tensor.
    """

    name: str
    class_name: str
    boxes: list[Box]
    edges: list[tuple[Ends, Ends]]
    inputs: list[Ends]
    outputs: list[Ends]


def outline(model: Model, expand_nested: bool = True) -> Outline:
    """The boxes and edges of a model.

    A functional model has one box for each call in its graph, a `Sequential` one for each layer. A
    subclassed model's `call` is traced where the shapes of its inputs are known and its code works
    on symbolic tensors; otherwise the model is a single box.

    Args:
        model: a built model.
        expand_nested: whether boxes of models have their own outlines inside.

    Returns:
        The outline.

    Raises:
        ValueError: the model is not built.

    Example:
        >>> import nkeras
        >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2, name="a")])
        >>> [box.name for box in outline(model).boxes][1:]
        ['a']
    """
    if not hasattr(model, "has_graph"):
        raise ValueError(f"A model is needed here. Received: {short(model)}")
    if not model.built:
        raise ValueError(
            f"Model {cut_text(model.name)} is not built yet, so its shapes are not known. Build it "
            "by `build(input_shape)` or by calling it on a batch of data."
        )
    found = graph_of(model)
    if found is None:
        box = _box(model, model.name, [], [])
        return Outline(model.name, type(model).__name__, [box], [], [], [(0, 0)])
    return _outline_of(model, found, expand_nested)


def graph_of(model: Model) -> Graph | None:
    """The graph of a model, by a trace where it is none of symbolic tensors; None without one."""
    if model.has_graph():
        return model.need_graph()
    shapes: Any = model.get_build_config()
    if not shapes:
        return None
    arguments = [
        map_shape_structure(lambda shape: _input(shape, model.input_dtype), structure)
        for structure in shapes.get("shapes_dict", shapes).values()
    ]
    try:
        with _calls_forgotten(model), graph.building():
            return Graph(arguments, model.call(*arguments))
    except Exception:  # the user's code may want values, or anything else
        return None


def _input(shape: PartialShape, dtype: str) -> KerasTensor:
    return Input(batch_shape=(None, *shape[1:]), dtype=dtype)


@contextmanager
def _calls_forgotten(model: Model) -> Generator[None, None, None]:
    """Around a trace: behind it the layers know as little of it as before."""
    inner: list[Layer] = model._flatten_layers()  # pyright: ignore[reportPrivateUsage]  Keras' name
    before = [(graph.calls_of(layer), len(graph.calls_of(layer))) for layer in inner]
    try:
        yield
    finally:
        for calls, count in before:
            del calls[count:]


def _outline_of(model: Model, found: Graph, expand_nested: bool) -> Outline:
    members = {id(node) for node in found.nodes}
    inputs = [tensor.node for tensor in found.inputs if tensor.node is not None]
    nodes = [node for node in inputs if id(node) not in members] + found.nodes
    names = operation_names(found.operations)
    totals = Counter(_key(node) for node in nodes)
    calls: Counter[int] = Counter()
    boxes: list[Box] = []
    numbers: dict[int, Ends] = {}
    edges: list[tuple[Ends, Ends]] = []
    for node in nodes:
        key = _key(node)
        calls[key] += 1
        inner = _inner(node.operation) if expand_nested else None
        box = _box(
            node.operation if isinstance(node.operation, Operation) else node,
            names[key],
            node.input_tensors,
            node.output_tensors,
            (calls[key], totals[key]),
            inner,
            node,
        )
        edges += [
            (numbers[id(tensor)], (len(boxes), position))
            for position, tensor in enumerate(node.input_tensors)
        ]
        numbers |= {id(t): (len(boxes), index) for index, t in enumerate(node.output_tensors)}
        boxes.append(box)
    return Outline(
        model.name,
        type(model).__name__,
        boxes,
        edges,
        [numbers[id(tensor)] for tensor in found.inputs],
        [numbers[id(tensor)] for tensor in found.outputs],
    )


def _key(node: Node) -> int:
    return id(node.operation) if isinstance(node.operation, Operation) else id(node)


def _inner(operation: Any) -> Outline | None:
    """The outline of a nested model with more than one box."""
    if not hasattr(operation, "has_graph") or not operation.built:
        return None
    found = outline(operation)
    return found if len(found.boxes) > 1 else None


def _box(
    operation: Operation | Node,
    name: str,
    inputs: Sequence[KerasTensor],
    outputs: Sequence[KerasTensor],
    call: tuple[int, int] = (1, 1),
    inner: Outline | None = None,
    node: Node | None = None,
) -> Box:
    return Box(
        name,
        class_name_of(operation),
        operation,
        () if isinstance(operation, InputLayer) else tuple(map(_facts, inputs)),
        tuple(map(_facts, outputs)),
        call,
        inner,
        node,
    )


def _facts(tensor: KerasTensor) -> tuple[PartialShape, str]:
    return tuple(tensor.shape), tensor.dtype


def walk(found: Outline, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Box]]:
    """All boxes with the names of the models around them, nested ones behind their own."""
    for box in found.boxes:
        yield path, box
        if box.inner is not None:
            yield from walk(box.inner, (*path, box.name))
