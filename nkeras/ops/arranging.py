"""Elements moved about: joining, splitting, repeating, rolling, slicing."""

from __future__ import annotations

import builtins
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nkeras.core import graph
from nkeras.core.dtypes import is_floating
from nkeras.core.errors import refuse, short
from nkeras.core.primitive import op, primitive, to_tensor
from nkeras.core.spec import Spec, Typed, normalize_axis
from nkeras.core.tape import zeros
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Axis, Sections, ShapeLike, TensorLike, Window
from nkeras.ops.elementwise import multiply
from nkeras.ops.indexing import take
from nkeras.ops.pooling import average_pool_
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import (
    Index,
    broadcast_to,
    cast,
    concatenate,
    expand_dims,
    flip,
    reshape,
    section,
    slice_,
    transpose,
    unstacked,
)
from nkeras.ops.subscripts import getitem


@op
def append(x1: TensorLike, x2: TensorLike, axis: int | None = None) -> Tensor:
    """`x2` behind `x1` along an axis; None flattens both.

    Args:
        x1: tensor.
        x2: tensor.
        axis: int or None.

    Returns:
        Tensor.
    """
    if axis is None:
        return concatenate([reshape(x1, -1), reshape(x2, -1)])
    return concatenate([x1, x2], axis)


def _at_least(x: TensorLike, rank: int) -> Tensor:
    x = to_tensor(x)
    if len(x.shape) >= rank:
        return x
    if rank == 3:
        x = _at_least(x, 2)
        return expand_dims(x, -1)
    return reshape(x, (1,) * (rank - len(x.shape)) + x.shape)


@op
def hstack(xs: Sequence[TensorLike]) -> Tensor:
    """Join along the second axis, vectors along their only one."""
    tensors = [_at_least(x, 1) for x in xs]
    return concatenate(tensors, 0 if len(tensors[0].shape) == 1 else 1)


@op
def vstack(xs: Sequence[TensorLike]) -> Tensor:
    """Join along the first axis; vectors are rows."""
    return concatenate([_at_least(x, 2) for x in xs], 0)


@op
def dstack(xs: Sequence[TensorLike]) -> Tensor:
    """Join along the third axis, which is made where it is missing."""
    return concatenate([_at_least(x, 3) for x in xs], 2)


def _parted(
    x: TensorLike, indices_or_sections: Sections, axis: int, even: bool, owner: str
) -> list[Tensor]:
    x = to_tensor(x)
    axis = normalize_axis(axis, len(x.shape), owner)
    size = x.shape[axis]
    if isinstance(indices_or_sections, Iterable):
        bounds = [int(index) for index in indices_or_sections]
    else:
        count = int(indices_or_sections)
        if count < 1 or (even and size % count):
            refuse(
                "indices_or_sections",
                indices_or_sections,
                f"a positive divisor of the size {size} along axis {axis}" if even else "positive",
                owner,
            )
        short, longer = divmod(size, count)
        bounds = [i * short + min(i, longer) for i in range(1, count)]
    edges = [0, *bounds, size]
    return [section(x, axis, a, b) for a, b in itertools.pairwise(edges)]


@op
def split(x: TensorLike, indices_or_sections: Sections, axis: int = 0) -> list[Tensor]:
    """Cut a tensor along an axis.

    Args:
        x: tensor.
        indices_or_sections: number of equal parts, or the positions to cut at.
        axis: int.

    Returns:
        List of tensors.

    Raises:
        ValueError: the parts would not be equal.

    Example:
        >>> import nkeras
        >>> [part.shape for part in nkeras.ops.split(nkeras.ops.ones((4, 3)), 2)]
        [(2, 3), (2, 3)]
    """
    return _parted(x, indices_or_sections, axis, True, "split")


@op
def array_split(x: TensorLike, indices_or_sections: Sections, axis: int = 0) -> list[Tensor]:
    """As `split`, but the first parts may be longer by one element than the last ones."""
    return _parted(x, indices_or_sections, axis, False, "array_split")


@op
def hsplit(x: TensorLike, indices_or_sections: Sections) -> list[Tensor]:
    """Cut along the second axis, a vector along its only one."""
    x = to_tensor(x)
    return split(x, indices_or_sections, 0 if len(x.shape) == 1 else 1)


@op
def vsplit(x: TensorLike, indices_or_sections: Sections) -> list[Tensor]:
    """Cut along the first axis."""
    return split(x, indices_or_sections, 0)


@op
def dsplit(x: TensorLike, indices_or_sections: Sections) -> list[Tensor]:
    """Cut along the third axis."""
    return split(x, indices_or_sections, 2)


@op
def unstack(x: TensorLike, num: int | None = None, axis: int = 0) -> list[Tensor]:
    """The slices along an axis, without that axis.

    Args:
        x: tensor.
        num: how many there are, if the size is not known.
        axis: int.

    Returns:
        List of tensors.

    Raises:
        ValueError: `num` is not the size.
    """
    x = to_tensor(x)
    axis = normalize_axis(axis, len(x.shape), "unstack")
    count = x.shape[axis] if num is None else num
    if count != x.shape[axis] and not isinstance(x, graph.KerasTensor):
        refuse("num", num, f"the size {x.shape[axis]} along axis {axis}", "unstack")
    return unstacked(x, axis)


@op
def moveaxis(x: TensorLike, source: Window, destination: Window) -> Tensor:
    """Move axes to other places; the rest keep their order.

    Args:
        x: tensor.
        source: int or sequence of int.
        destination: as many places.

    Returns:
        Tensor.

    Raises:
        ValueError: the numbers of axes differ.
    """
    x = to_tensor(x)
    rank = len(x.shape)
    sources, targets = (
        [
            normalize_axis(int(a), rank, "moveaxis")
            for a in (axes if isinstance(axes, Iterable) else [axes])
        ]
        for axes in (source, destination)
    )
    if len(sources) != len(targets):
        raise ValueError(
            "moveaxis: `source` and `destination` must have the same length. "
            f"Received: {short(source)} and {short(destination)}"
        )
    order = [i for i in range(rank) if i not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return transpose(x, order)


@op
def ravel(x: TensorLike) -> Tensor:
    """The elements as a vector, in row-major order."""
    return reshape(x, -1)


@op
def fliplr(x: TensorLike) -> Tensor:
    """Reverse the second axis."""
    return flip(x, 1)


@op
def flipud(x: TensorLike) -> Tensor:
    """Reverse the first axis."""
    return flip(x, 0)


@op
def tile(x: TensorLike, repeats: Window) -> Tensor:
    """The whole tensor, side by side several times.

    Args:
        x: tensor.
        repeats: int, or one int for each axis; the shorter of shape and repeats is filled with 1
            from the left.

    Returns:
        Tensor.
    """
    x = to_tensor(x)
    counts = [int(n) for n in (repeats if isinstance(repeats, Iterable) else [repeats])]
    shape = (1,) * (len(counts) - len(x.shape)) + x.shape
    counts = [1] * (len(shape) - len(counts)) + counts
    apart = [size for pair in zip([1] * len(shape), shape, strict=True) for size in pair]
    wide = [size for pair in zip(counts, shape, strict=True) for size in pair]
    spread = broadcast_to(reshape(x, apart), wide)
    return reshape(spread, [n * size for n, size in zip(counts, shape, strict=True)])


@primitive(takes_complex=True, moves=True)
def repeat_(x: Typed, *, repeats: tuple[int, ...]) -> Spec:
    """Each element along each axis several times in a row."""
    if min(repeats, default=0) < 0:
        refuse("repeats", repeats, "no number below 0", "repeat")
    return Spec(tuple(n * times for n, times in zip(x.shape, repeats, strict=True)), x.dtype)


@repeat_.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, repeats: tuple[int, ...]) -> Tensor:
    cells = repeats[1:-1]
    if 1 <= len(cells) <= 3 and is_floating(x_spec.dtype) and 0 not in grad_y.shape:
        if repeats[0] == repeats[-1] == 1:  # one pass; sums over axes that lie apart are several
            none = ((0, 0),) * len(cells)
            means = average_pool_(grad_y, pool_size=cells, strides=cells, padding=none)
            return multiply(means, float(math.prod(cells)))
    apart = tuple(itertools.chain(*zip(x_spec.shape, repeats, strict=True)))
    axes = tuple(range(1, len(apart), 2))
    return reduce_sum(reshape(grad_y, apart), axis=axes, keepdims=False)


@repeat_.decomposition
def _(x: Tensor, *, repeats: tuple[int, ...]) -> Tensor:
    apart = tuple(itertools.chain(*((size, 1) for size in x.shape)))
    wide = tuple(itertools.chain(*zip(x.shape, repeats, strict=True)))
    sizes = tuple(n * times for n, times in zip(x.shape, repeats, strict=True))
    return reshape(broadcast_to(reshape(x, apart), wide), sizes)


@op
def repeat(x: TensorLike, repeats: TensorLike, axis: int | None = None) -> Tensor:
    """Each element several times in a row.

    Args:
        x: tensor.
        repeats: int, or one int for each element along `axis`, with values.
        axis: int; None flattens first.

    Returns:
        Tensor.

    Raises:
        ValueError: the number of `repeats` does not fit.
    """
    x = to_tensor(x)
    if axis is None:
        x, axis = reshape(x, -1), 0
    axis = normalize_axis(axis, len(x.shape), "repeat")
    size = x.shape[axis]
    if type(repeats) is int:
        return repeat_(x, repeats=(1,) * axis + (repeats,) + (1,) * (len(x.shape) - axis - 1))
    counts = np.asarray(to_tensor(repeats).numpy()).reshape(-1)
    if counts.size not in (1, size):
        refuse("repeats", repeats, f"one int, or {size} of them", "repeat")
    return take(x, np.repeat(np.arange(size), counts if counts.size == size else counts[0]), axis)


@op
def roll(x: TensorLike, shift: Window, axis: Axis = None) -> Tensor:
    """Move elements along axes; those that leave at one end come in at the other.

    Args:
        x: tensor.
        shift: int, or one int for each axis.
        axis: int or sequence of int; None rolls the flattened tensor.

    Returns:
        Tensor of the same shape.

    Raises:
        ValueError: as many shifts as axes are needed, or one of either.
    """
    x = to_tensor(x)
    if axis is None:
        return reshape(roll(reshape(x, -1), shift, 0), x.shape)
    axes = list(axis) if isinstance(axis, Iterable) else [axis]
    shifts = list(shift) if isinstance(shift, Iterable) else [shift] * len(axes)
    axes = axes * len(shifts) if len(axes) == 1 else axes
    shifts = shifts * len(axes) if len(shifts) == 1 else shifts
    if len(axes) != len(shifts):
        raise ValueError(
            f"roll: arguments `shift` and `axis` must have one length, or one of them must be a "
            f"single int. Received: shift={short(shift)}, axis={short(axis)}"
        )
    for along, by in zip(axes, shifts, strict=True):
        place = normalize_axis(int(along), len(x.shape), "roll")
        size = x.shape[place]
        cut = -int(by) % size if size else 0
        if cut:
            x = concatenate([section(x, place, cut, None), section(x, place, None, cut)], place)
    return x


@op
def rot90(array: TensorLike, k: int = 1, axes: Sequence[int] = (0, 1)) -> Tensor:
    """Turn the plane of two axes by 90 degrees, `k` times, from the first towards the second.

    Args:
        array: tensor of rank 2 or more.
        k: how often.
        axes: two axes.

    Returns:
        Tensor.

    Raises:
        ValueError: the rank is below 2, or there are not two different axes.
    """
    x = to_tensor(array)
    rank = len(x.shape)
    if rank < 2:
        raise ValueError(f"rot90: `array` must have at least rank 2. Received shape {x.shape}")
    if len(axes) != 2:
        refuse("axes", axes, "two axes", "rot90")
    first, second = (normalize_axis(int(axis), rank, "rot90") for axis in axes)
    if first == second:
        refuse("axes", axes, "two different axes", "rot90")
    order = list(range(rank))
    order[first], order[second] = second, first
    turns = k % 4
    if turns == 0:
        return x
    if turns == 2:
        return flip(x, (first, second))
    return transpose(flip(x, second), order) if turns == 1 else flip(transpose(x, order), second)


def _starts(start_indices: TensorLike) -> list[int]:
    values: Any = start_indices
    if not isinstance(start_indices, (list, tuple)):
        values = to_tensor(start_indices).numpy().reshape(-1)
    return [int(value) for value in values]


@op
def slice(inputs: TensorLike, start_indices: TensorLike, shape: ShapeLike) -> Tensor:
    """A block of a tensor.

    Args:
        inputs: tensor.
        start_indices: where the block begins, one int for each axis.
        shape: the block's shape; -1 runs to the end.

    Returns:
        Tensor of `shape`.

    Raises:
        ValueError: the block does not lie in the tensor, or the lengths differ.
    """
    x = to_tensor(inputs)
    return getitem(x, _block(x.shape, _starts(start_indices), [int(n) for n in shape], "slice"))


def _block(
    sizes: Sequence[int], starts: list[int], shape: list[int], owner: str
) -> tuple[builtins.slice, ...]:
    if not len(starts) == len(shape) == len(sizes):
        raise ValueError(
            f"{owner}: one start and one size for each of the {len(sizes)} axes are needed. "
            f"Received: {short(starts)} and {short(tuple(shape))}"
        )
    block = []
    for size, start, length in zip(sizes, starts, shape, strict=True):
        length = size - start if length == -1 else length
        if start < 0 or length < 0 or start + length > size:
            raise ValueError(
                f"{owner}: a block of {short(tuple(shape))} from {short(starts)} does not lie in a "
                f"tensor of shape {short(tuple(sizes))}."
            )
        block.append(builtins.slice(start, start + length))
    return tuple(block)


@op
def slice_update(inputs: TensorLike, start_indices: TensorLike, updates: TensorLike) -> Tensor:
    """A copy of a tensor with a block replaced.

    Args:
        inputs: tensor.
        start_indices: where the block begins, one int for each axis.
        updates: tensor, the new block.

    Returns:
        Tensor of the shape of `inputs`.

    Raises:
        ValueError: the block does not lie in the tensor.
    """
    x, updates = to_tensor(inputs), to_tensor(updates)
    block = _block(x.shape, _starts(start_indices), list(updates.shape), "slice_update")
    index = tuple([(part.start, part.stop, 1) for part in block])
    return slice_update_(x, cast(updates, x.dtype), index=index)


@primitive(takes_complex=True, moves=True)
def slice_update_(x: Typed, updates: Typed, *, index: Index) -> Spec:
    """A copy of x with updates where `index` selects."""
    return Spec(x.shape, x.dtype)


@slice_update_.vjp("x", "updates")
def _(grad_y: Tensor, updates_spec: Spec, index: Index) -> tuple[Tensor, Tensor]:
    return slice_update_(grad_y, zeros(updates_spec), index=index), slice_(grad_y, index=index)
