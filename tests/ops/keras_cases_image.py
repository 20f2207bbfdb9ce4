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
