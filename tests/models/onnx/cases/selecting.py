"""Parts of tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.models.onnx.case import Case, const, floats


def cases() -> Iterator[Case]:
    image, x = floats(2, 3, 4, 6), floats(3, 6)
    end = 2**63 - 1
    for arguments in (
        ([1], [3], [2], [1]),
        ([0, 1], [2, 5], [1, 3], [1, 2]),
        ([-1], [-end], [3], [-1]),
        ([4], [1], [3], [-2]),
        ([1], [end], [-1], [1]),
    ):
        yield Case("Slice", (image, *map(const, arguments)))
    yield Case("Slice", (x, const([0, 1]), const([end, 4])))
    yield Case("Slice", (x,), {"starts": [1], "ends": [4], "axes": [1]}, opset=9)
    yield Case("Split", (image, const([1, 2])), {"axis": 1}, outputs=2)
    yield Case("Split", (x,), {"axis": 1, "num_outputs": 4}, outputs=4)
    yield Case("Split", (x,), {"axis": -1, "split": [2, 4]}, opset=11, outputs=2)
    yield Case("Split", (x,), {"axis": 1}, opset=13, outputs=3)
    yield Case("Gather", (image, const([2, 0])), {"axis": 1})
    yield Case("Gather", (image, const(-1)), {"axis": 2})
    yield Case("Gather", (x, const([[0, 5], [1, -2]])), {"axis": 1})
    places = np.array([[1, 0], [2, 2]], "int64")
    yield Case("Gather", (const(floats(5, 4)), places))
    yield Case("Gather", (const(floats(4, 5, 2)), places), {"axis": 1})
    yield Case("Gather", (x, np.array([2, 0], "int64")), open_axes=())
    yield Case(
        "GatherElements", (x, const([[0, 5, 1], [1, 2, 2], [0, 0, 3]])), {"axis": 1}, open_axes=()
    )
    yield Case("GatherElements", (x, const([[0, 1, 1]])), {"axis": 0}, open_axes=())
    for mode in ("constant", "reflect", "edge", "wrap"):
        pads = const([0, 0, 1, 2, 0, 0, 2, 1])
        yield Case("Pad", (image, pads), {"mode": mode})
    yield Case("Pad", (image, const([0, 1, 0, 0, 0, 1, 0, 2]), const(1.5)))
    yield Case("Pad", (image, const([0, 0, -1, 1, 0, 0, -1, 0])))
    yield Case("Pad", (image, const([1, 2]), None, const([3])), opset=19)
    yield Case("Pad", (x,), {"pads": [0, 1, 0, 2], "value": 0.5}, opset=10)
    values = const([0.5, 2.0])
    yield Case("OneHot", (np.array([[1, 0], [-1, 3]], "int64"), const(4), values))
    yield Case(
        "OneHot", (np.array([[1, 0], [2, 3]], "int64"), const(4), const([0, 1])), {"axis": 0}
    )
