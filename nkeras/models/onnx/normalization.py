"""Normalizations: layers with the file's scales, offsets and statistics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nkeras import layers, ops
from nkeras.core.errors import short
from nkeras.models.onnx.table import Call, operator
from nkeras.models.onnx.values import Traced, Value, placed


def _channels(call: Call, x: Traced) -> int:
    size = x.sizes[1] if x.rank > 1 else None
    if not isinstance(size, int):
        call.fail("the number of channels is open.")
    return size


@operator("BatchNormalization")
def _batch_normalization(call: Call) -> Value:
    x = call.traced()
    size = _channels(call, x)
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {name: (place, call.vector(place, size)) for place, name in enumerate(names, 1)}
    if not call.flag("spatial", True):
        call.fail("statistics of each position (`spatial` 0) are not read.")
    arguments = {
        "axis": -1,
        "momentum": call.number("momentum", 0.9),
        "epsilon": call.number("epsilon", 1e-5),
    }
    is_last = x.rank > 2
    tensor = x.get(is_last)
    make = layers.BatchNormalization
    y = call.builder.layer(call, make, arguments, tensor, weights, x.dtype)
    return call.made(y, x.sizes, is_last)


@operator("InstanceNormalization")
def _instance_normalization(call: Call) -> Value:
    x = call.traced()
    size = _channels(call, x)
    return _grouped(call, x, size, call.vector(1, size), call.vector(2, size))


@operator("GroupNormalization")
def _group_normalization(call: Call) -> Value:
    x = call.traced()
    size, groups = _channels(call, x), call.integer("num_groups", 0)
    if groups < 1 or size % groups:
        call.fail(f"{size} channels cannot be shared by {groups} groups.")
    if call.opset < 21:  # one number for each group
        call.builder.spend(2 * size)
        scale, offset = (np.repeat(call.vector(i, groups), size // groups) for i in (1, 2))
    else:
        scale, offset = call.vector(1, size), call.vector(2, size)
    return _grouped(call, x, groups, scale, offset)


def _grouped(call: Call, x: Traced, groups: int, scale: np.ndarray, offset: np.ndarray) -> Value:
    is_last = x.rank > 2
    y = call.builder.layer(
        call,
        layers.GroupNormalization,
        {"groups": groups, "axis": -1, "epsilon": call.number("epsilon", 1e-5)},
        x.get(is_last),
        {"gamma": (1, scale), "beta": (2, offset)},
        x.dtype,
    )
    return call.made(y, x.sizes, is_last)


@operator("LayerNormalization", "RMSNormalization")
def _layer_normalization(call: Call) -> Value:
    x = call.traced()
    first = call.axis(call.integer("axis", -1), x.rank)
    axes = list(range(first, x.rank))
    epsilon = call.number("epsilon", 1e-5)
    shape = x.sizes[first:]
    is_rms = call.operator == "RMSNormalization"
    arguments: dict[str, Any] = {"axis": axes if len(axes) > 1 else -1, "epsilon": epsilon}
    weights = {"scale" if is_rms else "gamma": (1, _affine(call, 1, shape))}
    if not is_rms:
        arguments["center"] = call.has(2)
        if call.has(2):
            weights["beta"] = (2, _affine(call, 2, shape))
    make = layers.RMSNormalization if is_rms else layers.LayerNormalization
    y = call.builder.layer(call, make, arguments, x.first, weights, x.dtype)
    return call.made(y, x.sizes)


def _affine(call: Call, place: int, shape: tuple[Any, ...]) -> np.ndarray:
    array = call.weight(place)
    if any(not isinstance(size, int) for size in shape):
        call.fail("the sizes of the normalized axes are open.")
    if array.shape == tuple(shape):
        return array
    if array.size == 1:
        call.builder.spend(math.prod(shape))
        return np.broadcast_to(array, shape)
    call.fail(f"input {place} must have shape {short(tuple(shape))}, not {short(array.shape)}.")


@operator("LpNormalization")
def _lp_normalization(call: Call) -> Value:
    x = call.traced()
    axis = placed(call.axis(call.integer("axis", -1), x.rank), x.rank, x.is_last)
    power = call.integer("p", 2)
    if power == 1:
        norm = ops.sum(ops.abs(x.tensor), axis, keepdims=True)
    elif power == 2:
        norm = ops.sqrt(ops.sum(ops.square(x.tensor), axis, keepdims=True))
    else:
        call.fail(f"`p` must be 1 or 2, not {power}.")
    y = ops.where(ops.equal(norm, 0.0), 0.0, ops.divide(x.tensor, norm))
    return call.alike(ops.cast(y, x.dtype), x)


@operator("LRN")
def _local_response(call: Call) -> Value:
    x = call.traced()
    size, channels = call.integer("size", 0), _channels(call, x)
    if not 1 <= size <= 2 * channels + 1:
        call.fail(f"`size` {size} does not fit {channels} channels.")
    alpha, beta = call.number("alpha", 1e-4), call.number("beta", 0.75)
    is_last = x.rank > 2
    tensor = x.get(is_last)
    low, high = (size - 1) // 2, size // 2
    squares = ops.pad(ops.square(tensor), ((0, 0),) * (x.rank - 1) + ((low, high),))
    total: Any = None
    for start in range(size):
        part = squares[..., start : start + channels]
        total = part if total is None else ops.add(total, part)
    base = ops.add(ops.multiply(total, alpha / size), call.number("bias", 1.0))
    return call.made(ops.divide(tensor, ops.power(base, beta)), x.sizes, is_last)
