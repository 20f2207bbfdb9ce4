"""Padding with a constant or with mirrored elements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nkeras.core.errors import short
from nkeras.core.primitive import op, primitive, to_tensor
from nkeras.core.spec import Pairs, Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Padding, TensorLike
from nkeras.ops.shape import flip_, slice_, slice_grad


@primitive(takes_complex=True)
def _pad(x: Typed, *, pad_width: Pairs, mode: str, constant: float) -> Spec:
    shape = tuple(size + sum(pair) for size, pair in zip(x.shape, pad_width, strict=True))
    return Spec(shape, x.dtype)


@_pad.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, pad_width: Pairs, mode: str) -> Tensor:
    if mode == "constant":
        index = tuple(
            (low, low + size, 1) for (low, _), size in zip(pad_width, x_spec.shape, strict=True)
        )
        return slice_(grad_y, index=index)
    for axis, pair in enumerate(pad_width):
        grad_y = _fold(grad_y, axis, pair, x_spec.shape[axis], skip=int(mode == "reflect"))
    return grad_y


def _fold(grad: Tensor, axis: int, pair: tuple[int, int], size: int, skip: int) -> Tensor:
    """Add what mirrored padding gave back onto the cells that it copied."""
    low, high = pair

    def part(start: int, stop: int) -> Tensor:
        index = tuple(
            (start, stop, 1) if i == axis else (0, length, 1) for i, length in enumerate(grad.shape)
        )
        return slice_(grad, index=index)

    def placed(piece: Tensor, start: int) -> Tensor:
        shape = tuple(size if i == axis else length for i, length in enumerate(grad.shape))
        index = tuple(
            (start, start + piece.shape[axis], 1) if i == axis else (0, length, 1)
            for i, length in enumerate(shape)
        )
        return slice_grad(flip_(piece, axis=(axis,)), shape=shape, index=index)

    result = part(low, low + size)
    if low:
        result = result + placed(part(0, low), skip)
    if high:
        result = result + placed(part(low + size, low + size + high), size - skip - high)
    return result


@op
def pad(
    x: TensorLike,
    pad_width: Padding,
    mode: str = "constant",
    constant_values: float | None = None,
) -> Tensor:
    """Pad a tensor.

    Args:
        x: tensor.
        pad_width: `(low, high)` for each axis, or one pair or number for all axes.
        mode: `"constant"`, `"reflect"` or `"symmetric"`.
        constant_values: number to pad with; only for `"constant"`; 0 by default.

    Returns:
        Tensor.

    Raises:
        ValueError: unknown mode, `constant_values` with another mode, negative or misshapen widths.

    Example:
        >>> import nkeras
        >>> nkeras.ops.pad([1, 2, 3], (1, 1), mode="reflect").numpy()
        array([2, 1, 2, 3, 2], dtype=int32)
    """
    x = to_tensor(x)
    if mode not in ("constant", "reflect", "symmetric"):
        raise ValueError(
            'pad: argument `mode` must be "constant", "reflect" or "symmetric". '
            f"Received: mode={short(mode)}"
        )
    if constant_values is not None and mode != "constant":
        raise ValueError(
            f"pad: argument `constant_values` needs `mode='constant'`. Received: mode={short(mode)}"
        )
    pairs = _pairs(pad_width, len(x.shape))
    for size, pair in zip(x.shape, pairs, strict=True):
        reach = size - 1 if mode == "reflect" else size
        if mode != "constant" and max(pair) > reach:
            raise ValueError(
                f"pad: {mode} padding of {short(pair)} is too wide for a size of {size}."
            )
    return _pad(x, pad_width=pairs, mode=mode, constant=constant_values or 0)


def _pairs(pad_width: Padding, rank: int) -> Pairs:
    if not isinstance(pad_width, Iterable):
        pad_width = (pad_width, pad_width)
    widths: list[Any] = [tuple(w) if isinstance(w, Iterable) else w for w in pad_width]
    if widths and not isinstance(widths[0], tuple):
        widths = [tuple(widths) * (2 if len(widths) == 1 else 1)] * rank
    elif len(widths) == 1:
        widths = widths * rank
    if len(widths) != rank or any(len(w) != 2 or min(w) < 0 for w in widths):
        raise ValueError(
            f"pad: argument `pad_width` must hold a pair of non-negative int for each of the "
            f"{rank} axes. Received: {short(pad_width)}"
        )
    return tuple((int(low), int(high)) for low, high in widths)
