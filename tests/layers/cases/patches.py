"""Images put together from patches, which Keras has after 3.15."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case


def cases(long: bool) -> Iterator[Case]:
    same = {"size": 3, "strides": 3, "output_size": (7, 5), "padding": "same"}
    volume = {"size": 2, "strides": 2, "output_size": (3, 5, 2), "padding": "same"}
    for name, options, shape in (
        ("ReconstructPatches2D", {"size": (2, 3)}, (2, 3, 2, 12)),
        ("ReconstructPatches2D", same, (2, 3, 2, 9)),
        ("ReconstructPatches2D", {"size": 2, "data_format": "channels_first"}, (2, 8, 2, 3)),
        ("ReconstructPatches3D", {"size": 2, "data_format": "channels_first"}, (2, 8, 2, 3, 1)),
        ("ReconstructPatches3D", volume, (2, 2, 3, 1, 16)),
    ):
        yield Case(name, options, (shape,), in_keras=False)
