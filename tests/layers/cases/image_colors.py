"""Layers that change colors; alike for Keras and us where training is off, or nothing is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.layers.case import Case

SHAPE = (2, 5, 6, 3)
FIRST = (2, 3, 5, 6)
RANGE: dict[str, Any] = {"value_range": (-2, 2)}
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "RandomBrightness": [{"factor": 0.5, **RANGE}, {"factor": (-0.2, 0.7), "seed": 3}],
    "RandomContrast": [{"factor": (0.1, 0.5), **RANGE}, {"factor": (0.2, 0.7), "seed": 3}],
    "RandomInvert": [RANGE, {"factor": (0.2, 0.7), "seed": 3}],
    "RandomPosterization": [{"factor": 3, **RANGE}, {"factor": (2, 6), "seed": 3}],
    "Solarization": [RANGE, {"addition_factor": 0.3, "threshold_factor": (0.2, 0.7), "seed": 3}],
    "RandomSaturation": [{"factor": (0, 0.5), **RANGE}, {"factor": (0.2, 0.7), "seed": 3}],
    "RandomHue": [{"factor": 0.5, **RANGE}, {"factor": (0.2, 0.7), "seed": 3}],
    "RandomColorDegeneration": [{"factor": (0, 0.5), **RANGE}, {"factor": (0.2, 0.7), "seed": 3}],
    "RandomGrayscale": [{}, {"factor": 0.2}],
    "RandomColorJitter": [
        {"brightness_factor": 0.2, "hue_factor": (0.1, 0.2), **RANGE},
        {"contrast_factor": (0.2, 0.3), "saturation_factor": 0.2, "seed": 3},
    ],
    "RandomGaussianBlur": [RANGE, {"factor": (0.2, 0.7), "kernel_size": (5, 3), "sigma": 0.5}],
    "RandomSharpness": [{"factor": 0.5, **RANGE}, {"factor": (0.2, 0.7), "seed": 3}],
}


def cases(long: bool) -> Iterator[Case]:
    still = {"training": False}
    for name, every in OPTIONS.items():
        yield Case(name, every[0], (SHAPE,), random=True, call=still)
        if long:
            yield Case(name, every[1], (SHAPE,), random=True, call=still)
            options = every[0] | {"data_format": "channels_first"}
            yield Case(name, options, (FIRST,), random=True, call=still)
    yield Case("AutoContrast", RANGE, (SHAPE,))
    yield Case("Equalization", {**RANGE, "bins": 8}, ((1, 5, 6, 3),))
    name = "ContrastLimitedAdaptiveHistogramEqualization"
    # No value lies where half types would round it into another bin.
    options = {"value_range": (-200, 190), "tile_grid_size": (2, 3), "clip_limit": 1.5}
    yield Case(name, options, (SHAPE,))
    if long:
        yield Case(
            "Equalization", {**RANGE, "bins": 8, "data_format": "channels_first"}, ((1, 3, 5, 6),)
        )
        yield Case(name, {**options, "data_format": "channels_first"}, (FIRST,))
