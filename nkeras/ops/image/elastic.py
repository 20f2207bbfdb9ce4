"""Elastic deformation: smooth random displacement of pixels."""

from __future__ import annotations

import numpy as np

from nkeras.core.primitive import op, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Seed, TensorLike
from nkeras.ops.elementwise import floor
from nkeras.ops.image.filters import filtered, gaussian
from nkeras.ops.image.layout import as_float, images_and_layout
from nkeras.ops.image.map_coordinates import as_sampled
from nkeras.ops.image.sampling import checked_mode, order_of, sample
from nkeras.ops.random import normal
from nkeras.ops.shape import cast, expand_dims, reshape, transpose


@op
def elastic_transform(
    images: TensorLike,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Seed = None,
    data_format: str | None = None,
) -> Tensor:
    """Images whose pixels are displaced at random, near ones alike.

    Along height and width each, displacements are normally distributed with the standard deviation
    `sigma`, blurred by a Gaussian window of that width, and multiplied by `alpha`.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first, or one image without
            the first axis; any dtype. Integers are rounded, halves away from zero.
        alpha: how strong the deformation is.
        sigma: how smooth it is, in pixels.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: what lies beyond the edges, see `map_coordinates`.
        fill_value: the value for `"constant"`.
        seed: int, SeedGenerator, or None for the global generator.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor of the shape and dtype of `images`.

    Raises:
        ValueError: an argument is wrong.

    Example:
        >>> import nkeras
        >>> nkeras.ops.image.elastic_transform(nkeras.ops.ones((8, 8, 3)), seed=1).shape
        (8, 8, 3)

    Source: Simard, Steinkraus and Platt (2003), "Best practices for convolutional neural networks".
    Keras draws the same numbers for height and width, so that all pixels move along one diagonal;
    here they differ.
    """
    return deformed(
        images,
        alpha,
        sigma,
        float(sigma),
        interpolation=interpolation,
        fill_mode=fill_mode,
        fill_value=fill_value,
        seed=seed,
        data_format=data_format,
    )


def deformed(
    images: TensorLike,
    alpha: float | Tensor,
    sigma: float | Tensor,
    most: float,
    *,
    interpolation: str,
    fill_mode: str,
    fill_value: float,
    seed: Seed,
    data_format: str | None,
) -> Tensor:
    """The same where alpha and sigma may be tensors of rank 0, and sigma is at most so much."""
    order = order_of(interpolation, "elastic_transform")
    mode = checked_mode(fill_mode, "elastic_transform")
    images, layout = images_and_layout(images, data_format, "elastic_transform")
    rank, x = len(images.shape), as_float(images)
    x = x if rank == 4 else expand_dims(x, 0)
    is_first = layout.channels < layout.height
    x = transpose(x, (0, 2, 3, 1)) if is_first else x
    batch, height, width, _ = x.shape
    deviation = cast(to_tensor(sigma), x.dtype)
    moved = normal((batch, height, width, 2), dtype=x.dtype, seed=seed) * deviation
    window = gaussian(int(6 * most) | 1, deviation, floor(3.0 * deviation))
    moved = filtered(moved, window, window, "same") * cast(to_tensor(alpha), x.dtype)
    grid = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"))
    places = transpose(moved, (0, 3, 1, 2)) + to_tensor(grid, x.dtype)
    y = sample(x, places, order=order, mode=mode, fill_value=float(fill_value))
    y = transpose(y, (0, 3, 1, 2)) if is_first else y
    return as_sampled(y if rank == 4 else reshape(y, y.shape[1:]), images.dtype)
