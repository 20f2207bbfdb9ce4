"""Layers that rearrange, pad, cut and repeat."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case, case


def cases(long: bool) -> Iterator[Case]:
    yield case("Flatten")
    yield case("Flatten", (2, 3, 4, 2), data_format="channels_first")
    yield case("Reshape", (2, 6), target_shape=(3, 2))
    yield case("Reshape", (2, 6, 4), target_shape=(-1, 8))
    yield case("Permute", (2, 3, 4), dims=(2, 1))
    yield case("RepeatVector", n=3)
    yield case("ZeroPadding1D", (2, 3, 2), padding=(1, 2))
    yield case("ZeroPadding2D", (2, 3, 4, 2))
    yield case(
        "ZeroPadding2D", (2, 3, 4, 2), padding=((0, 1), (2, 3)), data_format="channels_first"
    )
    yield case("ZeroPadding3D", (2, 3, 2, 2, 2), padding=(1, 0, 2))
    yield case("Cropping1D", (2, 5, 2))
    yield case("Cropping2D", (2, 5, 4, 2), cropping=((1, 2), (0, 1)))
    yield case("Cropping3D", (2, 2, 5, 4, 4), cropping=1, data_format="channels_first")
    yield case("UpSampling1D", (2, 3, 2))
    yield case("UpSampling2D", (2, 3, 2, 2), size=(2, 3))
    for interpolation in ("bilinear", "bicubic", "lanczos3", "lanczos5"):
        yield case("UpSampling2D", (2, 4, 3, 2), size=(3, 2), interpolation=interpolation)
    first = {"data_format": "channels_first", "interpolation": "bilinear"}
    yield case("UpSampling2D", (2, 2, 4, 3), **first)
    yield case("UpSampling3D", (2, 3, 2, 2, 2), data_format="channels_first")
    if long:
        first = {"data_format": "channels_first"}
        yield case("Cropping1D", (2, 5, 2), cropping=(0, 2))
        yield case("Cropping2D", (2, 2, 5, 4), **first)
        yield case("UpSampling1D", (2, 3, 2), size=3)
        yield case("UpSampling2D", (2, 2, 3, 2), **first)
        yield case("UpSampling2D", (2, 3, 2, 2), interpolation="nearest")
        yield case("UpSampling3D", (2, 3, 2, 1, 2), size=(1, 2, 3))
        yield case("ZeroPadding1D", (2, 2, 3), **first)
        yield case("ZeroPadding3D", (2, 2, 3, 2, 2), **first)
