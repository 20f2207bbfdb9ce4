"""Reductions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.models.onnx.case import Case, const, floats

NAMES = "Mean Sum Max Min Prod L1 L2 SumSquare LogSum LogSumExp"


def cases() -> Iterator[Case]:
    image = floats(2, 3, 4, 5, low=0.2)
    for name in (f"Reduce{kind}" for kind in NAMES.split()):
        yield Case(name, (image, const([2, 3])), {"keepdims": 0})
        yield Case(name, (image, const([-1])))
    yield Case("ReduceMean", (image,), {"axes": [1]}, opset=13)
    yield Case("ReduceMean", (image,), {"keepdims": 0})
    yield Case("ReduceSum", (image,), {"axes": [1, 3], "keepdims": 0}, opset=11)
    yield Case("ReduceSum", (image,), {"noop_with_empty_axes": 1}, opset=13)
    ints = np.arange(12, dtype="int32").reshape(3, 4)
    for name in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"):
        yield Case(name, (ints, const([1])))
    ties = np.array([[1, 3, 3, 0], [2, 2, 1, 2]], "float32")
    for name in ("ArgMax", "ArgMin"):
        yield Case(name, (image,), {"axis": 1, "keepdims": 0})
        for last in (0, 1):
            yield Case(name, (ties,), {"axis": -1, "select_last_index": last})
    for given in ({}, {"exclusive": 1}, {"reverse": 1}, {"reverse": 1, "exclusive": 1}):
        yield Case("CumSum", (image, const(2)), given)
    yield Case("TopK", (image, const([2])), outputs=2)
    yield Case("TopK", (image, const([2])), {"axis": 1, "largest": 0}, outputs=2)
    yield Case("TopK", (image,), {"k": 3, "axis": 2}, opset=9, outputs=2)
