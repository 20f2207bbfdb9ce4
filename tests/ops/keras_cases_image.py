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
