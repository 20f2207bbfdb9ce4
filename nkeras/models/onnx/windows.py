"""The geometry of windows in ONNX: paddings of four kinds, strides, dilations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nkeras import layers, ops
from nkeras.core.errors import short
from nkeras.core.spec import Pairs, Shape
from nkeras.models.onnx.table import Call
from nkeras.models.onnx.values import Traced

_MOST = 2**20


@dataclass
class Windows:
    """Windows over the spatial axes of an input.

    Attributes:
        rank: number of spatial axes.
        size: cells of a window.
        strides: steps from window to window.
        dilation: steps from cell to cell.
        padding: Keras' word for it, or None.
        pads: pairs (low, high); None where they depend on open sizes, with padding `"same"`.
    """

    rank: int
    size: Shape
    strides: Shape
    dilation: Shape
    padding: str | None
    pads: Pairs | None


def windows(call: Call, x: Traced, size: Shape | None = None) -> Windows:
    """The windows of a convolution or pooling.

    Args:
        call: the node.
        x: its input.
        size: of the kernel; the attribute `kernel_shape` by default.
    """
    rank = x.rank - 2
    if not 1 <= rank <= 3:
        call.fail(f"its input must have 1 to 3 spatial axes, not {rank}.")
    given = call.integers("kernel_shape")
    size = tuple(given or ()) if size is None else size
    if given is not None and tuple(given) != size:
        call.fail(f"`kernel_shape` is {short(given)}, the weights have {short(size)}.")
    strides = _sizes(call, "strides", rank)
    dilation = _sizes(call, "dilations", rank)
    if len(size) != rank or min(size) < 1:
        call.fail(f"`kernel_shape` must have {rank} sizes of at least 1, not {short(size)}.")
    if max(*size, *strides, *dilation) > _MOST:
        call.fail("its windows are larger than any image.")
    mode = call.text("auto_pad", "NOTSET")
    pads = call.integers("pads")
    if mode == "VALID" or (mode == "NOTSET" and not any(pads or ())):
        return Windows(rank, size, strides, dilation, "valid", ((0, 0),) * rank)
    reach = [(s - 1) * d + 1 for s, d in zip(size, dilation, strict=True)]
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        pairs = _same(call, x, reach, strides, mode == "SAME_LOWER")
        upper = mode == "SAME_UPPER"
        return Windows(rank, size, strides, dilation, "same" if upper else None, pairs)
    if mode != "NOTSET":
        call.fail(f"`auto_pad` must be one of ONNX' words. Received: {short(mode, 40)}")
    pads = pads or [0] * (2 * rank)
    if len(pads) != 2 * rank or min(pads) < 0 or max(pads) > _MOST:
        call.fail(f"`pads` must be {2 * rank} sizes of at least 0, not {short(pads)}.")
    pairs = tuple((pads[i], pads[rank + i]) for i in range(rank))
    is_same = all(step == 1 for step in strides) and all(
        pair == ((r - 1) // 2, r // 2) for pair, r in zip(pairs, reach, strict=True)
    )
    return Windows(rank, size, strides, dilation, "same" if is_same else None, pairs)


def _sizes(call: Call, name: str, rank: int) -> Shape:
    found = tuple(call.integers(name) or (1,) * rank)
    if len(found) != rank or min(found) < 1:
        call.fail(f"`{name}` must have {rank} sizes of at least 1, not {short(found)}.")
    return found


def _same(call: Call, x: Traced, reach: list[int], strides: Shape, lower: bool) -> Pairs | None:
    pairs: list[tuple[int, int]] = []
    for size, length, step in zip(x.sizes[2:], reach, strides, strict=True):
        if isinstance(size, int):
            total = max((-(-size // step) - 1) * step + length - size, 0)
        elif step == 1:
            total = length - 1
        elif lower:
            call.fail("`auto_pad` SAME_LOWER needs a known size of the image.")
        else:
            return None
        small, large = total // 2, total - total // 2
        pairs.append((large, small) if lower else (small, large))
    return tuple(pairs)


def layout(rank: int) -> dict[str, Any]:
    """The argument of layers that can have other layouts; those of sequences have none."""
    return {"data_format": "channels_last"} if rank > 1 else {}


def zero_padded(call: Call, tensor: Any, pads: Pairs) -> Any:
    """Zeros around images with channels last."""
    if not any(map(any, pads)):
        return tensor
    make = (layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)[len(pads) - 1]
    padding: Any = pads[0] if len(pads) == 1 else pads
    options = layout(len(pads))
    return make(padding, name=call.layer_name("_pad"), dtype=tensor.dtype, **options)(tensor)


def filled_around(tensor: Any, pads: Pairs, value: float) -> Any:
    """A number around images with channels last."""
    if not any(map(any, pads)):
        return tensor
    return ops.pad(tensor, ((0, 0), *pads, (0, 0)), constant_values=value)
