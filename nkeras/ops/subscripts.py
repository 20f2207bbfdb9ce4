"""`x[key]`, as NumPy has it."""

from __future__ import annotations

from typing import Any

from nkeras.backend import registry
from nkeras.core.errors import short
from nkeras.core.primitive import op, shape_of, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.indexing import advanced_getitem
from nkeras.ops.shape import Index, shaped, slice_


@op
def getitem(x: TensorLike, key: Any) -> Tensor:
    """`x[key]` with ints, slices, None, Ellipsis, integer tensors or a boolean mask.

    Args:
        x: tensor.
        key: as in NumPy; a boolean mask needs concrete values.

    Returns:
        Tensor.

    Raises:
        IndexError: an index is out of range, or there are too many.
    """
    x = to_tensor(x)
    if type(key) is int and x.shape:
        return slice_(x, index=(_place(key, 0, x.shape[0]), *[(0, n, 1) for n in x.shape[1:]]))
    keys: tuple[Any, ...] = key if isinstance(key, tuple) else (key,)
    if any(_is_advanced(part) for part in keys):
        return advanced_getitem(x, keys)
    named = sum(part is not None and part is not Ellipsis for part in keys)
    rank = len(x.shape)
    if named > rank:
        raise IndexError(f"Too many indices for a tensor of shape {x.shape}: {short(key)}")
    if not any(part is Ellipsis for part in keys):
        keys = (*keys, Ellipsis)
    position = [part is Ellipsis for part in keys].index(True)
    keys = keys[:position] + (slice(None),) * (rank - named) + keys[position + 1 :]
    index: list[tuple[int, int | None, int] | int] = []
    shape: list[int] = []
    for part in keys:
        if part is None:
            shape.append(1)
            continue
        size = x.shape[len(index)]
        if isinstance(part, slice):
            bounds = part.indices(size)
            count = len(range(*bounds))
            stop = None if bounds[2] < 0 and bounds[1] < 0 else max(bounds[1], 0)
            index.append((bounds[0], stop, bounds[2]) if count else (0, 0, 1))
            shape.append(size if count == size else count)  # unknown stays unknown
        else:
            index.append(_place(int(part), len(index), size))
    return shaped(_selected(x, tuple(index)), tuple(shape))


def _selected(x: Tensor, index: Index) -> Tensor:
    if all([part == (0, size, 1) for part, size in zip(index, x.shape, strict=True)]):
        if not getattr(registry.active(), "is_symbolic", False):
            return x
    return slice_(x, index=index)


def _place(number: int, axis: int, size: int) -> int:
    if not -size <= number < size:
        raise IndexError(f"Index {number} is out of range for axis {axis} with size {size}.")
    return number % size


def _is_advanced(key: object) -> bool:
    if key is None or key is Ellipsis or isinstance(key, (int, slice)):
        return isinstance(key, bool)
    return not (hasattr(key, "__index__") and shape_of(key) == ())


get_item = getitem
