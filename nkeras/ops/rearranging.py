"""Axes arranged by their names, and bits read as another dtype."""

from __future__ import annotations

import math
import re
from typing import NoReturn

from nkeras.core import dtypes, missing
from nkeras.core.errors import cut_text, short
from nkeras.core.primitive import op, primitive, to_tensor
from nkeras.core.spec import Shape, Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, TensorLike
from nkeras.ops.shape import reshape, transpose

Groups = list[list[str]]
"""For each axis, the names of the axes that it is made of."""

_SIDE = re.compile(
    r"\s*(?:\w+|\(\s*\w+(?:\s+\w+)*\s*\))(?:\s+(?:\w+|\(\s*\w+(?:\s+\w+)*\s*\)))*\s*"
)


def _shape_as(x: Typed, dtype: str) -> Shape:
    old, new = (dtypes.to_numpy(name).itemsize for name in (x.dtype, dtype))
    if old == new:
        return x.shape
    if not x.shape or x.shape[-1] * old % new:
        raise ValueError(
            f"view: the last axis of a tensor of shape {x.shape} and dtype {x.dtype} has no whole "
            f"number of elements of {dtype}."
        )
    return (*x.shape[:-1], x.shape[-1] * old // new)


@primitive(flat=("x",), takes_complex=True)
def _bitcast(x: Typed, *, dtype: str) -> Spec:
    """The same bits, read as another dtype."""
    return Spec(_shape_as(x, dtype), dtype)


@op
def view(x: TensorLike, dtype: DTypeLike = None) -> Tensor:
    """The same bits, read as numbers of another dtype; they have no gradient.

    Args:
        x: tensor.
        dtype: dtype name; that of `x` by default.

    Returns:
        Tensor of the dtype; the last size changes with the size of an element.

    Raises:
        ValueError: the last axis has no whole number of elements of the dtype, or numbers are to be
            read as bool.

    Example:
        >>> import nkeras
        >>> nkeras.ops.view(nkeras.ops.array([1.0, 2.0]), "int32").numpy()
        array([1065353216, 1073741824], dtype=int32)

    Source: https://keras.io/api/ops/numpy/
    """
    x = to_tensor(x)
    name = x.dtype if dtype is None else dtypes.standardize(dtype)
    if name == x.dtype:
        return x
    if name == "bool":
        raise ValueError(f"view: bits of {x.dtype} are no bool; take `x != 0`.")
    return _bitcast(x, dtype=name)


@op
def rearrange(tensor: TensorLike, pattern: str, **axes_lengths: int) -> Tensor:
    """Axes permuted, split and joined, as a pattern of their names says.

    Args:
        tensor: tensor.
        pattern: names of the axes before and after, such as `"b (h p) c -> (b p) h c"`; those in
            parentheses are one axis.
        axes_lengths: sizes of axes that are to be split; of each group one may be left out.

    Returns:
        Tensor of the axes after the arrow.

    Raises:
        ValueError: the pattern cannot be read, its names differ between the sides, or sizes do not
            fit.

    Example:
        >>> import nkeras
        >>> images = nkeras.ops.ones((4, 6, 8, 3))
        >>> nkeras.ops.rearrange(images, "b (h p) (w q) c -> b h w (p q c)", p=2, q=4).shape
        (4, 3, 2, 24)

    Source: https://keras.io/api/ops/core/
    """
    x = to_tensor(tensor)
    before, after = _parsed(pattern)
    sizes = _sizes(x.shape, before, axes_lengths, pattern)
    old, new = [name for group in before for name in group], [n for group in after for n in group]
    if sorted(old) != sorted(new) or len(set(old)) != len(old):
        _refuse(pattern, "each name must stand once on each side")
    split = reshape(x, [sizes[name] for name in old])
    turned = transpose(split, [old.index(name) for name in new])
    return reshape(turned, [math.prod(sizes[name] for name in group) for group in after])


def _refuse(pattern: object, reason: str) -> NoReturn:
    raise ValueError(f"rearrange: argument `pattern`: {reason}. Received: {short(pattern)}")


def _parsed(pattern: object) -> tuple[Groups, Groups]:
    sides = pattern.split("->") if isinstance(pattern, str) else []
    if len(sides) != 2 or not all(_SIDE.fullmatch(side) for side in sides):
        _refuse(pattern, "it must be names, some in parentheses, on two sides of one `->`")
    before, after = (
        [part.strip("() ").split() for part in re.findall(r"\w+|\([^)]*\)", side)] for side in sides
    )
    return before, after


def _sizes(shape: Shape, groups: Groups, given: dict[str, int], pattern: str) -> dict[str, int]:
    """The size of each name."""
    if len(groups) != len(shape):
        _refuse(pattern, f"it names {len(groups)} axes, the tensor has the shape {shape}")
    unknown = sorted(set(given) - {name for group in groups for name in group})
    if unknown:
        _refuse(pattern, cut_text(f"it does not have the names {', '.join(unknown)}", 150))
    sizes = dict(given)
    for size, group in zip(shape, groups, strict=True):
        open_names = [name for name in group if name not in given]
        known = math.prod(given[name] for name in group if name in given)
        fits = known and size % known == 0 if open_names else known == size
        if len(open_names) > 1 or not fits:
            _refuse(
                pattern, f"an axis of size {size} is not ({' '.join(group)}) with {short(given)}"
            )
        sizes |= {name: size // known for name in open_names}
    return sizes


missing.explain(__name__)
