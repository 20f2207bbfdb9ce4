"""What the operations on images ask of their arguments: rank, layout, dtypes."""

from __future__ import annotations

from typing import NamedTuple

from nkeras.core import config, dtypes
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.elementwise import rint
from nkeras.ops.numeric import saturate_cast
from nkeras.ops.shape import cast


class Layout(NamedTuple):
    """Which axes of images are which."""

    height: int
    width: int
    channels: int


def images_and_layout(
    images: TensorLike, data_format: str | None, owner: str
) -> tuple[Tensor, Layout]:
    """One image or a batch of images as tensor, and where its axes are.

    Raises:
        ValueError: the rank is neither 3 nor 4, or `data_format` is unknown.
    """
    images = to_tensor(images)
    rank = len(images.shape)
    if rank not in (3, 4):
        raise ValueError(
            f"{owner}: argument `images` must have rank 3 (one image) or 4 (a batch of images). "
            f"Received shape {images.shape}"
        )
    if config.standardize_data_format(data_format, owner) == "channels_last":
        return images, Layout(rank - 3, rank - 2, rank - 1)
    return images, Layout(rank - 2, rank - 1, rank - 3)


def as_float(images: Tensor) -> Tensor:
    """Images in the dtype that they are computed in: half types and integers in a wider one."""
    if images.dtype == "float64":
        return images
    return cast(images, "float32")


def as_before(images: Tensor, dtype: str) -> Tensor:
    """Computed images in the dtype they had: integers are rounded, and kept in their range."""
    if images.dtype == dtype:
        return images
    if dtypes.is_floating(dtype):
        return cast(images, dtype)
    return saturate_cast(rint(images) if dtype != "bool" else images, dtype)
