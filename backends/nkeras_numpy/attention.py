"""Scaled dot-product attention by the whole matrix of scores: softmax(Q K / sqrt(d)) V.

Scores are `(batch, heads, queries, keys)`. A score that is hidden, by the mask or because the key
comes later, is a very small number, so that a row with nothing else has equal weights.
"""

from __future__ import annotations

import math

import numpy as np

from nkeras_numpy.namespace import HALF_TYPES, Array, in_float32, namespace
from nkeras_numpy.random import bits_of
from nkeras_numpy.registry import KERNELS

HIDDEN = -0.7  # times the largest number of the dtype


@KERNELS.register
def attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: tuple[int, int],
) -> tuple[Array, Array]:
    """Weighted values; and the logarithm of softmax's sum for each row, float32 for half types."""
    query_, key_, bias_ = _widened(query), _widened(key), _widened(bias)
    values = _by_head(_widened(value), query.shape[2])
    with np.errstate(all="ignore"):
        scores, _ = _scores(query_, key_, bias_, mask, scale, is_causal, soft_cap)
        xp = namespace(scores)
        largest = xp.max(scores, axis=-1, keepdims=True)
        exponential = xp.exp(scores - largest)
        total = xp.sum(exponential, axis=-1, keepdims=True)
        weights = exponential / total * _kept(scores, rate, seed)
        log_sum = (largest + xp.log(total))[..., 0]
    return (weights @ values).swapaxes(1, 2).astype(query.dtype), log_sum


@KERNELS.register
@in_float32
def attention_grad(
    grad_y: Array,
    grad_log_sum: Array | None,
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    y: Array,
    log_sum: Array,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: tuple[int, int],
) -> tuple[Array, Array, Array]:
    """Gradients of ``attention`` by query, key and value."""
    heads, grad = query.shape[2], grad_y.swapaxes(1, 2)
    scores, slope = _scores(query, key, bias, mask, scale, is_causal, soft_cap)
    weights, kept = _weights(scores, log_sum), _kept(scores, rate, seed)
    grad_scores = _grad_scores(grad_y, grad_log_sum, value, y, log_sum, weights, kept)
    grad_products = grad_scores * slope * query.dtype.type(scale)
    return (
        (grad_products @ _by_head(key, heads)).swapaxes(1, 2),
        _of_groups(grad_products.swapaxes(2, 3) @ query.swapaxes(1, 2), key.shape),
        _of_groups((weights * kept).swapaxes(2, 3) @ grad, value.shape),
    )


@KERNELS.register
@in_float32
def attention_grad_bias(
    grad_y: Array,
    grad_log_sum: Array | None,
    query: Array,
    key: Array,
    value: Array,
    bias: Array,
    mask: Array | None,
    y: Array,
    log_sum: Array,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: tuple[int, int],
) -> Array:
    """Gradient of ``attention`` by the bias, of its shape."""
    scores, _ = _scores(query, key, bias, mask, scale, is_causal, soft_cap)
    weights, kept = _weights(scores, log_sum), _kept(scores, rate, seed)
    grad_scores = _grad_scores(grad_y, grad_log_sum, value, y, log_sum, weights, kept)
    axes = tuple(axis for axis in range(4) if bias.shape[axis] != grad_scores.shape[axis])
    return namespace(bias).sum(grad_scores, axis=axes, keepdims=True)


def _widened(x: Array) -> Array:
    return x.astype(np.float32) if x is not None and x.dtype.name in HALF_TYPES else x


def _by_head(x: Array, heads: int) -> Array:
    """``(batch, length, own heads, size)`` as ``(batch, heads, length, size)``."""
    return namespace(x).repeat(x.swapaxes(1, 2), heads // x.shape[2], axis=1)


def _of_groups(grad: Array, shape: tuple[int, ...]) -> Array:
    """``(batch, heads, length, size)`` summed over the heads that share keys."""
    batch, length, own, size = shape
    return grad.reshape(batch, own, -1, length, size).sum(2).swapaxes(1, 2)


def _scores(
    query: Array,
    key: Array,
    bias: Array | None,
    mask: Array | None,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
) -> tuple[Array, Array]:
    """The scores, and their slope by the scaled products, which a cap bends."""
    xp, number = namespace(query), query.dtype.type
    products = query.swapaxes(1, 2) @ _by_head(key, query.shape[2]).swapaxes(2, 3) * number(scale)
    slope = number(1)
    if soft_cap is not None:
        bent = xp.tanh(products / number(soft_cap))
        products, slope = bent * number(soft_cap), 1 - bent * bent
    scores = products if bias is None else products + bias
    hidden = number(HIDDEN * np.finfo(query.dtype).max)
    if mask is not None:
        scores = xp.where(mask, scores, hidden)
    if is_causal:
        earlier = xp.tril(xp.ones(scores.shape[2:], dtype=bool))
        scores = xp.where(earlier, scores, hidden)
    return scores, slope


def _is_hidden(log_sum: Array) -> Array:
    """Whether rows have nothing but hidden scores."""
    return (log_sum < HIDDEN / 2 * np.finfo(log_sum.dtype).max)[..., None]


def _weights(scores: Array, log_sum: Array) -> Array:
    xp = namespace(scores)
    weights = xp.exp(scores - log_sum[..., None])
    return xp.where(_is_hidden(log_sum), scores.dtype.type(1 / scores.shape[3]), weights)


def _kept(scores: Array, rate: float, seed: tuple[int, int]) -> Array:
    """What dropout multiplies the weights with; the bits are those of ``dropout``."""
    xp = namespace(scores)
    if rate == 0:
        return scores.dtype.type(1)
    digits = bits_of(seed, scores.size).reshape(scores.shape) >> 8
    kept = digits >= math.ceil(float(np.float32(rate)) * 2**24)
    return xp.where(kept, scores.dtype.type(1.0 / (1.0 - rate)), scores.dtype.type(0))


def _grad_scores(
    grad_y: Array,
    grad_log_sum: Array | None,
    value: Array,
    y: Array,
    log_sum: Array,
    weights: Array,
    kept: Array,
) -> Array:
    """``weights * (grad_weights - sum(weights * grad_weights))``; nothing flows to hidden rows."""
    xp = namespace(y)
    grad_weights = grad_y.swapaxes(1, 2) @ _by_head(value, y.shape[2]).swapaxes(2, 3) * kept
    base = xp.sum(grad_y * y, axis=-1).swapaxes(1, 2)
    base = base if grad_log_sum is None else base - grad_log_sum
    grad = weights * (grad_weights - base[..., None])
    return xp.where(_is_hidden(log_sum), grad.dtype.type(0), grad)
