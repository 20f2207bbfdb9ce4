"""Shapes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import helper, numpy_helper

from tests.models.onnx.case import Case, const, floats


def cases() -> Iterator[Case]:
    image, x = floats(2, 3, 4, 5), floats(2, 6)
    for shape in ([0, -1], [-1, 12, 5], [0, 0, 20], [-1], [2, 3, 20], [0, 3, 2, 2, 5]):
        yield Case("Reshape", (image, const(shape)), open_axes=() if 2 in shape[:1] else (0,))
    yield Case("Reshape", (x, const([0, 3, 2])), opset=13)
    for axis in (0, 1, 2, -1):
        yield Case("Flatten", (image,), {"axis": axis})
    yield Case("Transpose", (image,), {"perm": [0, 2, 3, 1]})
    yield Case("Transpose", (image,), {"perm": [0, 3, 1, 2]})
    yield Case("Transpose", (image,), {"perm": [2, 0, 1, 3]})
    yield Case("Transpose", (x,))
    thin = floats(2, 1, 3, 1)
    yield Case("Squeeze", (thin, const([1, 3])))
    yield Case("Squeeze", (thin, const([-1])))
    yield Case("Squeeze", (thin,), {"axes": [1]}, opset=11)
    yield Case("Squeeze", (thin,), open_axes=())
    yield Case("Unsqueeze", (x, const([0, -1])))
    yield Case("Unsqueeze", (x,), {"axes": [1]}, opset=11)
    for axis in (1, -1, 2):
        yield Case("Concat", (image, image * 2), {"axis": axis})
    yield Case("Concat", (x, const(floats(2, 3))), {"axis": 1}, open_axes=())
    yield Case("Concat", (x, x), {"axis": 0})
    yield Case("Expand", (floats(2, 1, 5), const([1, 3, 1])))
    yield Case("Expand", (floats(2, 5), const([4, 1, 1])))
    yield Case("Expand", (floats(2, 1) > 0, const([2, 3])))
    yield Case("Tile", (image, const([1, 2, 1, 3])))
    for upper in (0, 1):
        yield Case("Trilu", (floats(2, 4, 5),), {"upper": upper})
    yield Case("Trilu", (floats(2, 4, 5), const(1)))
    value = numpy_helper.from_array(np.array([2.5], "float32"))
    yield Case("ConstantOfShape", (const([2, 3]),), {"value": value})
    yield Case("Constant", (), {"value": numpy_helper.from_array(floats(2, 3))})
    yield Case("Constant", (), {"value_ints": [1, 2]})
    yield Case("Constant", (), {"value_float": 1.5})
    yield Case("Shape", (const(floats(2, 3)),))
    yield Case("Shape", (const(floats(2, 3, 4)),), {"start": 1, "end": -1})
    branches = {
        name: helper.make_graph(
            [helper.make_node("Constant", [], [name], value_floats=values)],
            name,
            [],
            [helper.make_empty_tensor_value_info(name)],
        )
        for name, values in {"then_branch": [1.0, 2.0], "else_branch": [3.0]}.items()
    }
    for condition in (True, False):
        yield Case("If", (const(condition),), branches)
    yield Case("Size", (const(floats(2, 3)),))
    yield Case("Range", (const(1), const(7), const(2)))
    yield Case("Range", (const(1.0), const(-1.0), const(-0.5)))
