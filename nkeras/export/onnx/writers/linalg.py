"""Writers of matrix products."""

from __future__ import annotations

import numpy as np

from nkeras.export.onnx.formulas import cast
from nkeras.export.onnx.graph import Value, constant, node
from nkeras.export.onnx.writers.reduction import reduced
from nkeras.export.onnx.writers.shape import rank, unsqueezed
from nkeras.export.onnx.writers.table import computes, writes


def activated(x: Value, activation: str) -> Value:
    """The value after one of the activations that kernels do themselves."""
    if activation == "relu":
        return node("Relu", x)
    if activation == "relu6":
        return node("Clip", x, constant(0.0, "float32"), constant(6.0, "float32"))
    return x


@computes("matmul")
def _matmul(x: Value, y: Value) -> Value:
    return node("MatMul", x, y)


@computes("dense")
def _dense(
    x: Value, kernel: Value, bias: Value | None, addend: Value | None = None, *, activation: str
) -> Value:
    is_real = x.dtype is not None and x.dtype.kind == "f"
    if is_real and rank(x) == 2 and bias is not None and addend is None:
        return activated(node("Gemm", x, kernel, bias), activation)
    y = node("MatMul", x, kernel)
    for added in (bias, addend):
        y = y if added is None else node("Add", y, added)
    return activated(y, activation)


@writes("int8_matmul")
def _int8_matmul(x: Value, y: Value) -> Value:
    return node("MatMulInteger", x, y)


@computes("cdist_squared")
def _cdist_squared(x: Value, y: Value) -> Value:
    """Differences of all pairs: squares that are subtracted would cancel."""
    apart = node("Sub", unsqueezed(x, rank(x) - 1), unsqueezed(y, rank(y) - 2))
    return reduced("ReduceSumSquare", apart, (-1,), keepdims=False)


@computes("cross")
def _cross(x: Value, y: Value) -> Value:
    axis = rank(x) - 1
    turned = [
        [node("Gather", one, constant(order), axis=axis) for order in ([1, 2, 0], [2, 0, 1])]
        for one in (x, y)
    ]
    one, other = node("Mul", turned[0][0], turned[1][1]), node("Mul", turned[0][1], turned[1][0])
    return node("Sub", one, other)


@computes("det")
def _det(x: Value) -> Value:
    return node("Det", x)


@computes("slogdet")
def _slogdet(x: Value) -> tuple[Value, Value]:
    found = node("Det", x)
    return node("Sign", found), node("Log", node("Abs", found))


@writes("int8_dense")
def _int8_dense(
    x: Value,
    kernel: Value,
    scale: Value,
    bias: Value | None,
    *,
    low: int,
    high: int,
    epsilon: float,
) -> Value:
    """Rows are scaled to int8, multiplied as integers, and scaled back."""
    given, wide = x.dtype, np.dtype("float64" if x.dtype == np.float64 else "float32")
    x, scale = cast(x, wide), cast(scale, wide)
    largest = node("ReduceMax", node("Abs", x), constant([-1]), keepdims=1)
    own = node("Div", constant(high, wide), node("Add", largest, constant(epsilon, wide)))
    rounded = node("Round", node("Mul", x, own))
    limited = node("Clip", rounded, constant(low, wide), constant(high, wide))
    product = node("MatMulInteger", node("Cast", limited, to=np.dtype("int8")), kernel)
    y = node("Div", node("Cast", product, to=wide), node("Mul", scale, own))
    y = y if bias is None else node("Add", y, cast(bias, wide))
    return y if given == wide else node("Cast", y, to=given)
