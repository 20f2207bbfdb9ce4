"""Operations on images: dtypes, gradients, special values, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras import ops
from tests.harness.check_op import check_gradient, check_second_order

PHOTOS = np.random.default_rng(0).uniform(0.0, 1.0, (2, 5, 4, 3)).astype("float32")


@pytest.mark.parametrize("name", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_resize_in_half_types_is_rounded_once(name: str) -> None:
    for dtype in ("float16", "bfloat16"):
        half = ops.cast(PHOTOS, dtype)
        got = ops.image.resize(half, (7, 9), name)
        want = ops.cast(ops.image.resize(ops.cast(half, "float32"), (7, 9), name), dtype)
        assert got.dtype == dtype
        np.testing.assert_array_equal(ops.cast(got, "float32"), ops.cast(want, "float32"))


@pytest.mark.parametrize("name", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
@pytest.mark.parametrize("antialias", [False, True])
def test_gradients_of_resize(name: str, antialias: bool) -> None:
    static = {"size": (3, 7), "interpolation": name, "antialias": antialias}
    check_gradient(ops.image.resize, (PHOTOS,), static)
    check_second_order(ops.image.resize, (PHOTOS,), static)


def test_resize_keeps_large_integers_and_bools() -> None:
    large = np.array([[[2**30 + 1], [5]]], "int32")
    np.testing.assert_array_equal(
        ops.image.resize(large, (1, 4), "nearest"), np.repeat(large, 2, axis=1)
    )
    mask = large > 5
    found = ops.image.resize(mask, (2, 2), "nearest")
    assert found.dtype == "bool"
    np.testing.assert_array_equal(found, np.repeat(mask, 2, axis=0))


def test_resize_lets_special_values_stay_where_they_are() -> None:
    image = PHOTOS[0].copy()
    image[0, 0] = np.inf
    found = ops.convert_to_numpy(ops.image.resize(image, (10, 8)))
    assert np.isposinf(found[:2, :2]).all()
    assert np.isfinite(found[3:]).all()
    assert np.isfinite(found[:, 3:]).all()


def test_resize_of_unknown_sizes() -> None:
    inputs = nkeras.Input((None, None, 3))
    outputs = ops.image.resize(inputs, (4, 6), crop_to_aspect_ratio=True)
    assert outputs.shape == (None, 4, 6, 3)
    model = nkeras.Model(inputs, outputs)
    want = ops.image.resize(PHOTOS, (4, 6), crop_to_aspect_ratio=True)
    np.testing.assert_array_equal(model(PHOTOS), want)


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("size", {"size": (3, 0)}),
        ("size", {"size": 3}),
        ("interpolation", {"interpolation": "area"}),
        ("fill_mode", {"fill_mode": "reflect"}),
        ("data_format", {"data_format": "last"}),
        ("pad_to_aspect_ratio", {"pad_to_aspect_ratio": True, "crop_to_aspect_ratio": True}),
        ("images", {"images": PHOTOS[0, 0]}),
    ],
)
def test_resize_names_what_is_wrong(argument: str, named: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=rf"resize: .*{argument}"):
        ops.image.resize(**{"images": PHOTOS, "size": (3, 3), **named})  # pyright: ignore
