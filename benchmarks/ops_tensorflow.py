"""The operations of ops.py in TensorFlow: one tf.function on tensors, gradients inside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def _window(case: dict[str, Any]) -> tuple[list[int], str]:
    return [1, case["strides"], case["strides"], 1], case["padding"].upper()


def _pool(function: Any) -> Callable[..., Any]:
    return lambda case, x: function(x, case["size"], case["size"], "VALID")


def _batch_norm(case: dict[str, Any], x: Any, gamma: Any, beta: Any) -> Any:
    return tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, epsilon=1.001e-3)[0]


def _layer_norm(case: dict[str, Any], x: Any, gamma: Any, beta: Any) -> Any:
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-3)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "conv": lambda case, x, kernel: tf.nn.conv2d(x, kernel, *_window(case)),
    "depthwise_conv": lambda case, x, kernel: tf.nn.depthwise_conv2d(x, kernel, *_window(case)),
    "matmul": lambda case, x, y: tf.matmul(x, y),
    "dense": lambda case, x, kernel, bias: tf.nn.relu(tf.nn.bias_add(tf.matmul(x, kernel), bias)),
    "max_pool": _pool(tf.nn.max_pool2d),
    "average_pool": _pool(tf.nn.avg_pool2d),
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "relu": lambda case, x: tf.nn.relu(x),
    "tanh": lambda case, x: tf.tanh(x),
    "sigmoid": lambda case, x: tf.sigmoid(x),
    "gelu": lambda case, x: tf.nn.gelu(x, approximate=True),
    "exp": lambda case, x: tf.exp(x),
    "softmax": lambda case, x: tf.nn.softmax(x),
    "log_softmax": lambda case, x: tf.nn.log_softmax(x),
    "cross_entropy": lambda case, logits, labels: tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels, logits
    ),
    "sum": lambda case, x: tf.reduce_sum(x, case["axis"]),
    "mean": lambda case, x: tf.reduce_mean(x, case["axis"]),
    "max": lambda case, x: tf.reduce_max(x, case["axis"]),
    "transpose": lambda case, x: tf.reshape(tf.transpose(x, case["axes"]), [-1]),
    "embedding": lambda case, table, indices: tf.gather(table, indices),
}


def make(
    case: dict[str, Any], arrays: list[np.ndarray], upstream: Callable[..., np.ndarray]
) -> Callable[[], Any] | None:
    """The function to time."""
    inputs = [tf.constant(array) for array in arrays]
    if case["op"] in ("adam", "sgd"):
        return _update(case["op"], *inputs)
    if case["op"] not in FUNCTIONS:
        return None

    def forward(*inputs: Any) -> Any:
        return FUNCTIONS[case["op"]](case, *inputs)

    if case["what"] == "forward":
        return _graph(forward, *inputs)
    y = forward(*inputs)
    gradient = tf.constant(upstream(tuple(y.shape)))
    if case["op"] == "max_pool":  # its gradient needs the result, which is there already
        size = [1, case["size"], case["size"], 1]

        def pool_gradient(x: Any, y: Any, gradient: Any) -> Any:
            return tf.raw_ops.MaxPoolGrad(
                orig_input=x, orig_output=y, grad=gradient, ksize=size, strides=size,
                padding="VALID",
            )  # fmt: skip

        return _graph(pool_gradient, *inputs, y, gradient)

    def with_gradient(gradient: Any, *inputs: Any) -> Any:
        wanted = [inputs[position] for position in case["by"]]
        with tf.GradientTape() as tape:
            tape.watch(wanted)
            y = forward(*inputs)
        found = [tf.convert_to_tensor(one) for one in tape.gradient(y, wanted, gradient)]
        # What is not returned is not computed: the graph is pruned.
        return [y, *found] if case["what"] == "both" else found

    return _graph(with_gradient, gradient, *inputs)


def _graph(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    compiled = tf.function(function).get_concrete_function(*arguments)
    return lambda: compiled(*arguments)


def _update(name: str, weights: Any, gradient: Any) -> Callable[[], Any]:
    variable = tf.Variable(weights)
    buffers = [tf.Variable(tf.zeros_like(weights)) for _ in range(2)]
    powers = [tf.Variable(0.9), tf.Variable(0.999)]

    def adam() -> None:
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=buffers[0].handle, v=buffers[1].handle, grad=gradient,
            beta1_power=powers[0], beta2_power=powers[1], lr=1e-3, beta1=0.9, beta2=0.999,
            epsilon=1e-7,
        )  # fmt: skip
        powers[0].assign(powers[0] * 0.9)
        powers[1].assign(powers[1] * 0.999)

    def sgd() -> None:
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle, accum=buffers[0].handle, lr=1e-2, grad=gradient, momentum=0.9
        )

    step = tf.function(adam if name == "adam" else sgd)

    def update() -> Any:
        step()
        return variable

    return update
