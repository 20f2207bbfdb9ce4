"""What is known of an array before it exists: shape and dtype. And the arithmetic of shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from nkeras.core.errors import cut_text, short

Shape = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def _unknown_too(compute: Callable[[int, Any], Any]) -> Callable[[int, Any], Any]:
    def computed(self: int, other: Any) -> Any:
        result = compute(int(self), other)
        return Unknown(result) if type(result) is int else result

    return computed


class Unknown(int):
    """A number that stands for an unknown size in a trace, and says so in error messages.

    So is a size that follows from it, such as the length behind a window.
    """

    def __repr__(self) -> str:
        return "None"

    __str__ = __repr__

    if not TYPE_CHECKING:
        __add__ = __radd__ = _unknown_too(int.__add__)
        __mul__ = __rmul__ = _unknown_too(int.__mul__)
        __sub__, __rsub__ = _unknown_too(int.__sub__), _unknown_too(int.__rsub__)
        __floordiv__ = _unknown_too(int.__floordiv__)


def has_unknown(*shapes: Shape) -> bool:
    """Whether a size is unknown in the trace around, where only values can tell what fits."""
    return any(isinstance(size, Unknown) for shape in shapes for size in shape)


def known_size(sizes: Sequence[int]) -> int:
    """The first size that is known, of those which are the same; the first where none is."""
    return next((size for size in sizes if not isinstance(size, Unknown)), sizes[0])


class Spec(NamedTuple):
    """Shape and dtype of one array."""

    shape: Shape
    dtype: str


class Typed(Protocol):
    """Anything with a shape and a dtype: a Spec, a Tensor, a KerasTensor."""

    @property
    def shape(self) -> Shape:
        """Sizes."""
        ...

    @property
    def dtype(self) -> str:
        """Name."""
        ...


def broadcast_shapes(*shapes: Shape, owner: str = "operation") -> Shape:
    """The shape that arrays of these shapes broadcast to.

    Raises:
        ValueError: they do not; the message names `owner` and the shapes.
    """
    different = {tuple(shape) for shape in shapes if len(shape)}  # scalars fit every shape
    if len(different) < 2:
        return different.pop() if different else ()
    rank = max(len(shape) for shape in shapes)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    result = []
    for sizes in zip(*padded, strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:  # an unknown size may be what the others are
            wide = {size for size in wide if not isinstance(size, Unknown)} or wide
        if len(wide) > 1:
            described = cut_text(" and ".join(str(shape) for shape in shapes), 150)
            raise ValueError(
                f"{owner}: shapes {described} cannot be "
                "broadcast together; each pair of sizes, from the right, must be equal or have a 1."
            )
        result.append(wide.pop() if wide else 1)
    return tuple(result)


def normalize_axis(axis: int, rank: int, owner: str) -> int:
    """A non-negative axis.

    Raises:
        ValueError: the axis is out of range.
    """
    if not -rank <= axis < rank:
        raise ValueError(
            f"{owner}: axis {short(axis)} is out of range for an array of rank {rank}; "
            f"it must be in [{-rank}, {rank - 1}]."
        )
    return int(axis) % rank


def normalize_axes(axis: int | Sequence[int] | None, rank: int, owner: str) -> tuple[int, ...]:
    """Ascending non-negative axes; None is all of them.

    Raises:
        ValueError: an axis is out of range or stands twice.
    """
    if axis is None:
        return tuple(range(rank))
    if type(axis) is int:
        return (normalize_axis(axis, rank, owner),)
    given = tuple(axis) if isinstance(axis, Iterable) else (axis,)
    axes = sorted(normalize_axis(int(item), rank, owner) for item in given)
    if len(set(axes)) != len(axes):
        raise ValueError(f"{owner}: an axis stands twice in {short(axis)}.")
    return tuple(axes)


def reduced_shape(shape: Shape, axis: tuple[int, ...], keepdims: bool) -> Shape:
    """The shape left when the axes are reduced."""
    if keepdims:
        return tuple([1 if i in axis else size for i, size in enumerate(shape)])
    return tuple([size for i, size in enumerate(shape) if i not in axis])


def window_output(size: int, window: int, stride: int, pad: tuple[int, int], dilation: int) -> int:
    """How many windows fit along one dimension (may be <= 0)."""
    return (size + sum(pad) - ((window - 1) * dilation + 1)) // stride + 1


def window_padding(
    mode: str,
    sizes: Shape,
    window: Shape,
    strides: Shape,
    dilation: Shape,
) -> Pairs:
    """(low, high) pairs of `"valid"`, `"same"` or `"causal"` padding, as in TensorFlow."""
    if mode == "valid":
        return tuple((0, 0) for _ in sizes)
    pairs = []
    for size, extent, stride, step in zip(sizes, window, strides, dilation, strict=True):
        reach = (extent - 1) * step + 1
        if mode == "causal":
            pairs.append((reach - 1, 0))
            continue
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)
