"""The operations of ops.py in nkeras: on tensors; layers, optimizers and steps with a gradient in a
`nkeras.function`, as JAX's are jitted, single operations and the rows named eager as they stand."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import nkeras
from nkeras import ops
from nkeras.ops.dense import dense
from nkeras.ops.lstm import lstm


def _dense_layer(case: dict[str, Any], x: Any, kernel: Any, bias: Any) -> Any:
    layer = nkeras.layers.Dense(bias.shape[0], activation=case["activation"])
    layer.build(x.shape)
    layer.set_weights([kernel.numpy(), bias.numpy()])
    return layer


def _batch_norm_layer(case: dict[str, Any], x: Any, gamma: Any, beta: Any) -> Any:
    layer = nkeras.layers.BatchNormalization()
    layer.build(x.shape)
    layer.set_weights([gamma.numpy(), beta.numpy(), np.zeros(gamma.shape), np.ones(gamma.shape)])
    return layer


LAYERS = {"dense": _dense_layer, "batch_norm": _batch_norm_layer}
OPTIMIZERS = {
    "adam": lambda: nkeras.optimizers.Adam(1e-3),
    "sgd": lambda: nkeras.optimizers.SGD(1e-2, momentum=0.9),
}


def _cross_entropy(case: dict[str, Any], logits: Any, labels: Any) -> Any:
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def _lstm(case: dict[str, Any], x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    zeros = ops.zeros((x.shape[0], recurrent.shape[0]))
    options = None, None
    return lstm(x, zeros, zeros, kernel, recurrent, bias, *options, reverse=False)[0]


def _window(case: dict[str, Any]) -> dict[str, Any]:
    return {"strides": case["strides"], "padding": case["padding"]}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "conv": lambda case, x, kernel: ops.conv(x, kernel, **_window(case)),
    "depthwise_conv": lambda case, x, kernel: ops.depthwise_conv(x, kernel, **_window(case)),
    "matmul": lambda case, x, y: ops.matmul(x, y),
    # Weights are inputs: those of a layer, which nothing changes here, would be packed only once.
    "dense": lambda case, x, kernel, bias: dense(x, kernel, bias, case["activation"]),
    "max_pool": lambda case, x: ops.max_pool(x, case["size"]),
    "average_pool": lambda case, x: ops.average_pool(x, case["size"]),
    "layer_norm": lambda case, x, gamma, beta: ops.layer_normalization(
        x, gamma, beta, epsilon=1e-3
    ),
    "attention": lambda case, query, key, value: ops.dot_product_attention(
        query, key, value, is_causal=case["causal"]
    ),
    "relu": lambda case, x: ops.relu(x),
    "tanh": lambda case, x: ops.tanh(x),
    "sigmoid": lambda case, x: ops.sigmoid(x),
    "gelu": lambda case, x: ops.gelu(x),
    "exp": lambda case, x: ops.exp(x),
    "softmax": lambda case, x: ops.softmax(x),
    "log_softmax": lambda case, x: ops.log_softmax(x),
    "cross_entropy": _cross_entropy,
    "lstm": _lstm,
    "sum": lambda case, x: ops.sum(x, case["axis"]),
    "mean": lambda case, x: ops.mean(x, case["axis"]),
    "max": lambda case, x: ops.max(x, case["axis"]),
    "transpose": lambda case, x: ops.reshape(ops.transpose(x, case["axes"]), -1),
    "embedding": lambda case, table, indices: ops.take(table, indices, axis=0),
}


def make(
    case: dict[str, Any], arrays: list[np.ndarray], upstream: Callable[..., np.ndarray]
) -> Callable[[], Any] | None:
    """The function to time."""
    inputs = [ops.convert_to_tensor(array) for array in arrays]
    if case["op"] in OPTIMIZERS:
        return _timed(case, _update(case["op"], inputs[0]), inputs[1:])
    operation, sources = _operation(case, inputs)
    if case["what"] == "forward":
        return _timed(case, operation, inputs)
    gradient = ops.convert_to_tensor(upstream(operation(*inputs).shape))

    def recorded(persistent: bool, *inputs: Any) -> tuple[Any, Any, list[Any]]:
        wanted = [sources(*inputs)[i] for i in case["by"]]
        with nkeras.GradientTape(persistent) as tape:
            for source in wanted:
                tape.watch(source)
            y = operation(*inputs)
        return tape, y, wanted

    if case["what"] == "backward":
        tape, y, wanted = recorded(True, *inputs)
        return lambda: tape.gradient(y, wanted, gradient)

    def both(gradient: Any, *inputs: Any) -> Any:
        tape, y, wanted = recorded(False, *inputs)
        return y, tape.gradient(y, wanted, gradient)

    return _timed(case, both, [gradient, *inputs])


def _timed(case: dict[str, Any], step: Callable[..., Any], inputs: list[Any]) -> Callable[[], Any]:
    is_one_operation = case["what"] == "forward" and case["op"] not in (*LAYERS, *OPTIMIZERS)
    timed = step if is_one_operation or case.get("eager") else nkeras.function(step)
    return lambda: timed(*inputs)


def _operation(case: dict[str, Any], inputs: list[Any]) -> tuple[Any, Any]:
    """A function of the inputs, and what of them one may want a gradient by."""
    op = case["op"]
    if op in FUNCTIONS and not (op in LAYERS and case.get("eager")):
        return functools.partial(FUNCTIONS[op], case), lambda *inputs: inputs
    layer = LAYERS[op](case, *inputs)
    return (
        lambda x, *weights: layer(x, training=True),
        lambda x, *weights: [x, *layer.trainable_variables],
    )


def _update(name: str, weights: Any) -> Callable[[Any], Any]:
    variable, optimizer = nkeras.Variable(weights), OPTIMIZERS[name]()
    optimizer.build([variable])
    return lambda gradient: optimizer.apply([gradient], [variable])
