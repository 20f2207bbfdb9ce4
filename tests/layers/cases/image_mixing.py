"""Layers that erase, mix and augment; alike for Keras and us where training is off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.layers.case import Case

SHAPE = (2, 5, 6, 3)
FIRST = (2, 3, 5, 6)
RANGE: dict[str, Any] = {"value_range": (-2, 2)}
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "RandomErasing": [
        {**RANGE, "fill_value": 0.5, "scale": 0.5},
        {"factor": (0.2, 0.7), "scale": (0.1, 0.2), "seed": 3},
    ],
    "MixUp": [{"alpha": 0.5}, {"seed": 3}],
    "CutMix": [{"factor": 0.5}, {"factor": (0.2, 0.7), "seed": 3}],
    "RandAugment": [
        {**RANGE, "num_ops": 3, "factor": (0.1, 0.4)},
        {"factor": 0.3, "interpolation": "nearest", "seed": 3},
    ],
    "AugMix": [
        {**RANGE, "num_chains": 2, "chain_depth": 2, "alpha": 0.5, "factor": (0.1, 0.2)},
        {"all_ops": False, "interpolation": "nearest", "seed": 3},
    ],
}


def cases(long: bool) -> Iterator[Case]:
    still = {"training": False}
    for name, every in OPTIONS.items():
        yield Case(name, every[0], (SHAPE,), random=True, call=still)
        if long:
            yield Case(name, every[1], (SHAPE,), random=True, call=still)
            options = every[0] | {"data_format": "channels_first"}
            yield Case(name, options, (FIRST,), random=True, call=still)
