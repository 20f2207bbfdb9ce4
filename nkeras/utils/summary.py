"""`model.summary()`: the layers of a model as a table, then the totals, as Keras 3 prints them."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from nkeras.core import dtypes, tree
from nkeras.core.errors import is_a, short
from nkeras.core.graph import Node, calls_of, class_name_of
from nkeras.core.typing import AnyTensor, Structure
from nkeras.utils import io_utils
from nkeras.utils.html import cell
from nkeras.utils.html import table as html_table
from nkeras.utils.summary_table import summary_table

if TYPE_CHECKING:
    from nkeras.core.operation import Operation
    from nkeras.inspect.costs import Cost
    from nkeras.models.model import Model

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def print_summary(
    model: Model,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], object] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
    costs: bool = False,
) -> None:
    """Print the layers of a model with output shapes and numbers of parameters, and the totals.

    Notebooks show it as HTML, with the text beside it for those that cannot.

    Args:
        model: Sequential, functional or subclassed model, built or not.
        line_length: width of the table; at most 88 (or 108 with connections), and not wider than
            the terminal, by default.
        positions: where each column ends, as a fraction of `line_length`, ascending.
        print_fn: called once with the whole text, instead of printing it.
        expand_nested: also show the layers of nested models.
        show_trainable: add a column that says which layers are trained.
        layer_range: two names, or patterns for `re.match`: show the layers from the first match of
            the one to the last match of the other.
        costs: whether to add, for one sample, the floating-point operations of each layer, the
            bytes of its outputs, and the time that it took just now on the active backend.

    Raises:
        ValueError: the line is too short, or `layer_range` matches no layer.

    Example:
        >>> import nkeras
        >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2)], name="small")
        >>> print_summary(model, line_length=48, print_fn=lambda text: print(text.split()[1]))
        "small"

    Source: https://keras.io/api/models/model/
    """
    table = _Table(model, expand_nested, show_trainable, costs)
    default_length, default_positions = table.geometry
    if positions is None:
        positions = default_positions
    if show_trainable:
        default_length += 12
        positions = [*(position * 0.9 for position in positions), 1.0]
    if line_length is None:
        line_length = min(default_length, shutil.get_terminal_size().columns - 4)
    first, end = _bounds(table.layers, layer_range, table.name)
    rows = [row for layer in table.layers[first:end] for row in table.rows(layer)]
    lines = [
        f'Model: "{model.name}"',
        summary_table(table.headers, rows, table.alignments, line_length, positions),
        *_totals(model),
    ]
    text = "\n".join([*lines, ""])
    if print_fn is None:
        io_utils.print_rich(text, lambda: _html(model, table, rows))
    else:
        print_fn(text)


def _html(model: Model, table: _Table, rows: Sequence[Sequence[str]]) -> str:
    """The same for notebooks."""
    totals = "<br>".join(cell(line.strip()) for line in _totals(model))
    title = f"<div>Model: <b>{cell(model.name)}</b></div>"
    return f"{title}{html_table(table.headers, rows)}<div>{totals}</div>"


class _Table:
    """What stands in the columns; calls of ops are rows like layers."""

    def __init__(
        self, model: Model, expand_nested: bool, show_trainable: bool, costs: bool = False
    ) -> None:
        from nkeras.models.configuration import operation_names

        self.expand_nested = expand_nested
        self.show_trainable = show_trainable
        self.layers: Sequence[Operation | Node] = model.layers
        self.names: dict[int, str] = {}
        self.nodes: list[Node] | None = None
        graph = model.shown_graph
        if graph is not None:
            self.layers = graph.operations
            self.names = operation_names(self.layers)
            nodes = [calls_of(layer)[0] for layer in graph.input_layers] + graph.nodes
            self.nodes = None if costs or _is_chain(nodes) else nodes

        self.headers = ["Layer (type)", "Output Shape", "Param #"]
        self.alignments = ["left", "left", "right"]
        self.geometry: tuple[int, Sequence[float]] = (88, (0.45, 0.80, 1.0))
        if self.nodes is not None:
            self.headers.append("Connected to")
            self.alignments.append("left")
            self.geometry = (108, (0.3, 0.56, 0.74, 1.0))
        if show_trainable:
            self.headers.append("Trainable")
            self.alignments.append("center")
        self.costs: dict[str, Cost] | None = None
        if costs:
            from nkeras.inspect.costs import costs as measured

            self.costs = measured(model)
            self.headers += ["FLOPs", "Bytes", "Time"]
            self.alignments += ["right"] * 3
            self.geometry = (100, (0.36, 0.54, 0.66, 0.77, 0.88, 1.0))

    def rows(self, layer: Operation | Node, around: tuple[str, ...] = ()) -> list[list[str]]:
        """The row of a layer, and those of the layers in it."""
        prefix = "   " * len(around) + "└ " if around else ""
        fields = [
            f"{prefix}{self.name(layer)} ({class_name_of(layer)})",
            _output_shape(layer),
            _parameters(layer),
        ]
        if self.nodes is not None:
            fields.append(self.connections(layer))
        if self.show_trainable:
            if not getattr(layer, "weights", ()):
                fields.append("-")
            else:
                fields.append("Y" if getattr(layer, "trainable", True) else "N")
        path = (*around, self.name(layer))
        if self.costs is not None:
            fields += _cost("/".join(path), self.costs)
        found = [fields]
        if self.expand_nested:
            for inner in getattr(layer, "layers", ()):
                found += self.rows(inner, path)
        return found

    def name(self, layer: Operation | Node) -> str:
        """The name of a layer, or that of an op's call."""
        return self.names[id(layer)] if isinstance(layer, Node) else layer.name

    def connections(self, layer: Operation | Node) -> str:
        """The tensors that a layer takes: name, number of the call, number of the output."""
        members = {id(node) for node in self.nodes or ()}
        found = []
        for node in calls_of(layer):
            if id(node) not in members:
                continue
            for tensor in node.input_tensors:
                source = tensor.node
                if source is None:
                    continue
                operation = _layer_of(source)
                number = calls_of(operation).index(source)
                found.append(f"{self.name(operation)}[{number}][{tensor.index}]")
        return ", ".join(found) or "-"


def _cost(name: str, costs: Mapping[str, Cost]) -> list[str]:
    from nkeras.inspect.costs import cost_of

    flops, size, microseconds = cost_of(name, costs)
    return [_scaled(flops, ""), _scaled(size, "B"), _scaled(microseconds * 1e-6, "s")]


def _scaled(value: float, unit: str) -> str:
    """A number of at most three digits with a prefix of SI."""
    scale = 0
    while value >= 999.5:
        value, scale = value / 1000, scale + 1
    while 0 < value < 0.9995 and scale > -3:
        value, scale = value * 1000, scale - 1
    digits = 1 if 0 < value < 9.95 else 0
    return f"{value:.{digits}f}{'num kMGTPE'[scale + 3].strip()}{unit}"


def _layer_of(node: Node) -> Operation | Node:
    """The layer that a call belongs to; for a call of an op the call itself."""
    return node.operation if hasattr(node.operation, "_inbound_nodes") else node


def _is_chain(nodes: Sequence[Node]) -> bool:
    """Whether each call takes one tensor, that of the call before, and no layer is called twice."""
    if sum(node.is_input for node in nodes) > 1:
        return False
    if len({id(_layer_of(node)) for node in nodes}) < len(nodes):
        return False
    parents = [id(parent) for node in nodes for parent in node.parents]
    one_each = all(len(node.input_tensors) <= 1 for node in nodes)
    return one_each and len(set(parents)) == len(parents)


def _output_shape(layer: Structure) -> str:
    calls = calls_of(layer)
    if calls:
        shapes = [_shape(tensor.shape) for tensor in calls[-1].output_tensors]
    else:
        built_with = getattr(layer, "_build_shapes", None)
        if not built_with:
            return "?"
        try:
            if getattr(layer, "_graph", None) is not None:
                return _shape(layer.output_shape)
            shapes = _shapes(layer.compute_output_shape(*built_with.values()))
        except NotImplementedError:
            return "?"
    flat = tree.flatten(shapes)
    return flat[0] if len(flat) == 1 else str(shapes).replace("'", "")


def _shapes(structure: Structure) -> Structure:
    """A structure of shapes with each shape as text."""
    if isinstance(structure, dict):
        return {key: _shapes(value) for key, value in structure.items()}
    if all(size is None or isinstance(size, int) for size in structure):
        return _shape(structure)
    return type(structure)(_shapes(part) for part in structure)


def _shape(shape: Iterable[int | None]) -> str:
    return f"({', '.join(str(size) for size in shape)})"


def _parameters(layer: Operation | Node) -> str:
    count: Callable[[], int] | None = getattr(layer, "count_params", None)
    if count is None:  # an operation
        return "0"
    return f"{count():,}" if getattr(layer, "built", True) else "0 (unbuilt)"


def _bounds(
    layers: Sequence[Operation | Node],
    layer_range: Sequence[str] | None,
    name: Callable[[Operation | Node], str],
) -> tuple[int, int]:
    """First and end index of the layers to show."""
    if layer_range is None:
        return 0, len(layers)
    if len(layer_range) != 2 or not all(is_a(name, str) for name in layer_range):
        raise ValueError(
            "summary: argument `layer_range` must be two strings, the names of the first and the "
            f"last layer. Received: layer_range={short(layer_range)}"
        )
    first, other = (
        [index for index, layer in enumerate(layers) if re.match(pattern, name(layer))]
        for pattern in layer_range
    )
    if not first or not other:
        raise ValueError(
            "summary: argument `layer_range` must match names of layers. "
            f"Received: layer_range={short(layer_range)}; the layers are "
            f"{short([*map(name, layers)])}"
        )
    if first[0] > other[-1]:
        return other[0], first[-1] + 1
    return first[0], other[-1] + 1


def _totals(model: Model) -> list[str]:
    counted = {
        "Trainable": model.trainable_weights,
        "Non-trainable": model.non_trainable_weights,
    }
    optimizer = getattr(model, "optimizer", None)
    if getattr(model, "compiled", False) and optimizer is not None and optimizer.built:
        counted["Optimizer"] = optimizer.variables
    numbers = {kind: (count_params(own), memory_size(own)) for kind, own in counted.items()}
    whole = tuple(sum(column) for column in zip(*numbers.values(), strict=True))
    lines = [_total("Total", *whole)]
    return lines + [_total(kind, *pair) for kind, pair in numbers.items()]


def _total(kind: str, count: float, size: float) -> str:
    return f" {kind} params: {count:,} ({readable_size(size)})"


def count_params(weights: Iterable[AnyTensor]) -> int:
    """The number of elements of all weights.

    Example:
        >>> import nkeras
        >>> count_params([nkeras.ops.ones((2, 3)), nkeras.ops.ones(4)])
        10
    """
    return sum(math.prod(weight.shape) for weight in weights)


def memory_size(weights: Iterable[AnyTensor]) -> int:
    """The bytes that weights take, each counted once.

    Example:
        >>> import nkeras
        >>> memory_size([nkeras.ops.ones((2, 3), dtype="float16")])
        12
    """
    once = {id(weight): weight for weight in weights}.values()
    return sum(math.prod(weight.shape) * dtypes.to_numpy(weight.dtype).itemsize for weight in once)


def readable_size(size: float) -> str:
    """A number of bytes with its unit.

    Example:
        >>> readable_size(4936)
        '4.82 KB'
    """
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size /= 1024
        unit += 1
    return f"{size:.2f} {_UNITS[unit]}"
