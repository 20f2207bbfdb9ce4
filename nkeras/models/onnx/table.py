"""The table from operators of ONNX to functions that build them, and what these are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from nkeras.core.errors import cut_text, short
from nkeras.core.graph import KerasTensor
from nkeras.models.onnx.reading import Node
from nkeras.models.onnx.values import AnySize, Known, Size, Traced, Value, placed

if TYPE_CHECKING:
    from nkeras.models.onnx.building import Builder

Rule: TypeAlias = "Callable[[Call], Value | list[Value]]"

OPERATORS: dict[str, Rule] = {}
"""What builds each operator on symbolic tensors."""


def operator(*names: str) -> Callable[[Rule], Rule]:
    """Decorator: enter a function that builds these operators."""

    def enter(rule: Rule) -> Rule:
        for name in names:
            assert name not in OPERATORS, name
            OPERATORS[name] = rule
        return rule

    return enter


class Call:
    """One node with the values of its inputs.

    Args:
        node: the node.
        inputs: values; None for one that is left out.
        builder: what builds the model.
    """

    def __init__(self, node: Node, inputs: list[Value | None], builder: Builder) -> None:
        self.node = node
        self.inputs = inputs
        self.builder = builder
        self.opset = builder.opset

    @property
    def operator(self) -> str:
        """The operator's name."""
        return self.node.operator

    def fail(self, what: str) -> NoReturn:
        """Raise a ValueError that names the node."""
        raise ValueError(
            f"from_onnx: node {short(self.node.name, 60)} ({cut_text(self.operator, 40)}): {what}"
        )

    # Attributes.

    def _attribute(self, name: str, kind: type | tuple[type, ...], expected: str) -> Any:
        found = self.node.attributes.get(name)
        if name in self.node.attributes and not isinstance(found, kind):
            self.fail(f"the attribute `{name}` must be {expected}.")
        return found

    def integer(self, name: str, default: int) -> int:
        """An attribute that is an int."""
        found = self._attribute(name, int, "an int")
        return default if found is None else found

    def number(self, name: str, default: float) -> float:
        """An attribute that is a float."""
        found = self._attribute(name, (int, float), "a number")
        return default if found is None else float(found)

    def text(self, name: str, default: str) -> str:
        """An attribute that is a text."""
        found = self._attribute(name, str, "a text")
        return default if found is None else found

    def integers(self, name: str) -> list[int] | None:
        """An attribute that is a list of int, or None."""
        found = self._attribute(name, list, "a list of int")
        if found is not None and not all(isinstance(item, int) for item in found):
            self.fail(f"the attribute `{name}` must be a list of int.")
        return found

    def flag(self, name: str, default: bool) -> bool:
        """An attribute that is 0 or 1."""
        return bool(self.integer(name, int(default)))

    # Inputs.

    def has(self, place: int) -> bool:
        """Whether an input is given."""
        return place < len(self.inputs) and self.inputs[place] is not None

    def value(self, place: int = 0) -> Value:
        """An input that must be given."""
        found = self.inputs[place] if place < len(self.inputs) else None
        if found is None:
            self.fail(f"input {place} is missing.")
        return found

    def traced(self, place: int = 0) -> Traced:
        """An input as symbolic tensor; what is known becomes one."""
        value = self.value(place)
        return value if isinstance(value, Traced) else self.builder.as_traced(value, self)

    def tensor(self, place: int = 0) -> KerasTensor:
        """An input as symbolic tensor in the layout of ONNX."""
        return self.traced(place).first

    def operand(self, place: int, channels_last: bool = False, rank: int | None = None) -> Any:
        """An input as tensor or array that an op takes, in a layout.

        Args:
            place: number of the input.
            channels_last: the layout.
            rank: of the result, to which the input is broadcast.
        """
        value = self.value(place)
        if isinstance(value, Traced):
            return value.get(channels_last)
        return self.builder.as_operand(value, self, channels_last, rank)

    def array(self, place: int) -> np.ndarray:
        """An input that must be a known array."""
        value = self.value(place)
        if not isinstance(value, Known) or value.is_open:
            self.fail(f"input {place} must be known when the file is read; it is computed.")
        return value.array

    def weight(self, place: int, rank: int | None = None) -> np.ndarray:
        """An input that must be a known array of floats, of some rank."""
        array = self.array(place)
        if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
            self.fail(f"input {place} must hold floats, not {array.dtype.name}.")
        if rank is not None and array.ndim != rank:
            self.fail(f"input {place} must have {rank} axes. Its shape is {short(array.shape)}.")
        return array

    def vector(self, place: int, size: int) -> np.ndarray:
        """An input that must be a known vector of so many floats."""
        array = self.weight(place, 1)
        if array.shape != (size,):
            self.fail(f"input {place} must have shape {(size,)}, not {short(array.shape)}.")
        return array

    def scalar(self, place: int) -> Any:
        """An input that must be one known number, as Python's."""
        array = self.array(place)
        if array.size != 1:
            self.fail(f"input {place} must be one number. Its shape is {short(array.shape)}.")
        return (
            array.reshape(()).astype("float64" if array.dtype.kind in "Vf" else array.dtype).item()
        )

    def sizes(self, place: int) -> list[AnySize]:
        """An input that is a known list of int; sizes among them may be open."""
        value = self.value(place)
        if not isinstance(value, Known):
            self.fail(f"input {place} must be known when the file is read; it is computed.")
        if value.rank > 1 or value.array.dtype.kind not in "iuO":
            self.fail(f"input {place} must be a list of int.")
        return [item if isinstance(item, Size) else int(item) for item in value.array.reshape(-1)]

    def numbers(self, place: int) -> list[int]:
        """An input that is a known list of int."""
        found: list[int] = []
        for size in self.sizes(place):
            if isinstance(size, Size):
                self.fail(
                    f"input {place} depends on the size {cut_text(str(size))}, which is open."
                )
            found.append(size)
        return found

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front."""
        if not -rank <= axis < max(rank, 1):
            self.fail(f"there is no axis {axis} in a tensor with {rank} axes.")
        return axis % rank if rank else 0

    def axes(self, axes: Sequence[int], rank: int) -> list[int]:
        """Axes counted from the front, ascending, each once."""
        found = sorted(self.axis(axis, rank) for axis in axes)
        if len(set(found)) != len(found):
            self.fail(f"an axis stands twice in {short(list(axes))}.")
        return found

    def listed(self, name: str, place: int, since: int) -> list[int] | None:
        """A list of int that is an attribute in old operator sets, an input in new ones."""
        if self.opset < since or name in self.node.attributes:
            return self.integers(name)
        return self.numbers(place) if self.has(place) else None

    # Results.

    def layer_name(self, suffix: str = "") -> str:
        """A layer's name, made of the node's, that no other layer has."""
        return self.builder.layer_name(self.node.name, suffix)

    def made(
        self,
        tensor: Any,
        sizes: Sequence[AnySize] | None = None,
        channels_last: bool = False,
        like: Sequence[Traced] = (),
    ) -> Traced:
        """A result.

        Args:
            tensor: symbolic tensor.
            sizes: of its axes in the layout of ONNX; else those that the tensor knows.
            channels_last: the tensor's layout.
            like: tensors whose first axis has the same open size, if it has one.
        """
        shape = tensor.shape
        rank = len(shape)
        named: list[AnySize] = []
        for axis in range(rank):
            size = shape[placed(axis, rank, channels_last)]
            if size is None and sizes is not None and isinstance(sizes[axis], Size):
                size = sizes[axis]
            if size is None and axis == 0 and like:
                size = like[0].sizes[0]
            if size is None or (isinstance(size, int) and size < 0):
                size = Size(1, (f"{self.node.name}[{axis}]",))
            named.append(size if isinstance(size, Size) else int(size))
        return Traced(tensor, named, channels_last)

    def alike(self, tensor: Any, value: Traced) -> Traced:
        """A result of the shape and layout of an input."""
        return self.made(tensor, value.sizes, value.is_last)
