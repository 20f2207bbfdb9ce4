"""Layers that change colors, erase, mix and augment, with options for images of several ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

COLORS: dict[str, dict[str, Any]] = {
    "RandomBrightness": {"factor": 0.6},
    "RandomContrast": {"factor": (0.9, 1.0)},
    "RandomInvert": {"factor": (0.3, 0.7)},
    "RandomPosterization": {"factor": 6},
    "Solarization": {"addition_factor": 0.4, "threshold_factor": (0.3, 0.8)},
    "RandomSaturation": {"factor": (0.1, 0.5)},
    "RandomHue": {"factor": 0.9},
    "RandomColorDegeneration": {"factor": (0.0, 1.0)},
    "RandomGrayscale": {"factor": 0.5},
    "RandomColorJitter": {
        "brightness_factor": 0.3,
        "contrast_factor": 0.5,
        "saturation_factor": 0.9,
        "hue_factor": 0.4,
    },
    "RandomGaussianBlur": {"factor": (0.5, 1.0), "kernel_size": 5, "sigma": (0.8, 0.8)},
    "RandomSharpness": {"factor": (0.0, 1.0)},
    "AutoContrast": {},
    "Equalization": {},
    "ContrastLimitedAdaptiveHistogramEqualization": {"tile_grid_size": (3, 2), "clip_limit": 2.0},
    "RandomErasing": {"factor": (0.5, 1.0), "scale": (0.1, 0.6)},
}
MIXED: dict[str, dict[str, Any]] = {
    "MixUp": {"alpha": 0.7},
    "CutMix": {},
    "RandAugment": {"num_ops": 4, "factor": 0.4},
    "AugMix": {"num_chains": 2, "factor": 0.4},
}
WITHOUT_DRAWS = {"AutoContrast", "Equalization", "ContrastLimitedAdaptiveHistogramEqualization"}
ALWAYS = {"AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization"}
WITHOUT_RANGE = {"RandomGrayscale", "MixUp", "CutMix"}
SHAPE = (4, 12, 16, 3)


def options_of(name: str, **more: Any) -> dict[str, Any]:
    """What a layer is made with in tests."""
    options = {**(COLORS | MIXED)[name], **more}
    if name not in WITHOUT_DRAWS:
        options.setdefault("seed", 7)
    if name in WITHOUT_RANGE:
        options.pop("value_range", None)
    return options


def photos(dtype: str = "float32", high: float = 255.0) -> np.ndarray:
    """Images with colors of all kinds, some of them grey, white or black."""
    random = np.random.default_rng(5)
    images = random.uniform(0.0, 256.0, SHAPE) // 1
    images[0, 0, :4] = [[0, 0, 0], [255, 255, 255], [77, 77, 77], [255, 0, 0]]
    return (images * (high / 255.0)).astype(dtype)
