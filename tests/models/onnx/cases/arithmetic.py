"""Element by element."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.models.onnx.case import Case, const, floats

UNARY = "Abs Neg Sign Floor Ceil Round Erf Sin Cos Tan Atan Sinh Cosh Asinh Reciprocal Identity"
TWO = "Add Sub Mul Div Max Min Sum Mean"
COMPARED = "Equal Greater GreaterOrEqual Less LessOrEqual"


def cases() -> Iterator[Case]:
    x, image = floats(2, 6), floats(2, 3, 4, 5)
    positive = floats(2, 6, low=0.1, high=4.0)
    for name in UNARY.split():
        yield Case(name, (x,))
    for name in ("Log", "Sqrt"):
        yield Case(name, (positive,))
    for name in ("Asin", "Acos", "Atanh"):
        yield Case(name, (x * np.float32(0.4),))
    yield Case("Acosh", (positive + 1,))
    special = np.array([[np.nan, np.inf], [-np.inf, 1.0]], "float32")
    yield Case("IsNaN", (special,))
    for positive_too, negative_too in ((1, 1), (1, 0), (0, 1), (0, 0)):
        given = {"detect_positive": positive_too, "detect_negative": negative_too}
        yield Case("IsInf", (special,), given)
    for name in TWO.split():
        yield Case(name, (x, floats(2, 6)[::-1].copy()))
        yield Case(name, (image, const(np.abs(floats(3, 1, 1)) + 0.5)))
    for other in ((1,), (5,), (1, 3, 1, 1), (4, 5), ()):
        yield Case("Mul", (image, const(floats(*other))))
    yield Case("Sub", (const(2.0), x))
    yield Case("Add", (x, floats(3, 1, 6)), open_axes=())
    for name in ("Sum", "Mean", "Max", "Min"):
        yield Case(name, (x, x[:, :1] * 2, const(floats(6))))
    ints = np.array([[7, -7, 9], [-9, 8, 3]], "int64")
    yield Case("Div", (ints, const([2, 4, -4])))
    yield Case("Mod", (ints, const([2, 4, -4])))
    yield Case("Mod", (x, const(0.7)), {"fmod": 1}, tolerance=1e-5)
    yield Case("Pow", (positive, const(2.5)))
    yield Case("Pow", (x, const(2)))
    for name in COMPARED.split():
        yield Case(name, (ints, const([7, 0, 9])))
        yield Case(name, (x, const(0.1)))
    truth = np.array([[True, False], [True, True]])
    for name in ("And", "Or", "Xor"):
        yield Case(name, (truth, const([True, False])))
    yield Case("Not", (truth,))
    bits = np.array([[5, 3], [12, 10]], "int32")
    for name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
        yield Case(name, (bits, const([6, 9], "int32")))
    yield Case("BitwiseNot", (bits,))
    yield Case("Where", (x > 0, x, const(0.5)))
    yield Case("Where", (image > 0, image, const(floats(3, 1, 1))))
    for dtype in (1, 6, 7, 9, 10, 11):
        yield Case("Cast", (x,), {"to": dtype})
    yield Case("CastLike", (x, const([1])))
