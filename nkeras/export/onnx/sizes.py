"""Sizes that are not known: the same graph from several runs, with other sizes, becomes one.

Whatever differs between the runs follows from the unknown sizes: it is computed in the file from
the shapes of values that are there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from nkeras.export.onnx.cuts import trimmed
from nkeras.export.onnx.graph import Body, ExportError, Graph, Node, Value, constant, node

Sizes = tuple[int, ...]


def merged(runs: Sequence[Graph]) -> Graph:
    """One graph of those of several runs.

    Raises:
        ValueError: the runs differ in what cannot be computed from sizes.
    """
    return _Merge(runs).graph


class _Merge:
    def __init__(self, runs: Sequence[Graph]) -> None:
        first = runs[0]
        self.graph = Graph(first.opset, first.inputs, first.outputs)
        self._alike: dict[int, tuple[Value, ...]] = {}  # by id in the first run: those of all
        self._known: dict[Sizes, tuple[Value, int]] = {}  # where sizes can be read
        self._read: dict[tuple[int, int], Value] = {}
        self._meet(*[run.inputs for run in runs])
        with self.graph.scope():
            self._nodes([run.nodes for run in runs], self.graph.nodes)

    def _meet(self, *runs: Sequence[Value]) -> None:
        for values in zip(*runs, strict=True):
            self._alike[id(values[0])] = values
            shapes = [value.shape for value in values]
            if any(shape is None for shape in shapes):
                continue
            for axis, sizes in enumerate(zip(*shapes, strict=True)):  # type: ignore[arg-type]
                if len(set(sizes)) > 1:
                    self._known.setdefault(sizes, (values[0], axis))

    def _nodes(self, runs: Sequence[Sequence[Node]], target: list[Node]) -> None:
        operators = [[one.operator for one in run] for run in runs]
        if any(names != operators[0] for names in operators):
            raise _other_graph()
        for group in zip(*runs, strict=True):
            alike = trimmed(group) if group[0].is_cut else group
            first = alike[0]
            if any(len(one.inputs) != len(first.inputs) for one in alike):
                raise _other_graph()
            self._attributes(alike)
            inputs = [
                self._input(first, values)
                for values in zip(*(one.inputs for one in alike), strict=True)
            ]
            target.append(replace(first, inputs=inputs))
            self._meet(*[one.outputs for one in alike])

    def _attributes(self, group: Sequence[Node]) -> None:
        first = group[0]
        for name, value in first.attributes.items():
            others = [one.attributes[name] for one in group]
            if isinstance(value, Body):
                self._meet(*[body.inputs for body in others])
                inner: list[Node] = []
                self._nodes([body.graph.nodes for body in others], inner)
                value.graph.nodes = inner
            elif any(other != value for other in others):
                if name != "pads" or not all(one.same for one in group):
                    raise _not_computable(f"`{name}` of the operator {first.operator}")
        if any(one.attributes.get("pads") != first.attributes.get("pads") for one in group):
            del first.attributes["pads"]
            first.attributes["auto_pad"] = "SAME_UPPER"

    def _input(self, owner: Node, values: tuple[Value | None, ...]) -> Value | None:
        first = values[0]
        if first is None or all(value is first for value in values):
            return first
        if id(first) in self._alike:
            alike = self._alike[id(first)]
            if any(one is not other for one, other in zip(alike, values, strict=True)):
                raise _not_computable(f"what the operator {owner.operator} works on")
            return first
        arrays = [value.data for value in values if value is not None and value.data is not None]
        if len(arrays) != len(values):
            raise _not_computable(f"what the operator {owner.operator} works on")
        if all(_is_equal(array, arrays[0]) for array in arrays):
            return first
        return self._constant(owner, arrays)

    def _constant(self, owner: Node, arrays: Sequence[np.ndarray]) -> Value:
        shapes = [array.shape for array in arrays]
        if any(len(shape) != len(shapes[0]) for shape in shapes):
            raise _not_computable(f"a constant of the operator {owner.operator}")
        if all(shape == shapes[0] for shape in shapes):
            return self._numbers(owner, arrays)
        return self._array(owner, arrays)

    # Numbers that depend on sizes.

    def _numbers(self, owner: Node, arrays: Sequence[np.ndarray]) -> Value:
        first = arrays[0]
        is_integer = first.dtype.kind == "i"
        if first.ndim > 1 or (first.ndim == 1 and not is_integer):
            raise _not_computable(f"a constant of the operator {owner.operator}")
        columns = [
            tuple(column) for column in zip(*(array.reshape(-1) for array in arrays), strict=True)
        ]
        if owner.operator == "Reshape" and sum(len(set(column)) > 1 for column in columns) == 1:
            if all(0 not in column and -1 not in column for column in columns):
                return constant([-1 if len(set(one)) > 1 else one[0] for one in columns])
        if is_integer:
            parts = [self._size(tuple(map(int, column)), owner) for column in columns]
            vector = parts[0] if len(parts) == 1 else node("Concat", *parts, axis=0)
        else:
            vector = self._real(columns[0], owner)
        if first.dtype != np.int64:
            vector = node("Cast", vector, to=first.dtype)
        return node("Squeeze", vector, constant([0])) if first.ndim == 0 else vector

    def _real(self, numbers: tuple[Any, ...], owner: Node) -> Value:
        """A number such as the mean's count, or its reciprocal."""
        exact = [float(number) for number in numbers]
        if all(number.is_integer() for number in exact):
            size = self._size(tuple(map(int, exact)), owner)
            return node("Cast", size, to=np.dtype("float64"))
        whole = [round(1.0 / number) for number in exact]
        if all(
            abs(1.0 / n - number) <= 1e-6 * abs(number)
            for n, number in zip(whole, exact, strict=True)
        ):
            size = self._size(tuple(whole), owner)
            return node("Reciprocal", node("Cast", size, to=np.dtype("float64")))
        raise _not_computable(f"a number of the operator {owner.operator}")

    def _size(self, sizes: Sizes, owner: Node) -> Value:
        """A vector of one size."""
        if len(set(sizes)) == 1:
            return constant([sizes[0]])
        if sizes in self._known:
            return self._shape(*self._known[sizes])
        for known, place in self._known.items():
            found = _line(known, sizes)
            if found is not None:
                return _scaled(self._shape(*place), *found)
        for known, place in self._known.items():
            limited = _limited(known, sizes)
            if limited is not None:
                operator, limit, line = limited
                return node(operator, _scaled(self._shape(*place), *line), constant([limit]))
        for known, place in self._known.items():
            for other, beside in self._known.items():
                product = tuple(a * b for a, b in zip(known, other, strict=True))
                found = _line(product, sizes)
                if found is not None:
                    both = node("Mul", self._shape(*place), self._shape(*beside))
                    return _scaled(both, *found)
        raise _not_computable(f"a size of the operator {owner.operator}")

    def _shape(self, value: Value, axis: int) -> Value:
        key = id(value), axis
        if key not in self._read:
            self._read[key] = node("Shape", value, start=axis, end=axis + 1)
        return self._read[key]

    # Arrays whose shapes depend on sizes.

    def _array(self, owner: Node, arrays: Sequence[np.ndarray]) -> Value:
        shapes = [array.shape for array in arrays]
        open_axes = [
            axis for axis, sizes in enumerate(zip(*shapes, strict=True)) if len(set(sizes)) > 1
        ]
        small = list(arrays)
        left: list[int] = []
        for axis in open_axes:
            if all(_is_flat(array, axis) for array in arrays):
                small = [array.take([0], axis) for array in small]
            else:
                left.append(axis)
        whole = [self._size(tuple(sizes), owner) for sizes in zip(*shapes, strict=True)]
        shape = whole[0] if len(whole) == 1 else node("Concat", *whole, axis=0)
        if not left:
            if not all(_is_equal(array, small[0]) for array in small):
                raise _not_computable(f"a constant of the operator {owner.operator}")
            return node("Expand", constant(small[0], small[0].dtype), shape)
        if len(left) > 1 or any(array.size != array.shape[left[0]] for array in small):
            raise _not_computable(f"a constant of the operator {owner.operator}")
        line = self._line_of_numbers(owner, [array.reshape(-1) for array in small], whole[left[0]])
        sizes = [1] * len(shapes[0])
        sizes[left[0]] = -1
        return node("Expand", node("Reshape", line, constant(sizes)), shape)

    def _line_of_numbers(self, owner: Node, lines: list[np.ndarray], size: Value) -> Value:
        """Numbers at equal distances, of which only the count differs."""
        first = lines[0].astype("float64")
        start, step = float(first[0]), float(first[1] - first[0]) if len(first) > 1 else 0.0
        for line in lines:
            wanted = start + step * np.arange(len(line))
            if not step.is_integer() or not np.array_equal(line.astype("float64"), wanted):
                raise _not_computable(f"a constant of the operator {owner.operator}")
        count = node("Squeeze", size, constant([0]))
        places = node("Range", constant(0), count, constant(1))
        dtype = lines[0].dtype
        scaled = node(
            "Mul", node("Cast", places, to=np.dtype("float64")), constant(step, "float64")
        )
        return node("Cast", node("Add", scaled, constant(start, "float64")), to=dtype)


def _line(known: Sizes, wanted: Sizes) -> tuple[Fraction, int] | None:
    """Slope and start of a line through all pairs, or None."""
    pairs = sorted(zip(known, wanted, strict=True))
    (x, y), (x_last, y_last) = pairs[0], pairs[-1]
    if x == x_last:
        return None
    slope = Fraction(y_last - y, x_last - x)
    start = y - slope * x
    if start.denominator != 1 or any(slope * a + start != b for a, b in pairs):
        return None
    return slope, int(start)


def _limited(known: Sizes, wanted: Sizes) -> tuple[str, int, tuple[Fraction, int]] | None:
    """A line that is cut at a limit: `Min` or `Max`, the limit, and the line."""
    for operator, limit, cut in (("Min", max(wanted), min), ("Max", min(wanted), max)):
        free = [(x, y) for x, y in zip(known, wanted, strict=True) if y != limit]
        lines = [_line((x, 0), (y, y - x)) for x, y in free[:1]] if len(free) == 1 else []
        if len(free) > 1:
            lines = [_line(*zip(*free, strict=True))]
        for line in lines:
            if line is None:
                continue
            slope, start = line
            values = [slope * x + start for x in known]
            if all(cut(y, limit) == z for y, z in zip(values, wanted, strict=True)):
                return operator, limit, line
    return None


def _scaled(size: Value, slope: Fraction, start: int) -> Value:
    if slope.numerator != 1:
        size = node("Mul", size, constant([slope.numerator]))
    if slope.denominator != 1:
        size = node("Div", size, constant([slope.denominator]))
    return node("Add", size, constant([start])) if start else size


def _is_equal(one: np.ndarray, other: np.ndarray) -> bool:
    if one is other:
        return True
    return (
        one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()
    )


def _is_flat(array: np.ndarray, axis: int) -> bool:
    """Whether all slices along an axis are equal."""
    return bool(array.size) and bool((array == array.take([0], axis)).all())


def _other_graph() -> ExportError:
    return ExportError(
        "Model.export: the model does other things for other sizes of an axis that is None, such "
        "as a loop over it. Give its size: Input(shape), or "
        "`input_signature=[nkeras.InputSpec(shape=...)]`."
    )


def _not_computable(what: str) -> ExportError:
    return ExportError(
        f"Model.export: {what} depends on the size of an axis that is None, in a way that cannot "
        "be computed in the file. Give its size: Input(shape), or "
        "`input_signature=[nkeras.InputSpec(shape=...)]`."
    )
