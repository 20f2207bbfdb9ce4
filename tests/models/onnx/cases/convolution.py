"""Convolutions and blocks."""

from __future__ import annotations

from collections.abc import Iterator

from tests.models.onnx.case import Case, const, floats


def cases() -> Iterator[Case]:
    image, kernel, bias = floats(2, 4, 7, 8), const(floats(6, 4, 3, 3)), const(floats(6))
    yield Case("Conv", (image, kernel, bias))
    for given in (
        {"pads": [1, 1, 1, 1]},
        {"pads": [1, 1, 1, 1], "strides": [2, 2]},
        {"pads": [0, 2, 1, 0], "strides": [2, 1]},
        {"dilations": [2, 2], "pads": [2, 2, 2, 2]},
        {"dilations": [2, 1], "strides": [1, 2], "pads": [1, 0, 1, 2]},
        {"auto_pad": "SAME_UPPER"},
        {"auto_pad": "SAME_UPPER", "strides": [2, 3]},
        {"auto_pad": "SAME_LOWER", "strides": [2, 3]},
        {"auto_pad": "VALID", "kernel_shape": [3, 3]},
    ):
        yield Case("Conv", (image, kernel), given)
    yield Case("Conv", (image, kernel.array, bias), {"strides": [2, 1]}, open_axes=())
    for axes in ((0, 2, 3), (0, 2)):
        yield Case("Conv", (image, kernel), {"pads": [1, 1, 1, 1]}, open_axes=axes)
        yield Case("Conv", (image, kernel), {"auto_pad": "SAME_UPPER"}, open_axes=axes)
    yield Case("Conv", (image, const(floats(6, 2, 3, 3)), bias), {"group": 2})
    yield Case("Conv", (image, const(floats(4, 1, 3, 3))), {"group": 4, "strides": [2, 2]})
    yield Case("Conv", (image, const(floats(8, 1, 3, 2)), const(floats(8))), {"group": 4})
    yield Case("Conv", (floats(2, 4, 9), const(floats(6, 4, 3)), bias), {"pads": [1, 1]})
    yield Case("Conv", (floats(2, 4, 9), const(floats(4, 1, 3))), {"group": 4, "strides": [2]})
    volume = floats(1, 2, 5, 6, 4)
    yield Case("Conv", (volume, const(floats(3, 2, 3, 2, 2))), {"pads": [1, 0, 1, 1, 0, 0]})
    yield Case("Conv", (volume, const(floats(4, 1, 3, 2, 2))), {"group": 2})

    kernel, bias = const(floats(4, 3, 3, 3)), const(floats(3))
    yield Case("ConvTranspose", (image, kernel, bias))
    for given in (
        {"strides": [2, 2]},
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        {"strides": [3, 2], "pads": [0, 1, 2, 0]},
        {"dilations": [2, 2], "pads": [1, 1, 1, 1]},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
        {"strides": [2, 2], "output_shape": [14, 17]},
        {"strides": [4, 4]},
    ):
        yield Case("ConvTranspose", (image, kernel), given)
    yield Case("ConvTranspose", (image, const(floats(4, 3, 2, 2)), const(floats(6))), {"group": 2})
    yield Case("ConvTranspose", (floats(2, 4, 5), const(floats(4, 3, 3))), {"strides": [2]})
    yield Case("ConvTranspose", (volume, const(floats(2, 3, 2, 2, 2))), {"strides": [2, 1, 2]})

    blocks = floats(2, 8, 3, 4)
    for mode in ("DCR", "CRD"):
        yield Case("DepthToSpace", (blocks,), {"blocksize": 2, "mode": mode})
    yield Case("SpaceToDepth", (floats(2, 3, 4, 6),), {"blocksize": 2})
