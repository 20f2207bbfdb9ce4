"""Some images of a batch flipped, in one pass and in another dtype."""

from __future__ import annotations

import math

from nkeras.core.primitive import primitive, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.arranging import flip
from nkeras.ops.elementwise import where_
from nkeras.ops.image.layout import images_and_layout
from nkeras.ops.shape import broadcast_to, cast, reshape


@primitive(flat=("flips",))
def flip_images(x: Typed, flips: Typed, *, axes: tuple[int, ...], dtype: str) -> Spec:
    """Images `(batch, planes, height, width, channels)`, some of them flipped along axes 2 or 3.

    flips is of bool, `(batch,)`; the result has another dtype.
    """
    return Spec(x.shape, dtype)


@flip_images.decomposition
def _(x: Tensor, flips: Tensor, axes: tuple[int, ...], dtype: str) -> Tensor:
    which = reshape(flips, (-1, 1, 1, 1, 1))
    return cast(where_(which, flip(x, axes), x), dtype)


@flip_images.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, flips: Tensor, axes: tuple[int, ...]) -> Tensor:
    return flip_images(grad_y, flips, axes=axes, dtype=x_spec.dtype)


def flipped(
    images: TensorLike,
    flips: TensorLike,
    horizontal: bool,
    vertical: bool,
    dtype: str,
    data_format: str,
) -> Tensor:
    """Images, or one, of which those where flips is true are flipped, in a dtype.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first, or one image.
        flips: tensor of bool with one element for each image, or for all of them.
        horizontal: whether left and right are exchanged.
        vertical: whether top and bottom are.
        dtype: of the result.
        data_format: `"channels_last"` or `"channels_first"`.
    """
    images, layout = images_and_layout(images, data_format, "flip")
    shape = images.shape
    batch = shape[0] if len(shape) == 4 else 1
    which = reshape(cast(to_tensor(flips), "bool"), (-1,))
    which = which if which.shape[0] == batch else broadcast_to(which, (batch,))
    planes = shape[layout.channels] if layout.channels < layout.height else 1
    size = shape[layout.height], shape[layout.width]
    channels = math.prod(shape) // max(1, batch * planes * math.prod(size))
    x = reshape(images, (batch, planes, *size, channels))
    axes = *((2,) if vertical else ()), *((3,) if horizontal else ())
    return reshape(flip_images(x, which, axes=axes, dtype=dtype), shape)
