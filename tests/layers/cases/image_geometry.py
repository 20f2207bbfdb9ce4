"""Images moved, turned, cropped and resized; alike for Keras and us where training is off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.layers.case import Case

SHAPE = (2, 5, 6, 3)
FIRST = (2, 3, 5, 6)
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "RandomFlip": [{}, {"mode": "vertical", "seed": 3}],
    "RandomRotation": [
        {"factor": 0.3},
        {"factor": (-0.2, 0.5), "fill_mode": "constant", "fill_value": 0.5, "seed": 3},
        {"factor": 0.1, "interpolation": "nearest", "fill_mode": "wrap"},
    ],
    "RandomTranslation": [
        {"height_factor": 0.3, "width_factor": (-0.2, 0.5)},
        {"height_factor": 0.1, "width_factor": 0.2, "interpolation": "nearest", "seed": 3},
        {"height_factor": 0.1, "width_factor": 0.2, "fill_mode": "nearest", "fill_value": 1.0},
    ],
    "RandomZoom": [
        {"height_factor": 0.3},
        {"height_factor": (-0.3, 0.5), "width_factor": 0.2, "interpolation": "nearest"},
        {"height_factor": 0.3, "fill_mode": "constant", "fill_value": 1.0, "seed": 3},
    ],
    "RandomShear": [
        {"x_factor": 0.3, "y_factor": (0.1, 0.2)},
        {"x_factor": 0.3, "interpolation": "nearest", "seed": 3},
        {"y_factor": 0.3, "fill_mode": "constant", "fill_value": 1.0},
    ],
    "RandomPerspective": [
        {},
        {"factor": (0.2, 0.7), "scale": 0.4, "interpolation": "nearest", "seed": 3},
        {"scale": 0.1, "fill_value": 0.5},
    ],
    "RandomElasticTransform": [
        {"value_range": (-2, 2)},
        {"factor": (0.2, 0.7), "scale": (0.2, 0.4), "interpolation": "nearest", "seed": 3},
        {"scale": 0.7, "fill_mode": "constant", "fill_value": 0.5},
    ],
}
RESIZED: list[dict[str, Any]] = [
    {"height": 4, "width": 8},
    {"height": 4, "width": 8, "interpolation": "nearest", "crop_to_aspect_ratio": True},
    {"height": 7, "width": 4, "interpolation": "bicubic", "pad_to_aspect_ratio": True},
    {"height": 3, "width": 4, "fill_mode": "constant", "fill_value": 2.0, "antialias": True},
    {"height": 3, "width": 9, "interpolation": "lanczos3", "crop_to_aspect_ratio": True},
]


def cases(long: bool) -> Iterator[Case]:
    still = {"training": False}
    for name, every in OPTIONS.items():
        for options in every if long else every[:2]:
            yield Case(name, options, (SHAPE,), random=True, call=still)
        if long:
            options = every[0] | {"data_format": "channels_first"}
            yield Case(name, options, (FIRST,), random=True, call=still)
    options = {"height": 5, "width": 6, "seed": 3}
    yield Case("RandomCrop", options, (SHAPE,), random=True, call=still)
    if long:
        options = options | {"data_format": "channels_first", "name": "crop"}
        yield Case("RandomCrop", options, (FIRST,), random=True, call=still)
    for options in RESIZED if long else RESIZED[:4]:
        yield Case("Resizing", options, (SHAPE,))
    yield Case("Resizing", {"height": 4, "width": 8, "data_format": "channels_first"}, (FIRST,))
    yield Case("CenterCrop", {"height": 3, "width": 4}, (SHAPE,))
    yield Case("CenterCrop", {"height": 7, "width": 4}, (SHAPE,))
    if long:
        options = {"height": 3, "width": 3, "data_format": "channels_first"}
        yield Case("CenterCrop", options, (FIRST,))
    yield Case("MaxNumBoundingBoxes", {"max_number": 3}, (SHAPE,))
    if long:
        yield Case("MaxNumBoundingBoxes", {"max_number": 3, "fill_value": -1}, (SHAPE,))
