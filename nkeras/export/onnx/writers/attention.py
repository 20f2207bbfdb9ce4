"""Writer of attention: matrix products and a softmax."""

from __future__ import annotations

import numpy as np

from nkeras.export.onnx.formulas import cast
from nkeras.export.onnx.graph import Value, constant, node, unwritten
from nkeras.export.onnx.writers.reduction import reduced
from nkeras.export.onnx.writers.shape import reshaped, sizes
from nkeras.export.onnx.writers.table import computes
from nkeras.ops.attention import HIDDEN


def _by_head(x: Value, heads: int, perm: list[int]) -> Value:
    """Heads in front; each of them is repeated for the heads of queries that share it."""
    batch, length, own, size = sizes(x)
    if own != heads:
        apart = node("Unsqueeze", x, constant([3]))
        wide = node("Expand", apart, constant((batch, length, own, heads // own, size)))
        x = reshaped(wide, (batch, length, heads, size))
    return node("Transpose", x, perm=perm)


@computes("attention")
def _attention(
    query: Value,
    key: Value,
    value: Value,
    bias: Value | None,
    mask: Value | None,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
    rate: float,
    seed: object,
) -> tuple[Value, Value]:
    dtype = query.dtype
    assert dtype is not None
    heads = sizes(query)[2]
    products = node(
        "MatMul", _by_head(query, heads, [0, 2, 1, 3]), _by_head(key, heads, [0, 2, 3, 1])
    )
    scores = node("Mul", products, constant(scale, dtype))
    if soft_cap is not None:
        bent = node("Tanh", node("Mul", scores, constant(1.0 / soft_cap, dtype)))
        scores = node("Mul", bent, constant(soft_cap, dtype))
    if bias is not None:
        scores = node("Add", scores, cast(bias, dtype))
    hidden = constant(HIDDEN * float(np.finfo(dtype).max), dtype)
    if mask is not None:
        scores = node("Where", mask, scores, hidden)
    if is_causal:
        places = [np.arange(size) for size in (sizes(query)[1], sizes(key)[1])]
        own, others = constant(places[0]), constant(places[1])
        earlier = node("GreaterOrEqual", node("Unsqueeze", own, constant([1])), others)
        scores = node("Where", earlier, scores, hidden)
    weights = node("Softmax", scores, axis=3)
    if rate:
        weights = unwritten("dropout")
    y = node("MatMul", weights, _by_head(value, heads, [0, 2, 1, 3]))
    log_sum = reduced("ReduceLogSumExp", scores, (3,), keepdims=False)
    return node("Transpose", y, perm=[0, 2, 1, 3]), log_sum
