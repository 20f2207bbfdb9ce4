"""Images that come back from their patches, as Keras cuts them out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nkeras import layers

_IMAGE = np.random.default_rng(0).standard_normal((2, 7, 8, 3)).astype("float32")
_VOLUME = np.random.default_rng(0).standard_normal((2, 4, 7, 6, 3)).astype("float32")


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("rank", [2, 3])
def test_images_come_back(rank: int, data_format: str, padding: str, oracle: Any) -> None:
    size = (3, 4) if rank == 2 else (2, 3, 2)
    image = _IMAGE if rank == 2 else _VOLUME
    first = data_format == "channels_first"
    given = np.moveaxis(image, -1, 1) if first else image
    patches = oracle.run(
        """
        cut = ops.image.extract_patches if len(size) == 2 else ops.image.extract_patches_3d
        result = cut(image, size, padding=padding, data_format=data_format)
        """,
        **{"image": given, "size": size, "padding": padding, "data_format": data_format},
    )
    sizes = tuple(
        length - (length % patch if padding == "valid" else 0)
        for length, patch in zip(image.shape[1:-1], size, strict=True)
    )
    kind = layers.ReconstructPatches2D if rank == 2 else layers.ReconstructPatches3D
    y = kind(size, sizes, padding=padding, data_format=data_format)(patches).numpy()
    y = np.moveaxis(y, 1, -1) if first else y
    np.testing.assert_array_equal(y, image[(slice(None), *map(slice, sizes))])


def test_wrong_arguments_are_named() -> None:
    for options, named in (
        ({"size": 2, "padding": "same"}, "output_size"),
        ({"size": 2, "strides": 1}, "strides"),
        ({"size": (2, 2, 2)}, "size"),
    ):
        with pytest.raises(ValueError, match=f"ReconstructPatches2D: argument `{named}`"):
            layers.ReconstructPatches2D(**options)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="argument `output_size`"):
        layers.ReconstructPatches2D(2, (5, 4))(np.ones((1, 2, 2, 4), "float32"))
    with pytest.raises(ValueError, match="argument `patches`"):
        layers.ReconstructPatches2D(2)(np.ones((1, 2, 2, 5), "float32"))
