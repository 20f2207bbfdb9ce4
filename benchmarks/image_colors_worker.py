"""The worker's side of image_colors.py: the same layer in each framework."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

BATCH, SIDE, CLASSES = 32, 224, 10
OPTIONS: dict[str, dict[str, Any]] = {
    "RandomBrightness": {"factor": 0.2},
    "RandomContrast": {"factor": 0.2},
    "RandomSaturation": {"factor": (0.4, 0.6)},
    "RandomHue": {"factor": 0.2},
    "RandomColorJitter": {
        "brightness_factor": 0.2,
        "contrast_factor": 0.2,
        "saturation_factor": (0.4, 0.6),
        "hue_factor": 0.2,
    },
    "RandomGrayscale": {"factor": 1.0},
    "RandomGaussianBlur": {"factor": (1.0, 1.0), "sigma": (1.0, 1.0)},
    "RandomSharpness": {"factor": (0.4, 0.8)},
    "RandomPosterization": {"factor": (3, 3)},
    "RandomInvert": {"factor": (1.0, 1.0)},
    "Solarization": {"threshold_factor": (0.5, 0.5)},
    "RandomErasing": {"factor": (1.0, 1.0)},
    "RandomColorDegeneration": {"factor": 0.5},
}
WITHOUT_RANGE = ("RandomGrayscale", "MixUp", "CutMix")


def make(framework: str, case: dict[str, Any]) -> Callable[[], None]:
    """A call of the layer on a batch of images, and labels where they are mixed."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (BATCH, SIDE, SIDE, 3)).astype("uint8")
    if case["dtype"] == "float32":
        images = (images / 255.0).astype("float32")
    if framework == "torch":
        return import_module("image_colors_torch").make(case, images)
    import nkeras

    name = case["layer"]
    options = dict(OPTIONS.get(name, {}))
    if name not in WITHOUT_RANGE:
        options["value_range"] = (0, 255 if case["dtype"] == "uint8" else 1)
    if "result" in case:
        options["dtype"] = case["result"]
    layer = getattr(nkeras.layers, name)(**options)
    data: Any = nkeras.ops.convert_to_tensor(images)
    if name in ("MixUp", "CutMix"):
        labels = np.eye(CLASSES, dtype="float32")[np.arange(BATCH) % CLASSES]
        data = {"images": data, "labels": nkeras.ops.convert_to_tensor(labels)}

    def run() -> None:
        layer(data, training=True)

    return run
