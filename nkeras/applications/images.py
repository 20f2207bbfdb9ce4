"""The images that an architecture begins with: their shape, and the symbolic tensor."""

from __future__ import annotations

from typing import Any

from nkeras import config, layers
from nkeras.applications.architecture import Request
from nkeras.core.errors import refuse, short, warn
from nkeras.core.graph import KerasTensor, is_keras_tensor
from nkeras.core.typing import PartialShape


def is_channels_first() -> bool:
    """Whether images are `(channels, height, width)`."""
    return config.image_data_format() == "channels_first"


def channels_of(shape: PartialShape) -> int | None:
    """The number of channels of `(height, width, channels)`, or of channels first."""
    return shape[0] if is_channels_first() else shape[-1]


def sides_of(shape: PartialShape) -> tuple[int | None, int | None]:
    """Height and width of a shape without its batch axis."""
    height, width = shape[1:] if is_channels_first() else shape[:2]
    return height, width


def with_channels(height: int | None, width: int | None, channels: int | None) -> PartialShape:
    """The shape of an image."""
    return (channels, height, width) if is_channels_first() else (height, width, channels)


def channel_axis() -> int:
    """The axis of the channels in a batch of images: 3 or 1."""
    return 1 if is_channels_first() else 3


def last_axis() -> int:
    """The same as -1 or 1, as some families of Keras have it in their configurations."""
    return 1 if is_channels_first() else -1


def needs_channels_last(request: Request) -> None:
    """Refuse channels first, in families that Keras does not offer so.

    Raises:
        ValueError: `nkeras.config.image_data_format()` is `"channels_first"`.
    """
    if is_channels_first():
        raise ValueError(
            f"{request.owner} does not support the image data format 'channels_first'. Call "
            "nkeras.config.set_image_data_format('channels_last') before."
        )


def image_shape(request: Request, size: int, smallest: int = 32) -> PartialShape:
    """The shape of an image: the caller's, or that of the architecture.

    Args:
        request: what the caller asked for.
        size: height and width of the images that the weights were trained with.
        smallest: least height and width.

    Raises:
        ValueError: the caller's shape is none of an image, too small, or not what the classifier
            or the weights of ImageNet need.
    """
    given = None if request.input_shape is None else given_shape(request)
    channels = 3 if given is None or request.is_imagenet else channels_of(given)
    default = with_channels(size, size, channels)
    if request.is_imagenet and given is not None and channels_of(given) != 3:
        refuse("input_shape", given, "of 3 channels with `weights='imagenet'`", request.owner)
    if request.is_imagenet and request.include_top:
        if given not in (None, default):
            expected = f"{default} with `include_top=True` and `weights='imagenet'`"
            refuse("input_shape", given, expected, request.owner)
        return default
    if given is None:
        return default if request.include_top else with_channels(None, None, channels)
    if channels not in (1, 3):
        warn(
            f"{request.owner} usually has images of 1 or 3 channels. Received: input_shape={given}"
        )
    check_size(request, given, smallest)
    if request.include_top and None in given:
        raise ValueError(
            f"{request.owner}: argument `input_shape` must have no None with `include_top=True`. "
            f"Received: {given}"
        )
    return given


def given_shape(request: Request) -> PartialShape:
    """The argument `input_shape` as a tuple.

    Raises:
        ValueError: it is not three positive integers or None.
    """
    given: Any = request.input_shape
    sizes = tuple(given) if isinstance(given, (tuple, list)) else ()
    if len(sizes) != 3 or not all(_is_size(size) for size in sizes):
        expected = "a tuple of three integers, such as (224, 224, 3)"
        refuse("input_shape", given, expected, request.owner)
    return sizes


def _is_size(size: object) -> bool:
    return size is None or (isinstance(size, int) and not isinstance(size, bool) and size > 0)


def check_size(request: Request, shape: PartialShape, smallest: int) -> None:
    """Refuse images that are too small to be halved as often as the architecture does.

    Raises:
        ValueError: height or width is less than `smallest`.
    """
    if any(side is not None and side < smallest for side in sides_of(shape)):
        raise ValueError(
            f"{request.owner}: argument `input_shape` must have a height and width of at least "
            f"{smallest}. Received: {shape}"
        )


def image_input(request: Request, shape: PartialShape) -> KerasTensor:
    """The caller's symbolic tensor, or an input of that shape.

    Raises:
        ValueError: `input_tensor` is no symbolic tensor of images.
    """
    given = request.input_tensor
    if given is None:
        return layers.Input(shape)
    if not is_keras_tensor(given) or len(given.shape) != 4:
        raise ValueError(
            f"{request.owner}: argument `input_tensor` must be a symbolic tensor of images, such "
            f"as nkeras.Input((224, 224, 3)). Received: {short(given)}"
        )
    return given


def check_agreement(request: Request) -> None:
    """Refuse an `input_shape` of another height or width than `input_tensor` has.

    Raises:
        ValueError: they differ.
    """
    if request.input_tensor is None or request.input_shape is None:
        return
    asked, found = given_shape(request), image_input(request, ()).shape
    if sides_of(asked) != sides_of(found[1:]):
        raise ValueError(
            f"{request.owner}: argument `input_shape` must be that of `input_tensor`, "
            f"{tuple(found[1:])}. Received: {asked}"
        )
