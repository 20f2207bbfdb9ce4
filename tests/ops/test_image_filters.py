"""Colours, margins, patches, filters and deformations of images: gradients, dtypes, mistakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import ops
from nkeras.backend.registry import use_backend
from tests.harness.check_op import check_gradient, check_second_order

_random = np.random.default_rng(1)
PHOTOS = _random.uniform(0.1, 0.9, (2, 5, 4, 3)).astype("float32")
SCALE = np.array([1.37, 0.71], "float32")
SHIFT = np.array([-1.23, 0.94], "float32")


@pytest.mark.parametrize(
    ("name", "arrays", "static"),
    [
        ("rgb_to_grayscale", (PHOTOS,), {}),
        ("rgb_to_hsv", (PHOTOS,), {}),
        ("hsv_to_rgb", (PHOTOS,), {}),
        ("pad_images", (PHOTOS,), {"top_padding": 1, "bottom_padding": 0, "left_padding": 2}),
        ("crop_images", (PHOTOS,), {"top_cropping": 1, "bottom_cropping": 0, "left_cropping": 1}),
        ("extract_patches", (PHOTOS,), {"size": (3, 2), "strides": 1, "padding": "same"}),
        ("extract_patches", (PHOTOS,), {"size": 2}),
        ("gaussian_blur", (PHOTOS,), {"kernel_size": (3, 2)}),
        ("sobel_edges", (PHOTOS,), {}),
        ("ssim", (PHOTOS, PHOTOS[::-1].copy()), {"filter_size": 3}),
        ("elastic_transform", (PHOTOS,), {"alpha": 3.0, "sigma": 1.0, "seed": 3}),
    ],
)
def test_gradients(name: str, arrays: tuple[Any, ...], static: dict[str, Any]) -> None:
    if name in ("pad_images", "crop_images"):
        static = {**static, "target_width": 9 if name == "pad_images" else 2}
    check_gradient(getattr(ops.image, name), arrays, static)
    check_second_order(getattr(ops.image, name), arrays, static)


@pytest.mark.parametrize("method", ["linear", "cubic", "lanczos3", "lanczos5"])
@pytest.mark.parametrize("antialias", [False, True])
def test_gradients_of_scale_and_translate(method: str, antialias: bool) -> None:
    """By images, and by scale and translation where these are tensors."""

    def scaled(images: Any, scale: Any, shift: Any) -> Any:
        return ops.image.scale_and_translate(
            images, (2, 7, 3, 3), scale, shift, (1, 2), method, antialias
        )

    check_gradient(scaled, (PHOTOS, SCALE, SHIFT), {})
    wide = _random.uniform(0.0, 1.0, (2, 5, 9, 3)).astype("float32")
    check_gradient(scaled, (wide, SCALE, SHIFT), {})
    by_tensors = scaled(PHOTOS, ops.array(SCALE), ops.array(SHIFT))
    by_numbers = scaled(PHOTOS, SCALE, SHIFT)
    np.testing.assert_allclose(by_tensors, by_numbers, atol=2e-6)
    with nkeras.GradientTape() as tape:
        images = nkeras.Variable(PHOTOS)
        total = ops.sum(scaled(images, SCALE, SHIFT))
    assert tape.gradient(total, images) is not None


def test_gradient_of_blurring_by_its_width() -> None:
    def blurred(images: Any, sigma: Any) -> Any:
        return ops.image.gaussian_blur(images, (3, 5), sigma)

    check_gradient(blurred, (PHOTOS, np.array([0.8, 1.7], "float32")), {})


def test_blurring_takes_height_before_width() -> None:
    """As Keras says; what it does is the other way round."""
    found = ops.image.gaussian_blur(PHOTOS, (3, 1), (0.8, 1.0))
    rows = np.exp(-0.5 * (np.array([-1, 0, 1]) / 0.8) ** 2)
    padded = np.pad(PHOTOS, ((0, 0), (1, 1), (0, 0), (0, 0)))
    want = sum(w * padded[:, i : i + 5] for i, w in enumerate(rows / rows.sum()))
    np.testing.assert_allclose(found, want, atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "bfloat16", "float64"])
def test_dtypes_are_kept(dtype: str) -> None:
    images = ops.cast(PHOTOS * 200.0, dtype)
    calls: list[Callable[[Any], Any]] = [
        ops.image.rgb_to_grayscale,
        ops.image.gaussian_blur,
        ops.image.sobel_edges,
        lambda x: ops.image.ssim(x, x, 255.0, filter_size=3),
        lambda x: ops.image.elastic_transform(x, 2.0, 1.0, seed=1),
        lambda x: ops.image.extract_patches(x, 2),
        lambda x: ops.image.pad_images(x, 1, 1, 1, 1),
        lambda x: ops.image.crop_images(x, 1, 1, 1, 1),
    ]
    assert {call(images).dtype for call in calls} == {dtype}
    if dtype not in ("uint8", "int32"):
        assert ops.image.rgb_to_hsv(images).dtype == dtype
        assert ops.image.hsv_to_rgb(images).dtype == dtype
        moved = ops.image.scale_and_translate(images, (2, 3, 4, 3), [0.5], [0.0], (1,), "linear")
        assert moved.dtype == dtype


def test_colours_there_and_back() -> None:
    hsv = ops.image.rgb_to_hsv(PHOTOS)
    np.testing.assert_allclose(ops.image.hsv_to_rgb(hsv), PHOTOS, atol=1e-6)


def test_displacements_are_independent_and_the_same_everywhere() -> None:
    """On a ramp along one axis, only the displacement along this axis is seen."""
    ramp = np.arange(40, dtype="float32")
    down = np.broadcast_to(ramp[:, None, None], (40, 40, 1))
    found = []
    for image in (down, down.transpose(1, 0, 2)):
        moved = ops.image.elastic_transform(image, 2.0, 2.0, seed=5, fill_mode="nearest")
        found.append(ops.convert_to_numpy(moved)[8:-8, 8:-8] - image[8:-8, 8:-8])
    assert abs(np.corrcoef(found[0].ravel(), found[1].ravel())[0, 1]) < 0.5
    with use_backend("numpy"):
        other = ops.image.elastic_transform(down, 2.0, 2.0, seed=5, fill_mode="nearest")
        np.testing.assert_allclose(other[8:-8, 8:-8] - down[8:-8, 8:-8], found[0], atol=1e-3)


def test_margins_of_unknown_sizes() -> None:
    inputs = nkeras.Input((None, None, 3))
    padded = ops.image.pad_images(inputs, 1, 0, target_height=8, target_width=7)
    cropped = ops.image.crop_images(padded, 1, 0, target_height=5, target_width=4)
    assert (padded.shape, cropped.shape) == ((None, 8, 7, 3), (None, 5, 4, 3))
    np.testing.assert_array_equal(nkeras.Model(inputs, cropped)(PHOTOS), PHOTOS)
    assert ops.image.pad_images(inputs, 1, 0, 1, 2).shape == (None, None, None, 3)


def test_all_slices_of_a_map_at_once() -> None:
    found = ops.vectorized_map(lambda x: ops.image.resize(x, (3, 6)), PHOTOS)
    np.testing.assert_array_equal(found, ops.image.resize(PHOTOS, (3, 6)))
    move = np.array([1.1, 0.1, -0.3, 0.2, 0.9, 0.4, 0.0, 0.0], "float32")
    calls = []

    def moved(x: Any) -> Any:
        calls.append(x)
        return ops.image.affine_transform(x, move)

    found = ops.vectorized_map(moved, PHOTOS)
    np.testing.assert_allclose(found, ops.image.affine_transform(PHOTOS, move), atol=1e-6)
    assert len(calls) == 1


_IMAGE = ops.image
_MISTAKES: list[tuple[str, Callable[[], object]]] = [
    ("channels", lambda: _IMAGE.rgb_to_grayscale(PHOTOS[..., :2])),
    ("channels", lambda: _IMAGE.rgb_to_hsv(PHOTOS[..., :2])),
    ("floating", lambda: _IMAGE.hsv_to_rgb(PHOTOS.astype("uint8"))),
    ("rank", lambda: _IMAGE.rgb_to_hsv(PHOTOS[0, 0])),
    ("top_padding, bottom_padding, target_height", lambda: _IMAGE.pad_images(PHOTOS, 1, 1)),
    ("right_padding", lambda: _IMAGE.pad_images(PHOTOS, 1, 1, 1, target_width=2)),
    ("left_padding", lambda: _IMAGE.pad_images(PHOTOS, 1, -1, 1, 1)),
    (
        "left_cropping, right_cropping",
        lambda: _IMAGE.crop_images(PHOTOS, 1, 1, 1, 1, target_width=2),
    ),
    ("target_height", lambda: _IMAGE.crop_images(PHOTOS, 4, 1, 4, 1)),
    ("size", lambda: _IMAGE.extract_patches(PHOTOS, (1, 2, 3, 4))),
    ("do not fit", lambda: _IMAGE.extract_patches(PHOTOS, 9)),
    ("strides", lambda: _IMAGE.extract_patches(PHOTOS, 2, (1, 2, 3))),
    ("padding", lambda: _IMAGE.extract_patches(PHOTOS, 2, padding="reflect")),
    ("rank 4 or 5", lambda: _IMAGE.extract_patches_3d(PHOTOS[0], 2)),
    ("kernel_size", lambda: _IMAGE.gaussian_blur(PHOTOS, 3)),  # pyright: ignore
    ("sigma", lambda: _IMAGE.gaussian_blur(PHOTOS, (3, 3), 1.0)),
    ("rank 4", lambda: _IMAGE.sobel_edges(PHOTOS[0])),
    ("image1", lambda: _IMAGE.ssim(PHOTOS, PHOTOS[0])),
    ("filter_size", lambda: _IMAGE.ssim(PHOTOS, PHOTOS)),
    ("interpolation", lambda: _IMAGE.elastic_transform(PHOTOS, interpolation="cubic")),
    ("method", lambda: _scaled(method="nearest")),
    ("output_shape", lambda: _scaled(output_shape=(3, 5, 4, 3))),
    ("translation", lambda: _scaled(translation=[0.0, 0.0])),
    ("scale", lambda: _scaled(scale=[0.0])),
]


def _scaled(**changed: Any) -> object:
    given = {"output_shape": (2, 9, 4, 3), "scale": [2.0], "translation": [0.0]}
    given |= {"spatial_dims": (1,), "method": "linear"}
    return _IMAGE.scale_and_translate(PHOTOS, **{**given, **changed})


@pytest.mark.parametrize(("text", "call"), _MISTAKES)
def test_mistakes_are_named(text: str, call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=text):
        call()


def test_a_size_of_another_type() -> None:
    with pytest.raises(TypeError, match="size"):
        ops.image.extract_patches(PHOTOS, "2")  # pyright: ignore
