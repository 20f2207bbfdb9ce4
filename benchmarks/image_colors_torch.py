"""The layers of image_colors.py in torchvision's transforms, images in the faster memory format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from image_colors_worker import BATCH, CLASSES
from peer_torch import FORMATS, faster
from torchvision.transforms import v2


def transforms(is_whole: bool) -> dict[str, Callable[[], Any]]:
    """By the name of our layer."""
    return {
        "RandomBrightness": lambda: v2.ColorJitter(brightness=0.2),
        "RandomContrast": lambda: v2.ColorJitter(contrast=0.2),
        "RandomSaturation": lambda: v2.ColorJitter(saturation=0.2),
        "RandomHue": lambda: v2.ColorJitter(hue=0.1),
        "RandomColorJitter": lambda: v2.ColorJitter(0.2, 0.2, 0.2, 0.1),
        "RandomGrayscale": lambda: v2.RandomGrayscale(1.0),
        "RandomGaussianBlur": lambda: v2.GaussianBlur(3, 1.0),
        "RandomSharpness": lambda: v2.RandomAdjustSharpness(1.5, 1.0),
        "RandomPosterization": lambda: v2.RandomPosterize(3, 1.0),
        "RandomInvert": lambda: v2.RandomInvert(1.0),
        "Solarization": lambda: v2.RandomSolarize(128 if is_whole else 0.5, 1.0),
        "AutoContrast": lambda: v2.RandomAutocontrast(1.0),
        "Equalization": lambda: v2.RandomEqualize(1.0),
        "RandomErasing": lambda: v2.RandomErasing(1.0, value="random"),
        "RandAugment": v2.RandAugment,
        "AugMix": v2.AugMix,
        "MixUp": lambda: v2.MixUp(num_classes=CLASSES),
        "CutMix": lambda: v2.CutMix(num_classes=CLASSES),
    }


def make(case: dict[str, Any], images: np.ndarray) -> Callable[[], None] | None:
    """A call of the transform on the batch."""
    known = transforms(case["dtype"] == "uint8")
    if case["layer"] not in known:
        return None
    transform = known[case["layer"]]()
    batch = torch.from_numpy(images).permute(0, 3, 1, 2)
    labels = torch.arange(BATCH) % CLASSES
    more = (labels,) if case["layer"] in ("MixUp", "CutMix") else ()

    def calling(x: torch.Tensor) -> Callable[[], None]:
        def run() -> None:
            transform(x, *more)

        return run

    return faster([calling(batch.contiguous(memory_format=one)) for one in FORMATS])
