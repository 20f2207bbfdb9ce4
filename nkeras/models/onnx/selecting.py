"""Parts of tensors: slices, splits, gathering by indices, padding."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from nkeras import layers, ops
from nkeras.core import dtypes
from nkeras.core.errors import cut_text, short
from nkeras.models.onnx.folding import slices
from nkeras.models.onnx.table import Call, operator
from nkeras.models.onnx.values import AnySize, Known, Size, Traced, Value, placed
from nkeras.models.onnx.windows import zero_padded

_MOST = 2**24


@operator("Slice")
def _slice(call: Call) -> Value:
    x = call.traced()
    return _cut(call, x, slices(call, x.sizes))


def _cut(call: Call, x: Traced, index: tuple[slice, ...]) -> Traced:
    """A part of a tensor, in the layout at hand."""
    sizes: list[AnySize] = []
    for axis, (size, part) in enumerate(zip(x.sizes, index, strict=True)):
        if isinstance(size, int):
            sizes.append(len(range(*part.indices(size))))
        elif part == slice(None) or (part.start in (0, None) and part.stop is None):
            sizes.append(
                size if part.step in (None, -1) else Size(1, (f"{call.node.name}[{axis}]",))
            )
        else:
            sizes.append(Size(1, (f"{call.node.name}[{axis}]",)))
    places = [placed(axis, x.rank, x.is_last) for axis in range(x.rank)]
    key = tuple(index[places.index(place)] for place in range(x.rank))
    return call.made(x.tensor[key], sizes, x.is_last)


@operator("Split")
def _split(call: Call) -> list[Value]:
    x = call.traced()
    axis = call.axis(call.integer("axis", 0), x.rank)
    size = x.sizes[axis]
    parts = call.listed("split", 1, 13)
    if parts is None:
        count = call.integer("num_outputs", len(call.node.outputs))
        if not isinstance(size, int) or not 1 <= count <= max(size, 1):
            call.fail(f"{cut_text(str(size))} cells cannot be split into {count} parts.")
        step = -(-size // count)
        parts = [min(step, size - i * step) for i in range(count)]
    if min(parts, default=-1) < 0 or sum(parts) != size:
        call.fail(f"parts of {short(parts)} cells do not make up {cut_text(str(size))}.")
    stops = list(itertools.accumulate(parts))
    found: list[Value] = []
    for length, stop in zip(parts, stops, strict=True):
        index = [slice(None)] * x.rank
        index[axis] = slice(stop - length, stop)
        found.append(_cut(call, x, tuple(index)))
    return found


@operator("Gather")
def _gather(call: Call) -> Value:
    data, indices = call.value(0), call.value(1)
    axis = call.axis(call.integer("axis", 0), data.rank)
    sizes = (*data.sizes[:axis], *indices.sizes, *data.sizes[axis + 1 :])
    is_table = isinstance(data, Known) and data.weight is not None and data.rank == 2
    if is_table and axis == 0 and isinstance(indices, Traced) and indices.rank:
        table = call.weight(0)
        arguments = {"input_dim": table.shape[0], "output_dim": table.shape[1]}
        weights = {"embeddings": (0, table)}
        make = layers.Embedding
        y = call.builder.layer(call, make, arguments, indices.first, weights, data.dtype)
        return call.made(y, sizes)
    if isinstance(indices, Known):
        places = call.array(1)
        size = data.sizes[axis]
        if places.dtype.kind not in "iu" or (
            isinstance(size, int)
            and places.size
            and not -size <= places.min() <= places.max() < size
        ):
            call.fail(f"an index is out of range for {cut_text(str(size))} cells.")
        x = call.traced(0)
        if places.ndim == 0:
            index = [slice(None) if i != axis else int(places) for i in range(x.rank)]
            return call.made(x.first[tuple(index)], sizes)
        return call.made(ops.take(x.first, places.astype("int32"), axis), sizes)
    return call.made(ops.take(call.operand(0), call.operand(1), axis), sizes)


@operator("GatherElements")
def _gather_elements(call: Call) -> Value:
    x, indices = call.traced(0), call.operand(1)
    axis = call.axis(call.integer("axis", 0), x.rank)
    whole = call.value(1).sizes
    tensor = x.first
    for i, (own, wanted) in enumerate(zip(x.sizes, whole, strict=True)):
        if i != axis and own != wanted:  # only the part that the indices cover
            if not isinstance(wanted, int):
                call.fail("its two inputs have different open sizes.")
            tensor = tensor[(slice(None),) * i + (slice(0, wanted),)]
    return call.made(ops.take_along_axis(tensor, indices, axis), whole)


@operator("Pad")
def _pad(call: Call) -> Value:
    x = call.traced()
    pads = call.integers("pads") if call.opset < 11 else call.numbers(1)
    if call.opset < 11:
        value: Any = call.number("value", 0.0)
    else:
        value = call.scalar(2) if call.has(2) else 0
    axes = call.numbers(3) if call.has(3) else list(range(x.rank))
    mode = call.text("mode", "constant")
    pads = pads or []
    if len(pads) != 2 * len(axes):
        call.fail(f"it needs {2 * len(axes)} widths, not {short(pads)}.")
    pairs = [(0, 0)] * x.rank
    for i, axis in enumerate(axes):
        pairs[call.axis(axis, x.rank)] = (pads[i], pads[len(axes) + i])
    if max(map(abs, pads), default=0) > _MOST:
        call.fail(f"a width of {max(map(abs, pads))} is larger than any image.")
    return _padded(call, x, pairs, mode, value)


def _padded(call: Call, x: Traced, pairs: list[tuple[int, int]], mode: str, value: Any) -> Traced:
    if any(low < 0 or high < 0 for low, high in pairs):
        index = tuple(slice(max(-low, 0), min(high, 0) or None) for low, high in pairs)
        x = _cut(call, x, index)
        pairs = [(max(low, 0), max(high, 0)) for low, high in pairs]
    if not any(map(any, pairs)):
        return x
    sizes = [size + low + high for size, (low, high) in zip(x.sizes, pairs, strict=True)]
    order = [placed(axis, x.rank, x.is_last) for axis in range(x.rank)]
    widths = [pairs[order.index(place)] for place in range(x.rank)]
    is_image = 3 <= x.rank <= 5 and not any(pairs[0]) and not any(pairs[1])
    if mode == "constant" and is_image and value == 0 and dtypes.is_floating(x.dtype):
        return call.made(zero_padded(call, x.last, tuple(pairs[2:])), sizes, True)
    if mode == "constant":
        return call.made(ops.pad(x.tensor, widths, constant_values=value), sizes, x.is_last)
    modes: dict[str, Any] = {"edge": "edge", "reflect": "reflect", "wrap": "wrap"}
    if mode not in modes:
        call.fail(f"the mode {short(mode, 40)} is none of ONNX' modes.")
    tensor: Any = x.tensor
    for axis, (low, high) in enumerate(pairs):
        size = x.sizes[axis]
        if not low and not high:
            continue
        if not isinstance(size, int) or not size or low + high > _MOST:
            call.fail("the axis must have a known size.")
        places = np.pad(np.arange(size, dtype="int32"), (low, high), mode=modes[mode])
        tensor = ops.take(tensor, places, order[axis])
    return call.made(tensor, sizes, x.is_last)


@operator("OneHot")
def _one_hot(call: Call) -> Value:
    indices, depth = call.traced(0), int(call.scalar(1))
    values = call.array(2)
    if not 1 <= depth <= _MOST or values.size != 2:
        call.fail(f"it needs a depth of at least 1 and two values, not {depth} and {values.size}.")
    axis = call.axis(call.integer("axis", -1), indices.rank + 1)
    places = ops.cast(indices.first, "int32")
    places = ops.where(ops.less(places, 0), ops.add(places, depth), places)
    chosen = ops.one_hot(places, depth, axis=axis, dtype="bool")
    off, on = (values[i].item() for i in range(2))
    sizes = list(indices.sizes)
    sizes.insert(axis, depth)
    dtype = values.dtype.name
    return call.made(ops.cast(ops.where(chosen, on, off), dtype), sizes)
