"""Activations: layers where Keras has one, else ops."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras import layers, ops
from nkeras.models.onnx.table import Call, operator
from nkeras.models.onnx.values import Value, placed

_NAMES = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "HardSwish": "hard_silu",
    "Mish": "mish",
    "Exp": "exponential",
}


@operator(*_NAMES)
def _by_name(call: Call) -> Value:
    x = call.traced()
    layer = layers.Activation(_NAMES[call.operator], name=call.layer_name(), dtype=x.dtype)
    return call.alike(layer(x.tensor), x)


@operator("Relu")
def _relu(call: Call) -> Value:
    x = call.traced()
    if not x.dtype.startswith(("float", "bfloat")):
        return call.alike(ops.maximum(x.tensor, 0), x)
    return call.alike(layers.ReLU(name=call.layer_name(), dtype=x.dtype)(x.tensor), x)


@operator("LeakyRelu")
def _leaky_relu(call: Call) -> Value:
    x, slope = call.traced(), call.number("alpha", 0.01)
    if slope < 0:
        return call.alike(ops.leaky_relu(x.tensor, slope), x)
    layer = layers.LeakyReLU(slope, name=call.layer_name(), dtype=x.dtype)
    return call.alike(layer(x.tensor), x)


@operator("Elu")
def _elu(call: Call) -> Value:
    x = call.traced()
    layer = layers.ELU(call.number("alpha", 1.0), name=call.layer_name(), dtype=x.dtype)
    return call.alike(layer(x.tensor), x)


@operator("Selu")
def _selu(call: Call) -> Value:
    x, alpha = call.traced(), call.number("alpha", 1.6732632)
    factor = call.number("gamma", 1.0507010)
    return call.alike(ops.multiply(ops.elu(x.tensor, alpha), factor), x)


@operator("Celu")
def _celu(call: Call) -> Value:
    x = call.traced()
    return call.alike(ops.celu(x.tensor, call.number("alpha", 1.0)), x)


@operator("ThresholdedRelu")
def _thresholded_relu(call: Call) -> Value:
    x = call.traced()
    return call.alike(ops.threshold(x.tensor, call.number("alpha", 1.0), 0.0), x)


@operator("HardSigmoid")
def _hard_sigmoid(call: Call) -> Value:
    x = call.traced()
    y = ops.add(ops.multiply(x.tensor, call.number("alpha", 0.2)), call.number("beta", 0.5))
    return call.alike(ops.clip(y, 0.0, 1.0), x)


@operator("Gelu")
def _gelu(call: Call) -> Value:
    x = call.traced()
    return call.alike(ops.gelu(x.tensor, call.text("approximate", "none") == "tanh"), x)


@operator("Swish")
def _swish(call: Call) -> Value:
    x = call.traced()
    gate = ops.sigmoid(ops.multiply(x.tensor, call.number("alpha", 1.0)))
    return call.alike(ops.multiply(x.tensor, gate), x)


@operator("Shrink")
def _shrink(call: Call) -> Value:
    x, bias, limit = call.traced(), call.number("bias", 0.0), call.number("lambd", 0.5)
    small = ops.where(ops.less(x.tensor, -limit), ops.add(x.tensor, bias), 0.0)
    y = ops.where(ops.greater(x.tensor, limit), ops.subtract(x.tensor, bias), small)
    return call.alike(ops.cast(y, x.dtype), x)


@operator("PRelu")
def _prelu(call: Call) -> Value:
    x = call.traced()
    known = call.value(1)
    slope = None if not hasattr(known, "array") else call.weight(1)
    if slope is None or x.rank < 2:
        tensor, factor = x.first, call.operand(1)
        return call.made(ops.where(ops.less(tensor, 0), tensor * factor, tensor), x.sizes)
    rank = x.rank
    wide = slope.reshape((1,) * (rank - slope.ndim) + slope.shape)
    shared = [placed(i, rank, x.is_last) for i in range(1, rank) if wide.shape[i] == 1]
    alpha = np.moveaxis(wide, 1, -1) if x.is_last else wide
    if len(wide) != 1:
        call.fail("a slope for each sample of a batch is no weight.")
    y = call.builder.layer(
        call,
        layers.PReLU,
        {"shared_axes": sorted(shared) or None},
        x.tensor,
        {"alpha": (1, alpha.reshape(alpha.shape[1:]))},
        x.dtype,
    )
    return call.alike(y, x)


@operator("Clip")
def _clip(call: Call) -> Value:
    x = call.traced()
    limits: list[Any] = []
    for place, name in ((1, "min"), (2, "max")):
        if call.opset < 11:
            limits.append(call.number(name, 0.0) if name in call.node.attributes else None)
        else:
            limits.append(call.scalar(place) if call.has(place) else None)
    low, high = limits
    is_floating = x.dtype.startswith(("float", "bfloat"))
    if is_floating and low == 0.0 and (high is None or high >= 0.0):
        layer = layers.ReLU(max_value=high, name=call.layer_name(), dtype=x.dtype)
        return call.alike(layer(x.tensor), x)
    return call.alike(ops.clip(x.tensor, low, high), x)


@operator("Softmax", "LogSoftmax", "Hardmax")
def _softmax(call: Call) -> Value:
    x = call.traced()
    is_old = call.opset < 13
    axis = call.axis(call.integer("axis", 1 if is_old else -1), x.rank)
    if is_old and axis != x.rank - 1:  # old operator sets take all axes from this one on together
        axes = tuple(range(axis, x.rank))
        if call.operator == "Hardmax":
            call.fail(f"in operator set {call.opset} only its last axis is read.")
        return call.made(_normalized(call, x.first, axes), x.sizes)
    where = placed(axis, x.rank, x.is_last)
    if call.operator == "Softmax":
        layer = layers.Softmax(where, name=call.layer_name(), dtype=x.dtype)
        return call.alike(layer(x.tensor), x)
    if call.operator == "LogSoftmax":
        return call.alike(ops.log_softmax(x.tensor, where), x)
    size = x.sizes[axis]
    if not isinstance(size, int):
        call.fail("the size of its axis is open.")
    best = ops.argmax(x.tensor, where)
    return call.alike(ops.one_hot(best, size, axis=where, dtype=x.dtype), x)


def _normalized(call: Call, x: Any, axes: tuple[int, ...]) -> Any:
    logarithm = ops.subtract(x, ops.logsumexp(x, axes, keepdims=True))
    return ops.exp(logarithm) if call.operator == "Softmax" else logarithm


@operator("Dropout")
def _dropout(call: Call) -> Value:
    x = call.traced()
    rate = call.number("ratio", 0.5)
    if call.opset >= 12:
        rate = float(call.scalar(1)) if call.has(1) else 0.5
    if not 0.0 <= rate < 1.0:
        call.fail(f"its ratio must be in [0, 1), not {rate}.")
    seed = call.integer("seed", 0) if "seed" in call.node.attributes else None
    layer = layers.Dropout(rate, seed=seed, name=call.layer_name(), dtype=x.dtype)
    return call.alike(layer(x.tensor), x)
