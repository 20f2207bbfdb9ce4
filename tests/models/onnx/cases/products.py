"""Products of matrices."""

from __future__ import annotations

from collections.abc import Iterator

from tests.models.onnx.case import Case, const, floats


def cases() -> Iterator[Case]:
    x = floats(3, 4)
    yield Case("Gemm", (x, const(floats(4, 5)), const(floats(5))))
    yield Case("Gemm", (x, const(floats(5, 4)), const(floats(1, 5))), {"transB": 1})
    yield Case("Gemm", (x, const(floats(4, 5))), {"alpha": 0.5})
    yield Case("Gemm", (x, const(floats(4, 5)), const(floats(3, 5))), {"beta": 0.3}, open_axes=())
    yield Case("Gemm", (x, const(floats(3, 5))), {"transA": 1}, open_axes=())
    yield Case("Gemm", (x, floats(3, 5), floats(4, 5)), {"transA": 1}, open_axes=())
    yield Case("MatMul", (x, const(floats(4, 5))))
    yield Case("MatMul", (floats(2, 3, 4), const(floats(4, 5))))
    yield Case("MatMul", (floats(2, 3, 4), floats(2, 4, 5)))
    yield Case("MatMul", (const(floats(2, 3)), floats(4, 3, 5)))
    yield Case("MatMul", (const(floats(5, 3)), floats(2, 3, 4)))
    yield Case("MatMul", (floats(2, 3, 4, 5), floats(2, 3, 5, 2)))
    yield Case("MatMul", (x, const(floats(4))))
    yield Case("MatMul", (floats(2, 3, 4), const(floats(2, 4, 5))), open_axes=())
    yield Case("Einsum", (floats(2, 3, 4), floats(2, 4, 5)), {"equation": "bij, bjk -> bik"})
    yield Case("Einsum", (floats(2, 3, 4), const(floats(4, 5))), {"equation": "...i,ij->...j"})
