"""From the description of a file to a functional model, node by node."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nkeras import layers, ops
from nkeras.core import dtypes
from nkeras.core.errors import cut_text, short
from nkeras.core.graph import KerasTensor
from nkeras.core.variable import postponed_values
from nkeras.layers.base import Layer
from nkeras.models.model import Functional, Model
from nkeras.models.onnx.folding import ALWAYS, FOLDS
from nkeras.models.onnx.reading import Branch, Description, InputDescription, Node
from nkeras.models.onnx.table import OPERATORS, Call
from nkeras.models.onnx.values import AnySize, Known, Size, Traced, Value, zeros_of
from nkeras.models.parameter import Parameter

MOST_FOLDED = 16 * 2**20
"""Elements of all arrays together that are computed while a file is read."""
_SMALL = 4096
_SHAPE_INPUTS = {"Expand": (1,), "ConstantOfShape": (0,), "Range": (0, 1, 2)}
_MOST_NAMES = 100
_MOST_LISTED = 250  # characters


class Builder:
    """Makes layers and calls ops for the nodes of a graph.

    Args:
        description: the graph.
        input_shapes: sizes by the input's name, None for open ones, instead of those in the file.
        trainable: whether floats of the file are trained.
    """

    def __init__(
        self, description: Description, input_shapes: Mapping[str, Sequence[int | None]]
    ) -> None:
        self.description = description
        self.opset = description.opset
        self.values: dict[str, Value] = _known(description.weights)
        self.uses: dict[str, list[Node]] = {}
        self.done: set[int] = set()
        self._input_shapes = input_shapes
        self._inputs: list[Traced] = []
        self._names: set[str] = set()
        self._shared: dict[Hashable, tuple[Layer, object]] = {}
        self._folded = 0

    def build(self, name: str | None) -> Model:
        """The model."""
        self._refuse_unknown()
        graph = self.description
        for node in _all(graph.nodes):
            for used in node.needed():
                self.uses.setdefault(used, []).append(node)
        with postponed_values():  # shapes are compared with the file's before there is a value
            for item in graph.inputs:
                self._inputs.append(self._input(item))
                self.values[item.name] = self._inputs[-1]
            for node in graph.nodes:
                if id(node) not in self.done:
                    self._add(node)
        outputs = [self._output(output) for output in graph.outputs]
        inputs = [value.first for value in self._inputs]
        return Functional(
            inputs[0] if len(inputs) == 1 else inputs,
            outputs[0] if len(outputs) == 1 else outputs,
            name=name,
        )

    def _refuse_unknown(self) -> None:
        unknown: dict[str, list[str]] = {}
        for node in _all(self.description.nodes):
            if node.operator not in OPERATORS and node.operator not in FOLDS:
                unknown.setdefault(_on_one_line(node.operator), []).append(_on_one_line(node.name))
        if not unknown:
            return
        listed = "; ".join(
            f"{operator} ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})"
            for operator, names in list(unknown.items())[:_MOST_NAMES]
        )
        if len(listed) > _MOST_LISTED:  # then the nodes are left out
            listed = ", ".join(list(unknown)[:_MOST_NAMES])
        raise ValueError(
            f"from_onnx: nkeras does not know {len(unknown)} operators of the file: "
            f"{cut_text(listed, _MOST_LISTED)}. Export without them, or cut the graph in front of "
            "them."
        )

    def _input(self, item: InputDescription) -> Traced:
        given = self._input_shapes.get(item.name)
        sizes: list[Any]
        if given is not None:
            if item.sizes is not None and len(given) != len(item.sizes):
                raise ValueError(
                    f"from_onnx: argument `input_shapes` must have {len(item.sizes)} sizes for "
                    f"{short(item.name, 60)}. Received: {short(given)}"
                )
            sizes = [None if size is None else int(size) for size in given]
        elif item.sizes is None:
            raise ValueError(
                f"from_onnx: the file says no shape of the input {short(item.name, 60)}: give one "
                "in the argument `input_shapes`."
            )
        else:
            sizes = [Size(1, (s,)) if isinstance(s, str) and s else s for s in item.sizes]
            sizes = [None if size == "" else size for size in sizes]
        if not sizes:
            raise ValueError(
                f"from_onnx: the input {short(item.name, 60)} is a single number; a model's inputs "
                "have a first axis, along which the batch lies."
            )
        tensor = layers.Input(
            batch_shape=tuple(size if isinstance(size, int) else None for size in sizes),
            dtype=item.dtype,
            name=self.layer_name(item.name),
        )
        named = [
            Size(1, (f"{item.name}[{axis}]",)) if size is None else size
            for axis, size in enumerate(sizes)
        ]
        return Traced(tensor, named)

    def _output(self, name: str) -> KerasTensor:
        value = self.values[name]
        if not isinstance(value, Traced):
            raise ValueError(
                f"from_onnx: the output {short(name, 60)} does not depend on the inputs."
            )
        if value in self._inputs:
            return layers.Identity(name=self.layer_name(name))(value.first)
        return value.first

    def _add(self, node: Node) -> None:
        inputs = [self.values[name] if name else None for name in node.inputs]
        call = Call(node, inputs, self)
        try:
            made = self._results(call)
        except ValueError as error:
            if str(error).startswith("from_onnx: "):
                raise
            call.fail(cut_text(" ".join(str(error).split()), 250))
        except Exception as error:  # numbers of a file can be wrong in ways nobody thought of
            call.fail(f"{type(error).__name__}: {cut_text(' '.join(str(error).split()), 200)}")
        results = made if isinstance(made, list) else [made]
        for place, output in enumerate(node.outputs):
            if not output or output in self.values:  # joined with a node behind it
                continue
            if place < len(results):
                self.values[output] = results[place]
            elif output in self.uses or output in self.description.outputs:
                call.fail(f"its output {place + 1} is not computed by nkeras.")

    def _results(self, call: Call) -> Value | list[Value]:
        operator = call.operator
        rule = FOLDS.get(operator)
        given = [value for value in call.inputs if value is not None]
        if rule is not None and (
            operator in ALWAYS or all(isinstance(value, Known) for value in given)
        ):
            if operator not in OPERATORS or not self._is_left_open(call):
                with np.errstate(all="ignore"):
                    return Known(np.asarray(rule(call)), _weight_of(given))
        if operator not in OPERATORS:
            call.fail("its inputs must be known when the file is read; they are computed.")
        return OPERATORS[operator](call)

    def run(self, branch: Branch) -> list[Value]:
        """The values of a branch's outputs."""
        outside = self.values
        self.values = {**outside, **_known(branch.weights)}
        for node in branch.nodes:
            if id(node) not in self.done:
                self._add(node)
        found = [self.values[name] for name in branch.outputs]
        self.values = outside
        return found

    def _is_left_open(self, call: Call) -> bool:
        """Whether a shape that the node makes depends on sizes that are open."""
        shapes = _SHAPE_INPUTS.get(call.operator, ())
        values = [call.value(place) for place in shapes]
        return any(isinstance(value, Known) and value.is_open for value in values)

    def spend(self, elements: int) -> None:
        """Count elements of an array that is about to be computed.

        Raises:
            ValueError: they are too many.
        """
        self._folded += elements
        if self._folded > MOST_FOLDED:
            raise ValueError(
                f"it would make arrays of more than {MOST_FOLDED:,} elements while reading."
            )

    # Layers.

    def layer_name(self, name: str, suffix: str = "") -> str:
        """A valid name of a layer, made of one in the file, that no other layer has."""
        base = (
            re.sub(r"[^A-Za-z0-9_.\-]+", "_", name.strip("/"))[:_MOST_NAMES].strip("._") or "node"
        )
        base = found = base + suffix
        count = 0
        while found in self._names:
            count += 1
            found = f"{base}_{count}"
        self._names.add(found)
        return found

    def layer(
        self,
        call: Call,
        make: Callable[..., Layer],
        arguments: Mapping[str, Any],
        inputs: Any,
        weights: Mapping[str, tuple[int, np.ndarray]],
        dtype: str,
        part: int = 0,
    ) -> Any:
        """The result of a layer with weights of the file.

        Nodes with the same weights and arguments share one layer.

        Args:
            call: the node.
            make: class of the layer.
            arguments: of its constructor.
            inputs: what it is called on.
            weights: for the name of a variable the number of the input and the array.
            dtype: of the layer.
            part: number of the part of the weights, where several layers share them.
        """
        known = [call.value(place) for place, _ in weights.values()]
        key = (make, repr(sorted(arguments.items())), dtype, part, *map(id, known))
        found, _ = self._shared.get(key, (None, None))
        if found is not None:
            return found(inputs)
        layer = make(name=call.layer_name(), dtype=dtype, **arguments)
        outputs = layer(inputs)
        for name, (_, array) in weights.items():
            variable = getattr(layer, name)
            if tuple(variable.shape) != array.shape:
                call.fail(
                    f"its {name} must have shape {short(tuple(variable.shape))}, the file has "
                    f"{short(array.shape)}."
                )
            variable.assign(np.asarray(array, order="C"))
        self._shared[key] = (layer, known)
        return outputs

    # Arrays as tensors.

    def as_operand(
        self, known: Known, call: Call, channels_last: bool = False, rank: int | None = None
    ) -> Any:
        """A known array as an op takes it: weights are variables, others stay arrays."""
        if known.is_open:
            return self._sizes_as_tensor(known, call)
        array = known.array
        is_floating = dtypes.is_floating(known.dtype)
        is_trained = known.weight is not None and array.size > 1 and is_floating
        if is_trained or (is_floating and array.size > _SMALL):
            tensor = self._parameter(known, call, is_trained)
            return _turned(tensor, rank or known.rank) if channels_last else tensor
        if not array.ndim and rank:  # a configuration would have Python's number of it
            return array.reshape(1)
        if channels_last and rank is not None and rank > 2:
            wide = array.reshape((1,) * (rank - array.ndim) + array.shape)
            array = np.moveaxis(wide, 1, -1)
            ones = next((i for i, size in enumerate(array.shape[:-1]) if size != 1), rank - 1)
            array = array.reshape(array.shape[ones:])
        return array

    def as_traced(self, known: Known, call: Call) -> Traced:
        """A known array as symbolic tensor."""
        operand = self.as_operand(known, call)
        if isinstance(operand, np.ndarray):
            operand = self._parameter(known, call, False)
        return Traced(operand, known.sizes)

    def _parameter(self, known: Known, call: Call, trainable: bool) -> Any:
        key = ("parameter", id(known))
        found, _ = self._shared.get(key, (None, None))
        if found is None:
            found = Parameter(
                known.array.shape,
                trainable=trainable,
                dtype=known.dtype,
                autocast=False,
                name=self.layer_name(
                    known.weight or call.node.name, "" if known.weight else "_constant"
                ),
            )
            output = found(self._inputs[0].first)
            found.value.assign(np.array(known.array, order="C"))
            self._shared[key] = (found, known)
            return output
        return found.output

    def _sizes_as_tensor(self, known: Known, call: Call) -> Any:
        call.fail("it computes with a size that the file leaves open, which nkeras cannot.")

    def open_zeros(self, sizes: Sequence[AnySize], dtype: str, call: Call) -> Any:
        """Zeros with the open sizes among `sizes`, and 1 for the others."""
        rank = len(sizes)
        total: Any = None
        for axis, size in enumerate(sizes):
            if not isinstance(size, Size):
                continue
            source = next(
                ((x, i) for x in self._inputs for i, s in enumerate(x.sizes) if s == size), None
            )
            if source is None:
                call.fail(f"its size {cut_text(str(size))} is open and that of no input.")
            tensor, place = source[0].first, source[1]
            index = tuple(slice(None) if i == place else 0 for i in range(len(tensor.shape)))
            line = zeros_of(tensor[index], dtype)
            line = ops.reshape(line, [-1 if i == axis else 1 for i in range(rank)])
            total = line if total is None else ops.add(total, line)
        return total


def _known(weights: Mapping[str, np.ndarray]) -> dict[str, Value]:
    return {
        name: Known(array, name if dtypes.is_floating(array.dtype.name) else None)
        for name, array in weights.items()
    }


def _all(nodes: Sequence[Node]) -> Iterator[Node]:
    """The nodes, and those of their branches."""
    for node in nodes:
        yield node
        for branch in node.attributes.values():
            if isinstance(branch, Branch):
                yield from _all(branch.nodes)


def _weight_of(values: Sequence[Value]) -> str | None:
    return next((value.weight for value in values if value.weight is not None), None)


def _turned(tensor: Any, rank: int) -> Any:
    """A tensor that broadcasts to channels first, as one that broadcasts to channels last."""
    own = len(tensor.shape)
    if rank < 3 or own == 0:
        return tensor
    wide = ops.reshape(tensor, (*(1,) * (rank - own), *tensor.shape))
    return ops.transpose(wide, (0, *range(2, rank), 1))


def _on_one_line(text: str) -> str:
    return cut_text(" ".join(text.split()), 60)
