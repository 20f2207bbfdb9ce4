"""Scaled dot-product attention as one primitive, whose memory grows with the lengths alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.gradient_rule import differentiate_decomposition
from nkeras.core.primitive import op, primitive, promoted, to_floating
from nkeras.core.random import draw_seed
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Gradients, Seed, TensorLike
from nkeras.ops.arranging import repeat
from nkeras.ops.creation import tri
from nkeras.ops.elementwise import exp, less, log, multiply, square, tanh, where_
from nkeras.ops.matrix_product import matmul_
from nkeras.ops.random import dropout_
from nkeras.ops.reduction import reduce_max, reduce_sum
from nkeras.ops.shape import broadcast_to, cast, expand_dims, reshape, swapaxes

HIDDEN = -0.7  # times the largest number: the score of what a mask hides

Key = tuple[int, int]


@primitive(outputs=("y", "log_sum"), flat=("mask",), live=("seed",))
def _attention(
    query: Typed,
    key: Typed,
    value: Typed,
    bias: Typed | None,
    mask: Typed | None,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: Key,
) -> tuple[Spec, Spec]:
    _check_heads(query, key, value)
    batch, queries, heads, _ = query.shape
    scores = (batch, heads, queries, key.shape[1])
    for name, given in (("bias", bias), ("mask", mask)):
        if given is None:
            continue
        sizes = zip(given.shape, scores, strict=False)
        if len(given.shape) != 4 or any(size not in (1, wanted) for size, wanted in sizes):
            raise ValueError(
                f"attention: argument `{name}` must broadcast to the scores (batch, heads, "
                f"queries, keys) = {scores}. Received: shape {short(given.shape)}"
            )
    wide = dtypes.result_type(query.dtype, "float32")
    return Spec((*query.shape[:3], value.shape[3]), query.dtype), Spec(scores[:3], wide)


def _check_heads(query: Typed, key: Typed, value: Typed) -> None:
    shapes = f"query {short(query.shape)}, key {short(key.shape)}, value {short(value.shape)}"
    if any(len(x.shape) != 4 for x in (query, key, value)):
        raise ValueError(
            "attention: query, key and value must have the axes (batch, length, heads, size). "
            f"Received: {shapes}"
        )
    batch, _, heads, size = query.shape
    fits = key.shape[:3] == value.shape[:3] and key.shape[0] == batch and key.shape[3] == size
    if not fits or heads % max(1, key.shape[2]):
        raise ValueError(
            "attention: key and value must have one length and number of heads, query the batch "
            "and size of key, and heads a multiple of those of key. "
            f"Received: {shapes}"
        )
    if 0 in (*key.shape[1:], heads, value.shape[3]):
        raise ValueError(f"attention: keys, heads and sizes must not be 0. Received: {shapes}")


@primitive(outputs=("grad_query", "grad_key", "grad_value"), flat=("mask",), live=("seed",))
def _attention_grad(
    grad_y: Typed,
    grad_log_sum: Typed | None,
    query: Typed,
    key: Typed,
    value: Typed,
    bias: Typed | None,
    mask: Typed | None,
    y: Typed,
    log_sum: Typed,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: Key,
) -> tuple[Spec, Spec, Spec]:
    query_, key_, value_ = (Spec(x.shape, x.dtype) for x in (query, key, value))
    return query_, key_, value_


@primitive(outputs=("grad_bias",), flat=("mask",), live=("seed",))
def _attention_grad_bias(
    grad_y: Typed,
    grad_log_sum: Typed | None,
    query: Typed,
    key: Typed,
    value: Typed,
    bias: Typed,
    mask: Typed | None,
    y: Typed,
    log_sum: Typed,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: Key,
) -> Spec:
    return Spec(bias.shape, bias.dtype)


@_attention.vjp("query", "key", "value")
def _(
    grad_y: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    y: Tensor,
    log_sum: Tensor,
    grad_log_sum: Tensor | None = None,
    **static: Any,
) -> Gradients:
    arrays = query, key, value, bias, mask, y, log_sum
    return _attention_grad(grad_y, grad_log_sum, *arrays, **static)


@_attention.vjp("bias")
def _(
    grad_y: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor,
    mask: Tensor | None,
    y: Tensor,
    log_sum: Tensor,
    grad_log_sum: Tensor | None = None,
    **static: Any,
) -> Tensor:
    arrays = query, key, value, bias, mask, y, log_sum
    return _attention_grad_bias(grad_y, grad_log_sum, *arrays, **static)


# The same by the whole matrix of scores: for backends without kernels, and for derivatives of
# derivatives.


@_attention.decomposition
def _(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: Key,
) -> tuple[Tensor, Tensor]:
    scores, _ = _scores(query, key, bias, mask, scale, is_causal, soft_cap)
    largest = reduce_max(scores, axis=(3,), keepdims=True)
    exponential = exp(scores - largest)
    total = reduce_sum(exponential, axis=(3,), keepdims=True)
    weights = _dropped(exponential / total, rate, seed)
    y = matmul_(weights, _by_head(value, query.shape[2]))
    log_sum = reshape(largest + log(total), scores.shape[:3])
    return cast(swapaxes(y, 1, 2), query.dtype), log_sum


@_attention_grad.decomposition
def _(
    grad_y: Tensor,
    grad_log_sum: Tensor | None,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    y: Tensor,
    log_sum: Tensor,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: Key,
) -> tuple[Tensor, Tensor, Tensor]:
    static = (scale, is_causal, soft_cap, rate, seed)
    arrays = grad_y, grad_log_sum, query, key, value, bias, mask, y, log_sum
    weights, grad_scores, slope = _parts_of_gradient(arrays, *static)
    grad_products = multiply(grad_scores * slope, scale)
    heads = query.shape[2]
    grad_query = swapaxes(matmul_(grad_products, _by_head(key, heads)), 1, 2)
    of_key = matmul_(swapaxes(grad_products, 2, 3), _by_head(query, heads))
    of_value = matmul_(swapaxes(_dropped(weights, rate, seed), 2, 3), _by_head(grad_y, heads))
    return (
        cast(grad_query, query.dtype),
        cast(_of_groups(of_key, key.shape), key.dtype),
        cast(_of_groups(of_value, value.shape), value.dtype),
    )


@_attention_grad_bias.decomposition
def _(
    grad_y: Tensor,
    grad_log_sum: Tensor | None,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor,
    mask: Tensor | None,
    y: Tensor,
    log_sum: Tensor,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: Key,
) -> Tensor:
    arrays = grad_y, grad_log_sum, query, key, value, bias, mask, y, log_sum
    _, grad_scores, _ = _parts_of_gradient(arrays, scale, is_causal, soft_cap, rate, seed)
    sizes = zip(bias.shape, grad_scores.shape, strict=True)
    axes = tuple(axis for axis, (own, size) in enumerate(sizes) if own != size)
    return cast(reduce_sum(grad_scores, axis=axes, keepdims=True), bias.dtype)


def _by_head(x: Tensor, heads: int) -> Tensor:
    """`(batch, length, own heads, size)` as `(batch, heads, length, size)`, float32 at least."""
    wide = swapaxes(cast(x, dtypes.result_type(x.dtype, "float32")), 1, 2)
    return wide if x.shape[2] == heads else repeat(wide, heads // x.shape[2], axis=1)


def _of_groups(grad: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`(batch, heads, length, size)`, summed over the heads that share keys."""
    batch, length, own, size = shape
    grouped = reshape(grad, (batch, own, -1, length, size))
    return swapaxes(reduce_sum(grouped, axis=(2,), keepdims=False), 1, 2)


def _scores(
    query: Tensor,
    key: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
) -> tuple[Tensor, Tensor | float]:
    """The scores, and their slope by the scaled products, which a cap bends."""
    heads = query.shape[2]
    products = matmul_(_by_head(query, heads), swapaxes(_by_head(key, heads), 2, 3))
    scores, slope = multiply(products, scale), 1.0
    if soft_cap is not None:
        bent = tanh(multiply(scores, 1.0 / soft_cap))
        scores, slope = multiply(bent, soft_cap), 1.0 - square(bent)
    scores = scores if bias is None else scores + cast(bias, scores.dtype)
    hidden = HIDDEN * float(np.finfo(scores.dtype).max)
    scores = scores if mask is None else where_(mask, scores, hidden)
    if is_causal:
        earlier = tri(*scores.shape[2:], dtype="bool")
        scores = where_(earlier, scores, hidden)
    return scores, slope


def _dropped(weights: Tensor, rate: float, seed: Key) -> Tensor:
    return dropout_(weights, key=seed, rate=rate) if rate else weights


def _is_hidden(log_sum: Tensor) -> Tensor:
    """Whether rows have nothing but hidden scores."""
    return less(log_sum, HIDDEN / 2 * float(np.finfo(log_sum.dtype).max))


def _parts_of_gradient(
    arrays: Sequence[Any],
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: Key,
) -> tuple[Tensor, Tensor, Tensor | float]:
    """The weights, gradients by the scores, and the slope of these by the products."""
    grad_y, grad_log_sum, query, key, value, bias, mask, y, log_sum = arrays
    scores, slope = _scores(query, key, bias, mask, scale, is_causal, soft_cap)
    rows = expand_dims(log_sum, 3)
    is_hidden = _is_hidden(rows)
    weights = where_(is_hidden, 1.0 / key.shape[1], exp(scores - rows))
    heads = query.shape[2]
    grad = _by_head(grad_y, heads)
    grad_weights = matmul_(grad, swapaxes(_by_head(value, heads), 2, 3))
    base = reduce_sum(grad * _by_head(y, heads), axis=(3,), keepdims=True)
    base = base if grad_log_sum is None else base - expand_dims(grad_log_sum, 3)
    grad_scores = weights * (_dropped(grad_weights, rate, seed) - base)
    return weights, where_(is_hidden, 0.0, grad_scores), slope


differentiate_decomposition(_attention_grad)
differentiate_decomposition(_attention_grad_bias)


@op
def attend(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    bias: TensorLike | None = None,
    mask: TensorLike | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    soft_cap: float | None = None,
    rate: float = 0.0,
    seed: Seed = None,
    zero_hidden: bool = False,
) -> Tensor:
    """`dot_product_attention` with dropout of the weights, whose bits are those of `dropout`.

    With `zero_hidden`, a query that sees no key gets zeros instead of the mean of all values.
    """
    if rate == 1:  # nothing is left
        return multiply(attend(query, key, value, bias, mask, scale, is_causal, soft_cap), 0.0)
    query, key, value = _of_one_batch(promoted(*(to_floating(x) for x in (query, key, value))))
    scale = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    y, log_sum = _attention(
        query,
        key,
        value,
        None if bias is None else _of_scores(cast(bias, query.dtype)),
        None if mask is None else _of_scores(cast(mask, "bool")),
        scale=float(scale),
        is_causal=bool(is_causal),
        soft_cap=soft_cap,
        rate=float(rate),
        seed=draw_seed(seed) if rate else (0, 0),
    )
    if not zero_hidden or mask is None:
        return y
    return where_(expand_dims(swapaxes(_is_hidden(log_sum), 1, 2), 3), 0.0, y)


def _of_one_batch(tensors: list[Tensor]) -> list[Tensor]:
    """Those with a batch of 1, such as queries that all samples share, repeated for each sample."""
    batches = {x.shape[0] for x in tensors if x.shape} - {1}
    if len(batches) != 1:
        return tensors
    (batch,) = batches
    return [x if x.shape[:1] != (1,) else broadcast_to(x, (batch, *x.shape[1:])) for x in tensors]


def _of_scores(x: Tensor) -> Tensor:
    """With axes of size 1 in front, so that there are four."""
    missing = 4 - len(x.shape)
    return reshape(x, (*(1,) * missing, *x.shape)) if missing > 0 else x


@op
def dot_product_attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    bias: TensorLike | None = None,
    mask: TensorLike | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Tensor:
    """Values weighted by `softmax(query @ key / sqrt(size))`, for each head.

    On `numba_cpu` neither the scores nor their gradients are ever whole: memory grows with the
    lengths, not with their product. Keys and values may have fewer heads than queries: each serves
    as many heads of queries that follow each other. A query that sees no key gets the mean of all
    values.

    Args:
        query: tensor `(batch, queries, heads, size)`. Its batch, or that of key or value, may be 1
            for all samples of the others.
        key: tensor `(batch, keys, own_heads, size)`; `heads` is a multiple of `own_heads`.
        value: tensor `(batch, keys, own_heads, value_size)`.
        bias: tensor that is added to the scores and broadcasts to `(batch, heads, queries, keys)`.
        mask: boolean tensor that broadcasts likewise; False hides a key from a query.
        scale: what the products are multiplied by; `1 / sqrt(size)` by default.
        is_causal: whether keys that stand behind a query are hidden from it.
        flash_attention: accepted for Keras; attention is always computed by blocks.
        attn_logits_soft_cap: positive float `c`; scaled products become `c * tanh(product / c)`,
            as in Gemma 2. (Keras has this on TPU alone.)

    Returns:
        Tensor `(batch, queries, heads, value_size)`.

    Raises:
        ValueError: shapes do not fit, or the cap is not positive.

    Example:
        >>> import nkeras
        >>> x = nkeras.ops.ones((1, 3, 2, 4))
        >>> nkeras.ops.dot_product_attention(x, x, x, is_causal=True).shape
        (1, 3, 2, 4)

    Source: https://arxiv.org/abs/1706.03762, https://arxiv.org/abs/2205.14135
    """
    cap = attn_logits_soft_cap
    if cap is not None and not (is_a(cap, (int, float)) and cap > 0):
        refuse("attn_logits_soft_cap", cap, "a positive float", "dot_product_attention")
    cap = None if cap is None else float(cap)
    return attend(query, key, value, bias, mask, scale, is_causal, cap)
