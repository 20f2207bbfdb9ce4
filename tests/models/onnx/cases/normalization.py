"""Normalizations."""

from __future__ import annotations

from collections.abc import Iterator

from tests.models.onnx.case import Case, const, floats


def cases() -> Iterator[Case]:
    image, x = floats(2, 6, 4, 5), floats(4, 6)
    vectors = [const(floats(6, low=low, high=2.0)) for low in (-1.0, -2.0, 0.5, 0.2)]
    yield Case("BatchNormalization", (image, *vectors))
    yield Case("BatchNormalization", (x, *vectors), {"epsilon": 0.01, "momentum": 0.8})
    yield Case("BatchNormalization", (floats(2, 6, 3), *vectors), opset=9)
    yield Case("InstanceNormalization", (image, *vectors[:2]), tolerance=1e-5)
    yield Case("GroupNormalization", (image, *vectors[:2]), {"num_groups": 3}, tolerance=1e-5)
    few = (const(floats(2)), const(floats(2)))
    yield Case("GroupNormalization", (image, *few), {"num_groups": 2}, opset=18, tolerance=1e-5)
    scale = const(floats(5))
    yield Case("LayerNormalization", (image, scale, scale), tolerance=1e-5)
    yield Case("LayerNormalization", (image, scale), {"epsilon": 0.01}, tolerance=1e-5)
    both = const(floats(4, 5))
    yield Case("LayerNormalization", (image, both, both), {"axis": 2}, tolerance=1e-5)
    yield Case("RMSNormalization", (image, scale), {"axis": -1}, opset=23, tolerance=1e-5)
    for power in (1, 2):
        yield Case("LpNormalization", (image,), {"axis": 1, "p": power})
    yield Case("LRN", (image,), {"size": 3, "alpha": 0.2, "beta": 0.6, "bias": 1.5})
    yield Case("LRN", (image,), {"size": 5})
