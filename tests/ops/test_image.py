"""Operations on images: dtypes, gradients, special values, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nkeras
import nkeras.ops.image.histograms
from nkeras import ops
from nkeras.core.primitive import PRIMITIVES, to_tensor
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


def _transforms() -> np.ndarray:
    return np.array(
        [
            [1.03, 0.11, 0.3, 0.23, 0.91, 0.4, 0.013, -0.02],
            [0.63, 0.02, 1.27, 0.04, 1.54, -2.2, 0, 0.03],
        ],
        "float32",
    )


def test_affine_transform_divides_by_its_last_row() -> None:
    a0, a1, a2, b0, b1, b2, c0, c1 = _transforms()[0]
    y, x = np.meshgrid(np.arange(5), np.arange(4), indexing="ij")
    k = c0 * x + c1 * y + 1
    places = np.stack([(b0 * x + b1 * y + b2) / k, (a0 * x + a1 * y + a2) / k])
    found = ops.image.affine_transform(PHOTOS[0], _transforms()[0])
    for channel in range(3):
        want = ops.image.map_coordinates(PHOTOS[0, :, :, channel], places, 1)
        np.testing.assert_allclose(found[..., channel], want, atol=1e-5)


def test_one_transformation_serves_all_images() -> None:
    one = _transforms()[0]
    found = ops.image.affine_transform(PHOTOS, one)
    np.testing.assert_array_equal(found, ops.image.affine_transform(PHOTOS, np.stack([one, one])))
    corners = np.array([[0, 0], [3, 0.5], [0, 4], [3, 4]], "float32")
    found = ops.image.perspective_transform(PHOTOS, corners, corners + 0.5)
    for number in range(2):
        want = ops.image.perspective_transform(PHOTOS[number], corners, corners + 0.5)
        np.testing.assert_array_equal(found[number], want)


def test_gradients_of_transformations() -> None:
    check_gradient(ops.image.affine_transform, (PHOTOS, _transforms()), {"fill_mode": "reflect"})
    corners = np.array([[[0, 0], [3, 0.5], [0, 4], [3, 4]]] * 2, "float32")
    moved = corners + np.random.default_rng(3).uniform(-0.4, 0.4, corners.shape)
    points = (PHOTOS, corners, moved.astype("float32"))
    check_gradient(ops.image.perspective_transform, points, {"fill_value": 0.5})


def test_samples_of_integers_and_half_types() -> None:
    """Halves go away from zero; half types are rounded once."""
    found = ops.image.map_coordinates(np.array([1, 2, -5, -6], "int8"), [[0.5, 2.5]], 1)
    assert found.dtype == "int8"
    np.testing.assert_array_equal(found, [2, -6])
    half = ops.cast(PHOTOS, "bfloat16")
    found = ops.image.affine_transform(half, _transforms())
    want = ops.image.affine_transform(ops.cast(half, "float32"), _transforms())
    np.testing.assert_array_equal(
        ops.cast(found, "float32"), ops.cast(ops.cast(want, "bfloat16"), "float32")
    )


def test_places_without_end() -> None:
    places = np.array([[np.nan, np.inf, -np.inf, 1e30]], "float32")
    for order in (0, 1):
        for mode in ("constant", "nearest", "wrap", "mirror", "reflect"):
            found = ops.image.map_coordinates(PHOTOS[0, :, 0, 0], places, order, mode, 9.0)
            assert found.shape == (4,)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("transform", lambda: ops.image.affine_transform(PHOTOS, np.ones(6))),
        ("transformations", lambda: ops.image.affine_transform(PHOTOS, np.ones((3, 8)))),
        ("interpolation", lambda: ops.image.affine_transform(PHOTOS, np.ones(8), "bicubic")),
        ("fill_mode", lambda: ops.image.affine_transform(PHOTOS, np.ones(8), fill_mode="no")),
        ("images", lambda: ops.image.affine_transform(PHOTOS[0, 0], np.ones(8))),
        ("end_points", lambda: ops.image.perspective_transform(PHOTOS, np.ones((4, 2)), [[1, 2]])),
        ("coordinates", lambda: ops.image.map_coordinates(PHOTOS, np.ones((3, 2)), 1)),
        ("order", lambda: ops.image.map_coordinates(PHOTOS, np.ones((4, 2)), 3)),
    ],
)
def test_transformations_name_what_is_wrong(argument: str, call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=argument):
        call()


@pytest.mark.parametrize("name", ["equalized", "equalized_in_tiles"])
def test_decompositions_of_histograms_are_the_kernels(name: str) -> None:
    random = np.random.default_rng(3)
    images = (random.uniform(0.0, 1.0, (2, 37, 50, 3)) ** 2 * 255.0).astype("float32")
    images[1, ..., 2] = 9.0
    images[0, 0, 0] = np.nan
    for size in (16, 5):
        static: dict[str, Any] = {"tiles": (size, 3), "clip_limit": 2.0}
        x = to_tensor(images)
        if name == "equalized":
            static, x = {"bins": size}, ops.reshape(x, (2, -1, 3))
        primitive = PRIMITIVES[name]
        assert primitive.decompose is not None
        found, wanted = primitive.decompose(x, **static), primitive(x, **static)
        assert not np.isnan(wanted.numpy()).any()
        np.testing.assert_allclose(found, wanted, 1e-5, 1e-3)
