"""The steps of images.py in torchvision's transforms, images in the faster memory format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from images_worker import AFTER, CONTRAST, TURN
from peer_torch import FORMATS, faster
from torchvision.transforms import InterpolationMode, v2


def make(case: dict[str, Any], images: np.ndarray) -> Callable[[], None]:
    """A call of the steps, on the batch or on one image after the other."""
    known = {
        "Resizing": v2.Resize((AFTER, AFTER), antialias=True),
        "RandomFlip": v2.RandomHorizontalFlip(),
        "RandomRotation": v2.RandomRotation(360 * TURN, interpolation=InterpolationMode.BILINEAR),
        "RandomContrast": v2.ColorJitter(contrast=CONTRAST),
    }
    transform = v2.Compose([known[step] for step in case["steps"]])
    batch = torch.from_numpy(images).permute(0, 3, 1, 2)

    def calling(x: torch.Tensor) -> Callable[[], None]:
        def run() -> None:
            torch.stack([transform(one) for one in x]) if case["each"] else transform(x)

        return run

    return faster([calling(batch.contiguous(memory_format=one)) for one in FORMATS])
