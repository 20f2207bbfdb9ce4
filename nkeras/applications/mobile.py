"""What the MobileNets and their heirs share: sizes of weights, and of layers."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras import layers
from nkeras.applications.architecture import Request
from nkeras.applications.images import given_shape, image_input, is_channels_first, sides_of
from nkeras.core.errors import warn
from nkeras.core.graph import KerasTensor
from nkeras.core.typing import InitializerLike, Pairs


def sizes_of_weights(
    request: Request, sizes: Sequence[int], also_of_tensor: bool = False
) -> tuple[int, int | None]:
    """Which height the weights have, of several that there are weights for.

    Args:
        request: what the caller asked for.
        sizes: heights for which there are weights; the last one is that of most models.
        also_of_tensor: whether the size of `input_tensor` counts where there is no `input_shape`.

    Returns:
        The height by default, and that of the model: None where it is unknown, but with the
        weights of ImageNet a height that there are weights for.
    """
    sides: tuple[int | None, int | None] = (None, None)
    if request.input_shape is not None:
        sides = sides_of(given_shape(request))
    elif also_of_tensor and request.input_tensor is not None:
        sides = sides_of(image_input(request, ()).shape[1:])
    size = sides[0] if sides[0] == sides[1] and sides[0] in sizes else None
    if request.input_shape is None:
        side = (size or sizes[-1]) if request.include_top else None
        sides = (side, side)
    if request.is_imagenet and not (sides[0] == sides[1] and sides[0] in sizes):
        warn(
            f"{request.owner}: there are no weights for images of this size, only for squares of "
            f"{', '.join(map(str, sizes))}. Those for {sizes[-1]} are taken."
        )
        return size or sizes[-1], sizes[-1]
    return size or sizes[-1], sides[0]


def divisible(count: float, divisor: int = 8, least: int | None = None) -> int:
    """A number of filters near to the one given, and a multiple of 8, rounded down by 10% at most.

    Args:
        count: how many it would be.
        divisor: of which it shall be a multiple.
        least: smallest result; `divisor` by default.
    """
    rounded = max(least or divisor, int(count + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * count else rounded


def padding_before_halving(x: KerasTensor, kernel_size: int) -> Pairs:
    """Zeros around an image, so that a convolution with stride 2 sees it as its authors did.

    Args:
        x: `(batch, height, width, channels)`, or channels first.
        kernel_size: height and width of the convolution.

    Returns:
        How many rows above and below, and how many columns left and right: one less where the size
        is even or unknown.
    """
    half = kernel_size // 2
    height, width = x.shape[2:] if is_channels_first() else x.shape[1:3]
    first = (1, 1) if height is None else (1 - height % 2, 1 - width % 2)
    return ((half - first[0], half), (half - first[1], half))


def halved_depthwise(
    x: KerasTensor,
    kernel_size: int,
    stride: int,
    pad_name: str,
    name: str,
    depthwise_initializer: InitializerLike = "glorot_uniform",
) -> KerasTensor:
    """A depthwise convolution, with zeros of our own around the image where the stride is 2."""
    if stride == 2:
        x = layers.ZeroPadding2D(padding_before_halving(x, kernel_size), name=pad_name)(x)
    return layers.DepthwiseConv2D(
        kernel_size,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        depthwise_initializer=depthwise_initializer,
        name=name,
    )(x)
