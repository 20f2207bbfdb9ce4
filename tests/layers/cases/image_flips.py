"""Images flipped."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case

STILL = {"training": False}


def cases(long: bool) -> Iterator[Case]:
    yield Case("RandomFlip", {}, ((2, 4, 5, 3),), random=True, call=STILL)
    options = {"mode": "vertical", "seed": 3, "data_format": "channels_first"}
    yield Case("RandomFlip", options, ((2, 3, 4, 5),), random=True, call=STILL)
