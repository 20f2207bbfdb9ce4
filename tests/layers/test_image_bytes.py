"""Layers for images that keep integers, and rectangles that are pasted without masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from tests.layers.image_cases import COLORS, MIXED, options_of, photos

RECTANGLES: list[tuple[str, dict[str, Any]]] = [
    ("RandomErasing", {}),
    ("RandomErasing", {"fill_value": 7}),
    ("RandomErasing", {"fill_value": (1, 2, 3), "scale": (0.3, 1.0)}),
    ("CutMix", {}),
]


def made(name: str, **options: Any) -> Any:
    return getattr(layers, name)(**options_of(name, **options))


@pytest.mark.parametrize("name", [*COLORS, *MIXED])
def test_integers_are_rounded_results_of_floats(name: str) -> None:
    with nkeras.use_backend("numpy"):
        found = made(name, dtype="uint8")(photos("uint8"), training=True)
        wanted = made(name)(photos("uint8"), training=True).numpy()
        off = made(name, dtype="uint8")(photos("uint8"), training=False)
    assert found.dtype == off.dtype == "uint8"
    limit = 1.0 if name == "RandomGrayscale" else 0.5  # which cuts off what is behind the point
    assert np.abs(found.numpy() - np.clip(wanted, 0.0, 255.0)).max() <= limit + 1e-3


@pytest.mark.parametrize("name", ["RandomInvert", "RandomPosterization"])
def test_bytes_become_what_floats_become(name: str) -> None:
    for backend in ("numpy", "numba_cpu"):
        with nkeras.use_backend(backend):
            found = made(name)(photos("uint8"), training=True)
            wanted = made(name)(photos(), training=True)
            np.testing.assert_array_equal(found.numpy(), wanted.numpy())
            assert found.dtype == "float32"


@pytest.mark.parametrize(("name", "options"), RECTANGLES, ids=str)
@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_rectangles_are_those_of_masks(name: str, options: dict[str, Any], backend: str) -> None:
    with nkeras.use_backend(backend):
        for dtype in ("float32", "float16", "uint8"):
            for layout in ("channels_last", "channels_first"):
                images = photos("uint8")
                images = images if layout == "channels_last" else np.moveaxis(images, -1, 1).copy()
                pair = [made(name, dtype=dtype, data_format=layout, **options) for _ in range(2)]
                found = pair[0](images, training=True).numpy()
                drawn = pair[1].get_random_transformation(images)
                assert drawn["batch_masks"].dtype == "bool"
                wanted = pair[1].transform_images(images, drawn).numpy()
                np.testing.assert_array_equal(
                    found, np.rint(wanted) if dtype == "uint8" else wanted
                )


@pytest.mark.parametrize("name", ["RandomErasing", "CutMix"])
def test_what_a_subclass_draws_is_used(name: str) -> None:
    class Nowhere(getattr(layers, name)):  # type: ignore[misc]
        def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None):
            drawn = super().get_random_transformation(data, training, seed)
            return {**drawn, "batch_masks": np.zeros(drawn["batch_masks"].shape, "bool")}

    found = Nowhere(**options_of(name))(photos(), training=True)
    np.testing.assert_array_equal(found.numpy(), photos())
