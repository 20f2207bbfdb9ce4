"""The operations of ops.py in JAX: one jitted function on arrays that JAX holds already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

LAYOUT = ("NHWC", "HWIO", "NHWC")


def _conv(case: dict[str, Any], x: Any, kernel: Any) -> Any:
    groups = 1
    if case["op"] == "depthwise_conv":
        groups = x.shape[-1]
        kernel = jnp.swapaxes(kernel, 2, 3)
    strides = (case["strides"],) * 2
    return lax.conv_general_dilated(
        x, kernel, strides, case["padding"].upper(), dimension_numbers=LAYOUT,
        feature_group_count=groups,
    )  # fmt: skip


def _pool(x: Any, start: float, function: Any, size: int) -> Any:
    window = (1, size, size, 1)
    return lax.reduce_window(x, start, function, window, window, "VALID")


def _normalize(x: Any, gamma: Any, beta: Any, axes: tuple[int, ...]) -> Any:
    mean = jnp.mean(x, axes, keepdims=True)
    variance = jnp.mean(jnp.square(x), axes, keepdims=True) - jnp.square(mean)
    return (x - mean) * (lax.rsqrt(variance + 1e-3) * gamma) + beta


def _cross_entropy(case: dict[str, Any], logits: Any, labels: Any) -> Any:
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], -1)[:, 0]


def _lstm(case: dict[str, Any], x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    zeros = jnp.zeros((x.shape[0], recurrent.shape[0]), x.dtype)
    projected = jnp.swapaxes(x @ kernel + bias, 0, 1)

    def step(state: Any, gates: Any) -> Any:
        hidden, cell = state
        i, f, c, o = jnp.split(gates + hidden @ recurrent, 4, -1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(c)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (hidden, cell), hidden

    return jnp.swapaxes(lax.scan(step, (zeros, zeros), projected)[1], 0, 1)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "conv": _conv,
    "depthwise_conv": _conv,
    "matmul": lambda case, x, y: x @ y,
    "dense": lambda case, x, kernel, bias: jax.nn.relu(x @ kernel + bias),
    "max_pool": lambda case, x: _pool(x, -jnp.inf, lax.max, case["size"]),
    "average_pool": lambda case, x: _pool(x, 0.0, lax.add, case["size"]) / case["size"] ** 2,
    "batch_norm": lambda case, x, gamma, beta: _normalize(x, gamma, beta, (0, 1, 2)),
    "layer_norm": lambda case, x, gamma, beta: _normalize(x, gamma, beta, (-1,)),
    "attention": lambda case, query, key, value: jax.nn.dot_product_attention(
        query, key, value, is_causal=case["causal"]
    ),
    "relu": lambda case, x: jax.nn.relu(x),
    "tanh": lambda case, x: jnp.tanh(x),
    "sigmoid": lambda case, x: jax.nn.sigmoid(x),
    "gelu": lambda case, x: jax.nn.gelu(x),
    "exp": lambda case, x: jnp.exp(x),
    "softmax": lambda case, x: jax.nn.softmax(x),
    "log_softmax": lambda case, x: jax.nn.log_softmax(x),
    "cross_entropy": _cross_entropy,
    "lstm": _lstm,
    "sum": lambda case, x: jnp.sum(x, case["axis"]),
    "mean": lambda case, x: jnp.mean(x, case["axis"]),
    "max": lambda case, x: jnp.max(x, case["axis"]),
    "transpose": lambda case, x: jnp.transpose(x, case["axes"]).reshape(-1),
    "embedding": lambda case, table, indices: jnp.take(table, indices, axis=0),
}


def make(
    case: dict[str, Any], arrays: list[np.ndarray], upstream: Callable[..., np.ndarray]
) -> Callable[[], Any] | None:
    """The function to time."""
    inputs = [jnp.array(array) for array in arrays]
    if case["op"] in ("adam", "sgd"):
        return _update(case["op"], *inputs)

    def forward(*inputs: Any) -> Any:
        return FUNCTIONS[case["op"]](case, *inputs)

    if case["what"] == "forward":
        return _jitted(forward, *inputs)
    positions = case["by"]
    gradient = jnp.array(upstream(jax.eval_shape(forward, *inputs).shape))

    def of_wanted(*wanted: Any) -> Any:
        changed = list(inputs)
        for position, one in zip(positions, wanted, strict=True):
            changed[position] = one
        return forward(*changed)

    wanted = [inputs[position] for position in positions]
    if case["what"] == "backward":
        # The forward pass is done before; what it left is data of the jitted backward pass.
        back = jax.vjp(of_wanted, *wanted)[1]
        return _jitted(lambda back, gradient: back(gradient), back, gradient)

    def both(gradient: Any, *inputs: Any) -> Any:
        def of_wanted(*wanted: Any) -> Any:
            changed = list(inputs)
            for position, one in zip(positions, wanted, strict=True):
                changed[position] = one
            return forward(*changed)

        y, back = jax.vjp(of_wanted, *[inputs[position] for position in positions])
        return y, back(gradient)

    return _jitted(both, gradient, *inputs)


def _jitted(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    compiled = jax.jit(function)
    return lambda: jax.block_until_ready(compiled(*arguments))


def _adam(weights: Any, m: Any, v: Any, gradient: Any, alpha: Any) -> Any:
    m = m + (gradient - m) * (1 - 0.9)
    v = v + (jnp.square(gradient) - v) * (1 - 0.999)
    return weights - m * alpha / (jnp.sqrt(v) + 1e-7), m, v


def _sgd(weights: Any, velocity: Any, unused: Any, gradient: Any, rate: Any) -> Any:
    velocity = 0.9 * velocity - rate * gradient
    return weights + velocity, velocity, unused


def _update(name: str, weights: Any, gradient: Any) -> Callable[[], Any]:
    compiled = jax.jit(_adam if name == "adam" else _sgd, donate_argnums=(0, 1, 2))
    state = [weights, jnp.zeros_like(weights), jnp.zeros_like(weights if name == "adam" else 0.0)]
    steps = 0

    def update() -> Any:
        nonlocal steps
        steps += 1
        alpha = 1e-3 * (1 - 0.999**steps) ** 0.5 / (1 - 0.9**steps) if name == "adam" else 1e-2
        state[:] = compiled(*state, gradient, alpha)
        return jax.block_until_ready(state[0])

    return update
