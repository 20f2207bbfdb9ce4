"""What travels between the nodes of an ONNX graph: arrays that are known, and symbolic tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from nkeras import ops
from nkeras.core.errors import short
from nkeras.core.graph import KerasTensor

_LONGEST = 200


@dataclass(frozen=True)
class Size:
    """A size that the file leaves open: a factor times names, such as `2 * batch`.

    Sums and the like, of which no product can be made, are names of their own.
    """

    factor: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        text = " * ".join(self.names)
        return text if self.factor == 1 else f"{self.factor} * {text}"

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Size):
            return Size(self.factor * other.factor, tuple(sorted(self.names + other.names)))
        return Size(self.factor * int(other), self.names) if other else 0

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        found = divided(self, other)
        return self._other("//", other) if found is None else found

    __truediv__ = __floordiv__

    def __rfloordiv__(self, other: Any) -> Size:
        return self._other("// under", other)

    __rtruediv__ = __rfloordiv__

    def __add__(self, other: Any) -> Size:
        if isinstance(other, Size) and other.names == self.names:
            return Size(self.factor + other.factor, self.names)
        return self._other("+", other) if other else self

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, Size) and other.names == self.names:
            factor = self.factor - other.factor
            return Size(factor, self.names) if factor else 0
        return self._other("-", other) if other else self

    def __rsub__(self, other: Any) -> Size:
        return self._other("- from", other)

    def _other(self, sign: str, other: Any) -> Size:
        name = f"({self} {sign} {other})"
        if len(name) > _LONGEST:
            raise ValueError(f"the size {short(name)} is made of too many others")
        return Size(1, (name,))


AnySize: TypeAlias = "int | Size"


def divided(size: AnySize, by: AnySize) -> AnySize | None:
    """The quotient of sizes, or None where it is none."""
    factor, names = (size, ()) if isinstance(size, int) else (size.factor, size.names)
    divisor, others = (int(by), ()) if not isinstance(by, Size) else (by.factor, by.names)
    left = list(names)
    for name in others:
        if name not in left:
            return None
        left.remove(name)
    if divisor == 0 or factor % divisor:
        return None
    return Size(factor // divisor, tuple(left)) if left else factor // divisor


def product(sizes: Sequence[AnySize]) -> AnySize:
    """All sizes multiplied."""
    total: Any = 1
    for size in sizes:
        total = total * size
    return total


class Known:
    """An array whose numbers are known when the file is read; sizes among them may be open.

    Args:
        array: the numbers; of dtype object where a `Size` is among them.
        weight: the name of the initializer that it is or is made of, else None.
    """

    def __init__(self, array: np.ndarray, weight: str | None = None) -> None:
        if array.dtype == object and not any(isinstance(item, Size) for item in array.flat):
            array = array.astype(np.int64)
        self.array = array
        self.weight = weight

    @property
    def is_open(self) -> bool:
        """Whether there are sizes that the file leaves open."""
        return self.array.dtype == object

    @property
    def sizes(self) -> tuple[AnySize, ...]:
        """The shape."""
        return self.array.shape

    @property
    def dtype(self) -> str:
        """The name of the dtype."""
        return "int64" if self.is_open else self.array.dtype.name

    @property
    def rank(self) -> int:
        """The number of axes."""
        return self.array.ndim


class Traced:
    """A symbolic tensor.

    Images are kept with channels last, in which nkeras computes, and turned only where an operator
    needs the layout of ONNX.

    Args:
        tensor: the tensor in the layout that `channels_last` says.
        sizes: of its axes, channels first as in ONNX.
        channels_last: whether the axis behind the first stands last in `tensor`.
    """

    weight = None

    def __init__(
        self, tensor: KerasTensor, sizes: Sequence[AnySize], channels_last: bool = False
    ) -> None:
        self.sizes = tuple(sizes)
        self.is_last = channels_last
        self._first = None if channels_last else tensor
        self._last = tensor if channels_last else None

    @property
    def tensor(self) -> KerasTensor:
        """The tensor in the layout in which it was made."""
        found = self._last if self.is_last else self._first
        assert found is not None
        return found

    @property
    def dtype(self) -> str:
        """The name of the dtype."""
        return self.tensor.dtype

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.sizes)

    @property
    def first(self) -> KerasTensor:
        """The tensor in the layout of ONNX."""
        if self._first is None:
            axes = (0, self.rank - 1, *range(1, self.rank - 1))
            self._first = _symbolic(ops.transpose(self.tensor, axes))
        return self._first

    @property
    def last(self) -> KerasTensor:
        """The tensor with channels last."""
        if self._last is None:
            self._last = _symbolic(ops.transpose(self.tensor, (0, *range(2, self.rank), 1)))
        return self._last

    def get(self, channels_last: bool) -> KerasTensor:
        """The tensor in one of the layouts."""
        return self.last if channels_last else self.first


Value: TypeAlias = "Known | Traced"


def _symbolic(tensor: Any) -> KerasTensor:
    return tensor


def placed(axis: int, rank: int, channels_last: bool) -> int:
    """Where an axis of ONNX stands in a layout."""
    if not channels_last or axis == 0:
        return axis
    return rank - 1 if axis == 1 else axis - 1


def turned(array: np.ndarray) -> np.ndarray:
    """An array of the rank of an image, channels last."""
    return np.moveaxis(array, 1, -1) if array.ndim > 2 else array


def zeros_of(tensor: Any, dtype: str) -> Any:
    """Zeros of a tensor's shape, whatever its numbers are; no array is made while tracing."""
    return ops.multiply(ops.cast(ops.not_equal(tensor, tensor), dtype), 0)
