"""Pooling over windows and over whole images."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from nkeras import layers, ops
from nkeras.core import dtypes
from nkeras.core.spec import Pairs
from nkeras.models.onnx.table import Call, operator
from nkeras.models.onnx.values import Traced, Value, zeros_of
from nkeras.models.onnx.windows import Windows, filled_around, windows, zero_padded

_MOST_CELLS = 1024


@operator("MaxPool")
def _max_pool(call: Call) -> Value:
    x = call.traced()
    found = windows(call, x)
    if len(call.node.outputs) > 1 and call.node.outputs[1]:
        call.fail("its second output, the places of the maxima, is not computed by nkeras.")
    lowest = float(dtypes.limits(x.dtype)[0])
    if set(found.dilation) != {1}:
        pads = _all_pads(call, x, found)
        padded = filled_around(x.last, pads, lowest)
        y = _over_gaps(call, x, padded, found, pads, ops.maximum)
        return call.made(y, channels_last=True, like=[x])
    if found.padding is None or call.flag("ceil_mode", False):
        tensor = filled_around(x.last, _all_pads(call, x, found), lowest)
        padding = "valid"
    else:
        tensor, padding = x.last, found.padding
    make = (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D)[found.rank - 1]
    return _pooled(call, x, make, found, padding, tensor)


def _pooled(
    call: Call, x: Traced, make: Callable[..., Any], found: Windows, padding: str, tensor: Any
) -> Traced:
    layer = make(
        found.size,
        found.strides,
        padding,
        "channels_last",
        name=call.layer_name(),
        dtype=x.dtype,
    )
    return call.made(layer(tensor), channels_last=True, like=[x])


def _all_pads(call: Call, x: Traced, found: Windows) -> Pairs:
    """The paddings, with what `ceil_mode` adds at the ends."""
    pads = found.pads
    if pads is None:
        call.fail("its padding needs a known size of the image.")
    if not call.flag("ceil_mode", False):
        return pads
    pairs: list[tuple[int, int]] = []
    for i, (low, high) in enumerate(pads):
        length = x.sizes[2 + i]
        if not isinstance(length, int):
            call.fail("`ceil_mode` needs a known size of the image.")
        reach, step = (found.size[i] - 1) * found.dilation[i] + 1, found.strides[i]
        count = -(-(length + low + high - reach) // step) + 1
        if (count - 1) * step >= length + low:  # a window must begin inside
            count -= 1
        pairs.append((low, max((count - 1) * step + reach - length - low, high)))
    return tuple(pairs)


def _over_gaps(
    call: Call, x: Traced, tensor: Any, found: Windows, pads: Pairs, join: Callable[[Any, Any], Any]
) -> Any:
    """Windows with gaps over a padded image: the cells of one place are a slice with steps."""
    cells = math.prod(found.size)
    if cells > _MOST_CELLS:
        call.fail(f"a window with gaps of {cells} cells; {_MOST_CELLS} are the most.")
    counts: list[int] = []
    for i, (low, high) in enumerate(pads):
        length = x.sizes[2 + i]
        if not isinstance(length, int):
            call.fail("`dilations` need a known size of the image.")
        reach = (found.size[i] - 1) * found.dilation[i] + 1
        counts.append((length + low + high - reach) // found.strides[i] + 1)
    if min(counts) < 1:
        call.fail("the window does not fit into the image.")
    total: Any = None
    for places in itertools.product(*map(range, found.size)):
        starts = [place * gap for place, gap in zip(places, found.dilation, strict=True)]
        index = [
            slice(start, start + (count - 1) * step + 1, step)
            for start, count, step in zip(starts, counts, found.strides, strict=True)
        ]
        part = tensor[(slice(None), *index, slice(None))]
        total = part if total is None else join(total, part)
    return total


@operator("AveragePool")
def _average_pool(call: Call) -> Value:
    x = call.traced()
    found = windows(call, x)
    counts_pads = call.flag("count_include_pad", False)
    make = (layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D)
    has_gaps = set(found.dilation) != {1}
    if not has_gaps and not call.flag("ceil_mode", False):
        if found.padding == "valid" or (found.padding == "same" and not counts_pads):
            return _pooled(call, x, make[found.rank - 1], found, found.padding, x.last)
        if counts_pads and found.pads is not None:
            padded = zero_padded(call, x.last, found.pads)
            return _pooled(call, x, make[found.rank - 1], found, "valid", padded)
    pads = _all_pads(call, x, found)
    ones, behind = ops.add(zeros_of(x.last[:1, ..., :1], x.dtype), 1), pads
    if counts_pads:  # but what ceil_mode adds does not count
        assert found.pads is not None
        ones = filled_around(ones, found.pads, 1.0)
        behind = tuple((0, b[1] - a[1]) for a, b in zip(found.pads, pads, strict=True))

    def total(tensor: Any, suffix: str) -> Any:
        if has_gaps:
            return _over_gaps(call, x, tensor, found, pads, ops.add)
        name = call.layer_name(suffix)
        sizes = (found.size, found.strides, "valid", "channels_last")
        return make[found.rank - 1](*sizes, name=name, dtype=x.dtype)(tensor)

    count = total(filled_around(ones, behind, 0.0), "_count")
    y = ops.divide(total(filled_around(x.last, pads, 0.0), ""), count)
    return call.made(y, channels_last=True, like=[x])


@operator("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(call: Call) -> Value:
    x = call.traced()
    rank = x.rank - 2
    if not 1 <= rank <= 3:
        call.fail(f"its input must have 1 to 3 spatial axes, not {rank}.")
    if call.operator == "GlobalMaxPool":
        make = (
            layers.GlobalMaxPooling1D,
            layers.GlobalMaxPooling2D,
            layers.GlobalMaxPooling3D,
        )[rank - 1]
    else:
        make = (
            layers.GlobalAveragePooling1D,
            layers.GlobalAveragePooling2D,
            layers.GlobalAveragePooling3D,
        )[rank - 1]
    layer = make("channels_last", keepdims=True, name=call.layer_name(), dtype=x.dtype)
    return call.made(layer(x.last), channels_last=True, like=[x])
