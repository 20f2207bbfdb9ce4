"""Activations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.models.onnx.case import Case, const, floats


def cases() -> Iterator[Case]:
    x, image = floats(2, 6), floats(2, 3, 4, 5)
    for name in "Sigmoid Tanh Softplus Softsign HardSwish Exp Relu Selu Elu Celu".split():
        yield Case(name, (x,))
    for name in "LeakyRelu ThresholdedRelu HardSigmoid Shrink".split():
        yield Case(name, (image,))
    yield Case("Mish", (x,), opset=22)
    yield Case("Swish", (x,), {"alpha": 1.5}, opset=24)
    yield Case("Relu", (np.arange(-3, 3, dtype="int32").reshape(2, 3),))
    yield Case("Elu", (x,), {"alpha": 0.7})
    yield Case("Selu", (x,), {"alpha": 1.5, "gamma": 0.9})
    yield Case("Celu", (x,), {"alpha": 0.6})
    yield Case("LeakyRelu", (x,), {"alpha": -0.2})
    yield Case("HardSigmoid", (x,), {"alpha": 0.3, "beta": 0.4})
    yield Case("Shrink", (x,), {"bias": 0.3, "lambd": 0.6})
    for approximate in ("none", "tanh"):
        yield Case("Gelu", (x,), {"approximate": approximate})
    for shape in ((3, 1, 1), (1,), (3, 4, 5), (1, 3, 1, 1), (5,)):
        yield Case("PRelu", (image, const(np.abs(floats(*shape)))))
    yield Case("PRelu", (x, floats(2, 6)))
    yield Case("Clip", (x, const(0.0), const(1.0)))
    yield Case("Clip", (x, const(-0.5), None))
    yield Case("Clip", (image, None, const(0.7)))
    yield Case("Clip", (x,), {"min": -1.0, "max": 0.5}, opset=6 + 1)
    yield Case("Clip", (np.arange(6, dtype="int64").reshape(2, 3), const(1), const(4)))
    for name in ("Softmax", "LogSoftmax"):
        for axis in (1, -1, 2):
            yield Case(name, (image,), {"axis": axis})
        yield Case(name, (image,), opset=11)
        yield Case(name, (x,), opset=11)
    yield Case("Hardmax", (image,), {"axis": 1})
    yield Case("Hardmax", (x,), opset=11)
    yield Case("Dropout", (x,), {"ratio": 0.3}, opset=10)
    yield Case("Dropout", (image, const(0.3)))
