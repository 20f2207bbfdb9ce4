# ruff: noqa: E501
"""Expressions for `nkeras.ops.image`, evaluated by nkeras and by Keras."""

from __future__ import annotations

import numpy as np

from tests.ops.keras_cases import INPUTS, add

_random = np.random.default_rng(17)
INPUTS.update(
    photos=_random.uniform(0.0, 1.0, (2, 6, 9, 3)).astype("float32"),
    photo=_random.uniform(0.0, 1.0, (7, 5, 3)).astype("float32"),
    first=_random.uniform(0.0, 1.0, (2, 3, 6, 5)).astype("float32"),
    pixels=_random.integers(0, 256, (2, 6, 5, 3)).astype("uint8"),
    volumes=_random.uniform(0.0, 1.0, (2, 4, 5, 6, 2)).astype("float32"),
    places=_random.uniform(-9.0, 12.0, (3, 4, 5)).astype("float32"),
    affine=(
        np.array([[1, 0.1, -0.3, 0.2, 0.9, 0.4, 0, 0], [0.5, -0.2, 1.7, 0, 1.5, -2.2, 0, 0]])
        + np.array([0.013, 0.007, 0.011, 0.003, 0.017, 0.009, 0, 0])
    ).astype("float32"),
    corners=np.array([[[0, 0], [0, 5], [8, 0], [8, 5]]] * 2, "float32"),
    moved=np.array(
        [[[1, 0.5], [0.3, 6], [7.2, -1], [9, 5.3]], [[-1, 1], [1, 4.1], [6.4, 0.3], [7.5, 6.2]]],
        "float32",
    ),
    counts=_random.integers(-100, 1000, (2, 6, 5, 1)).astype("int32"),
)
_SIZES = ("(4, 4)", "(11, 13)", "(3, 20)", "(6, 9)")
add(
    "image.resize",
    *(
        f"{{}}(photos, {size}, {name!r}, antialias={antialias})"
        for name in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        for size in _SIZES
        for antialias in (False, True)
    ),
    "{}(photo, (9, 4))",
    "{}(first, (4, 8), data_format='channels_first')",
    "{}(first[0], (9, 8), 'bicubic', data_format='channels_first')",
    *(
        f"{{}}({images}, (7, 13), {name!r})"
        for images in ("pixels", "counts")
        for name in ("nearest", "bicubic", "lanczos3")  # bilinear: halves are rounded by chance
    ),
    *(
        f"{{}}({images}, {size}, {option}=True)"
        for images in ("photos", "photo")
        for size in ("(4, 4)", "(8, 3)", "(3, 10)")
        for option in ("crop_to_aspect_ratio", "pad_to_aspect_ratio")
    ),
    "{}(photos, (8, 3), pad_to_aspect_ratio=True, fill_value=0.5)",
    "{}(first, (3, 7), pad_to_aspect_ratio=True, fill_value=0.5, data_format='channels_first')",
    "{}(first, (3, 7), crop_to_aspect_ratio=True, data_format='channels_first')",
)
_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
add(
    "image.map_coordinates",
    *(
        f"{{}}({name}, places, {order}, {mode!r}, 2)"
        for name in ("photo", "counts[0]")
        for order in (0, 1)
        for mode in _MODES
    ),
    "{}(photo[:, 0, 0], np.array([[0.5, -0.5, 2.5, 6.0, 6.5, -7.0]], 'float32'), 0)",
    "{}(photo[:, 0, 0], np.array([[0.5, -0.5, 2.5, 6.0, 6.5, -7.0]], 'float32'), 1, 'reflect')",
    "{}(photo[:, 0], np.array([[1, 2], [0, 4]]), 1)",
    "{}(pixels[0, :, :, :1], places, 1, 'nearest')",
)
add(
    "image.affine_transform",
    *(
        f"{{}}(photos, affine, {name!r}, {mode!r}, 0.5)"
        for name in ("bilinear", "nearest")
        for mode in _MODES
    ),
    "{}(photo, affine[0])",
    "{}(first, affine, fill_mode='reflect', data_format='channels_first')",
    "{}(first[0], affine[1], data_format='channels_first')",
    "{}(pixels, affine, fill_value=7)",
    "{}(counts, affine, fill_mode='nearest')",
)
add(
    "image.perspective_transform",
    "{}(photos, corners, moved)",
    "{}(photos, corners, moved, 'nearest', 0.5)",
    "{}(photo, corners[0], moved[1])",
    "{}(first, corners, moved, fill_value=0.5, data_format='channels_first')",
    "{}(pixels, moved, corners)",
)
_FORMATS = ("photos", "photo", "first, 'channels_first'", "first[0], 'channels_first'")
add("image.rgb_to_grayscale", *(f"{{}}({call})" for call in _FORMATS), "{}(pixels)", "{}(counts)")
add("image.rgb_to_hsv image.hsv_to_rgb", *(f"{{}}({call})" for call in _FORMATS))
add("image.rgb_to_hsv", "{}(np.round(photos * 2) / 2)", "{}(photos * 0)", "{}(photos - 0.5)")
add("image.hsv_to_rgb", "{}(photos * 3 - 1)")
add(
    "image.pad_images",
    "{}(photos, 1, 2, 3, 0)",
    "{}(photo, 2, 3, target_height=20, target_width=30)",
    "{}(first, bottom_padding=1, right_padding=4, target_height=8, target_width=9, data_format='channels_first')",
    "{}(pixels[0], 0, 1, target_height=6, right_padding=0)",
)
add(
    "image.crop_images",
    "{}(photos, 1, 2, 3, 0)",
    "{}(photo, 2, 3, target_height=4, target_width=2)",
    "{}(first, bottom_cropping=1, right_cropping=2, target_height=3, target_width=1, data_format='channels_first')",
    "{}(pixels[0], 0, 1, target_height=6, right_cropping=0)",
)
add(
    "image.extract_patches",
    "{}(photos, 3)",
    "{}(photos, (2, 3), (1, 2))",
    "{}(photo, (3, 2), 1, 2, 'same')",
    "{}(photos, 2, 2, padding='same')",
    "{}(first, (3, 2), 2, data_format='channels_first')",
    "{}(first[0], 2, data_format='channels_first')",
    "{}(volumes, (2, 3, 1))",
    "{}(volumes[0], (2, 2, 2), 1, padding='same')",
)
add(
    "image.extract_patches_3d",
    "{}(volumes, 2)",
    "{}(volumes, (1, 2, 3), (2, 1, 1), padding='same')",
    "{}(volumes[1], 2, 1, 2)",
    "{}(np.moveaxis(volumes, -1, 1), 2, data_format='channels_first')",
)
add(
    "image.gaussian_blur",
    "{}(photos, (3, 3), (1.0, 1.0), 'channels_last')",
    "{}(photos, (5, 5), (2.0, 2.0), 'channels_last')",
    "{}(photo, (4, 4), (0.7, 0.7), 'channels_last')",
    "{}(first, (3, 3), (1.0, 1.0), 'channels_first')",
    "{}(first[0], (7, 7), (1.0, 1.0), 'channels_first')",
)
add("image.sobel_edges", "{}(photos)", "{}(first, 'channels_first')", "{}(counts)")
add(
    "image.ssim",
    "{}(photos, photos[::-1], filter_size=3)",
    "{}(photo, photo * 0.9, filter_size=5, filter_sigma=1.0, max_val=2.0, k1=0.02, k2=0.01)",
    "{}(first, first * first, filter_size=4, data_format='channels_first')",
    "{}(first[0], first[1], filter_size=4, data_format='channels_first')",
    "{}(pixels, pixels, 255, filter_size=3)",
)
add(
    "image.elastic_transform",  # other random numbers: only what they do not matter for
    "{}(photos, alpha=0.0)",
    "{}(photo * 0 + 0.5, sigma=1.0, seed=1)",
    "{}(first, 0.0, data_format='channels_first')",
)
add(
    "image.scale_and_translate",
    *(
        f"{{}}(photo, (9, 4, 3), np.array([1.4, 0.7], 'float32'), np.array([-1.2, 0.9], 'float32'), (0, 1), {method!r}, {antialias})"
        for method in ("linear", "bicubic", "lanczos3", "lanczos5")
        for antialias in (True, False)
    ),
    *(
        f"{{}}(photo, (9, 4, 3), ops.array([1.4, 0.7]), ops.array([-1.2, 0.9]), (0, -2), {method!r})"
        for method in ("trilinear", "cubic", "lanczos3", "lanczos5")
    ),
    "{}(photos, (2, 5, 4, 3), ops.array([1.4, 0.7]), ops.array([-1.2, 0.9]), (1, 2), 'cubic')",
    "{}(photos, (2, 6, 5, 3), np.array([-0.5], 'float32'), np.array([6.0], 'float32'), (2,), 'linear')",
    "{}(counts, (2, 3, 5, 1), np.array([0.3], 'float32'), np.array([0.7], 'float32'), (1,), 'linear')",
)
