"""The operations of ops.py in nkeras: on tensors, as a user calls them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

import nkeras
from nkeras import ops


def _dense(case: dict[str, Any], x: Any, kernel: Any, bias: Any) -> tuple[Any, list[Any]]:
    layer = nkeras.layers.Dense(bias.shape[0], activation=case["activation"])
    layer.build(x.shape)
    layer.set_weights([kernel.numpy(), bias.numpy()])
    return lambda: layer(x), [x, *layer.trainable_variables]


def _batch_norm(case: dict[str, Any], x: Any, gamma: Any, beta: Any) -> tuple[Any, list[Any]]:
    layer = nkeras.layers.BatchNormalization()
    layer.build(x.shape)
    layer.set_weights([gamma.numpy(), beta.numpy(), np.zeros(gamma.shape), np.ones(gamma.shape)])
    return lambda: layer(x, training=True), [x, *layer.trainable_variables]


LAYERS = {"dense": _dense, "batch_norm": _batch_norm}


def _cross_entropy(case: dict[str, Any], logits: Any, labels: Any) -> Any:
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def _lstm(case: dict[str, Any], x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    from nkeras.ops import recurrent as primitives

    zeros = ops.zeros((x.shape[0], recurrent.shape[0]))
    return primitives.lstm(x, zeros, zeros, kernel, recurrent, bias)[0]


def _window(case: dict[str, Any]) -> dict[str, Any]:
    return {"strides": case["strides"], "padding": case["padding"]}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "conv": lambda case, x, kernel: ops.conv(x, kernel, **_window(case)),
    "depthwise_conv": lambda case, x, kernel: ops.depthwise_conv(x, kernel, **_window(case)),
    "matmul": lambda case, x, y: ops.matmul(x, y),
    "max_pool": lambda case, x: ops.max_pool(x, case["size"]),
    "average_pool": lambda case, x: ops.average_pool(x, case["size"]),
    "layer_norm": lambda case, x, gamma, beta: ops.layer_normalization(
        x, gamma, beta, epsilon=1e-3
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
    if case["op"] in ("adam", "sgd"):
        return _update(case["op"], *arrays)
    if case["op"] == "lstm" and find_spec("nkeras.ops.recurrent") is None:
        return None
    inputs = [ops.convert_to_tensor(array) for array in arrays]
    if case["op"] in LAYERS:
        forward, sources = LAYERS[case["op"]](case, *inputs)
    else:
        function, sources = FUNCTIONS[case["op"]], inputs

        def forward() -> Any:
            return function(case, *inputs)

    if case["what"] == "forward":
        return forward
    wanted = [sources[i] for i in case["by"]]
    gradient = ops.convert_to_tensor(upstream(forward().shape))

    def recorded(persistent: bool) -> tuple[Any, Any]:
        with nkeras.GradientTape(persistent) as tape:
            for source in wanted:
                tape.watch(source)
            y = forward()
        return tape, y

    if case["what"] == "backward":
        tape, y = recorded(True)
        return lambda: tape.gradient(y, wanted, gradient)

    def both() -> Any:
        tape, y = recorded(False)
        return y, tape.gradient(y, wanted, gradient)

    return both


def _update(name: str, weights: np.ndarray, gradient: np.ndarray) -> Callable[[], Any]:
    variable, grad = nkeras.Variable(weights), ops.convert_to_tensor(gradient)
    optimizer: Any = (
        nkeras.optimizers.Adam(1e-3)
        if name == "adam"
        else nkeras.optimizers.SGD(1e-2, momentum=0.9)
    )
    optimizer.build([variable])

    def update() -> Any:
        optimizer.apply([grad], [variable])
        return variable

    return update
