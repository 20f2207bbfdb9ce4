"""The worker's side of images.py: the same steps in each framework."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

BATCH, BEFORE, AFTER = 32, 256, 224
TURN, CONTRAST = 0.1, 0.2


def make(framework: str, case: dict[str, Any]) -> Callable[[], None]:
    """A call of the steps on a batch; only the first of them gets images of the old size."""
    side = BEFORE if case["steps"][0] == "Resizing" else AFTER
    images = np.random.default_rng(0).integers(0, 256, (BATCH, side, side, 3)).astype("uint8")
    if case["dtype"] == "float32":
        images = (images / 255.0).astype("float32")
    if framework == "torch":
        return import_module("images_torch").make(case, images)
    import nkeras
    from nkeras import layers

    top = 255 if case["dtype"] == "uint8" else 1
    known: dict[str, Callable[[], Any]] = {
        "Resizing": lambda: layers.Resizing(AFTER, AFTER, antialias=True),
        "RandomFlip": lambda: layers.RandomFlip("horizontal"),
        "RandomRotation": lambda: layers.RandomRotation(TURN),
        "RandomContrast": lambda: layers.RandomContrast(CONTRAST, value_range=(0, top)),
    }
    model = nkeras.Sequential([known[step]() for step in case["steps"]])
    x = nkeras.ops.convert_to_tensor(images)

    def run() -> None:
        model(x, training=True)

    return run
