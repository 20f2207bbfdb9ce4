"""Rearranging of images: blocks of pixels as channels, windows as columns, and back."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from nkeras.core.config import standardize_data_format
from nkeras.core.errors import refuse, short
from nkeras.core.primitive import op, to_tensor
from nkeras.core.spec import Shape, window_output, window_padding
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.convolution import is_channels_first, to_channels_first, to_channels_last, windows
from nkeras.ops.padding import pad
from nkeras.ops.shape import reshape, slice_, slice_grad, stack, transpose


def _image(
    x: TensorLike, block_size: int, data_format: str | None, owner: str
) -> tuple[Tensor, bool]:
    """An image, and whether its channels come first."""
    x = to_tensor(x)
    if len(x.shape) != 4:
        raise ValueError(f"{owner}: argument `x` must have rank 4. Received shape {x.shape}")
    if isinstance(block_size, bool) or not hasattr(block_size, "__index__") or block_size < 2:
        refuse("block_size", block_size, "an int of at least 2", owner)
    return x, standardize_data_format(data_format, owner) == "channels_first"


@op
def depth_to_space(
    x: TensorLike, block_size: int, data_format: str | None = "channels_last"
) -> Tensor:
    """Channels become blocks of pixels: the inverse of `space_to_depth`, also named pixel shuffle.

    Args:
        x: tensor `(batch, height, width, channels)`, or channels first.
        block_size: int: height and width of a block, at least 2.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor `(batch, height * block_size, width * block_size, channels // block_size**2)`, or
        channels first.

    Raises:
        ValueError: an argument does not fit.

    Example:
        >>> import nkeras
        >>> x = nkeras.ops.reshape(nkeras.ops.arange(4), (1, 1, 1, 4))
        >>> nkeras.ops.depth_to_space(x, 2).numpy()[0, :, :, 0].tolist()
        [[0, 1], [2, 3]]

    Source: https://keras.io/api/ops/nn/
    """
    x, first = _image(x, block_size, data_format, "depth_to_space")
    n, *sizes = x.shape
    channels, height, width = sizes if first else (sizes[2], *sizes[:2])
    if channels % block_size**2:
        expected = f"an int whose square divides the number of channels, {channels}"
        refuse("block_size", block_size, expected, "depth_to_space")
    depth, high, wide = channels // block_size**2, height * block_size, width * block_size
    if first:
        apart = reshape(x, (n, depth, block_size, block_size, height, width))
        return reshape(transpose(apart, (0, 1, 4, 2, 5, 3)), (n, depth, high, wide))
    apart = reshape(x, (n, height, width, block_size, block_size, depth))
    return reshape(transpose(apart, (0, 1, 3, 2, 4, 5)), (n, high, wide, depth))


@op
def space_to_depth(
    x: TensorLike, block_size: int, data_format: str | None = "channels_last"
) -> Tensor:
    """Blocks of pixels become channels: the inverse of `depth_to_space`.

    Args:
        x: tensor `(batch, height, width, channels)`, or channels first.
        block_size: int: height and width of a block, at least 2.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor `(batch, height // block_size, width // block_size, channels * block_size**2)`, or
        channels first.

    Raises:
        ValueError: an argument does not fit.

    Example:
        >>> import nkeras
        >>> x = nkeras.ops.reshape(nkeras.ops.arange(4), (1, 2, 2, 1))
        >>> nkeras.ops.space_to_depth(x, 2).numpy().ravel().tolist()
        [0, 1, 2, 3]

    Source: https://keras.io/api/ops/nn/
    """
    x, first = _image(x, block_size, data_format, "space_to_depth")
    n, *sizes = x.shape
    channels, height, width = sizes if first else (sizes[2], *sizes[:2])
    if height % block_size or width % block_size:
        expected = f"a divisor of height and width, {height} and {width}"
        refuse("block_size", block_size, expected, "space_to_depth")
    low, narrow, depth = height // block_size, width // block_size, channels * block_size**2
    if first:
        apart = reshape(x, (n, channels, low, block_size, narrow, block_size))
        return reshape(transpose(apart, (0, 1, 3, 5, 2, 4)), (n, depth, low, narrow))
    apart = reshape(x, (n, low, block_size, narrow, block_size, channels))
    return reshape(transpose(apart, (0, 1, 3, 2, 4, 5)), (n, low, narrow, depth))


class _Windows:
    """Windows of an image `(height, width)`, as `unfold` and `fold` describe them."""

    def __init__(
        self,
        sizes: Shape,
        kernel_size: int | Sequence[int],
        dilation: int | Sequence[int],
        padding: int | Sequence[int],
        stride: int | Sequence[int],
        owner: str,
    ) -> None:
        self.size = windows(kernel_size, 2, "kernel_size")
        self.dilation = windows(dilation, 2, "dilation")
        self.padding = windows(padding, 2, "padding", least=0)
        self.stride = windows(stride, 2, "stride")
        self.padded = tuple(size + 2 * more for size, more in zip(sizes, self.padding, strict=True))
        self.counts = tuple(
            window_output(size, k, step, (0, 0), rate)
            for size, k, step, rate in zip(
                self.padded, self.size, self.stride, self.dilation, strict=True
            )
        )
        if min(self.counts) < 1:
            raise ValueError(
                f"{owner}: windows of size {self.size} with dilation {self.dilation} do not fit "
                f"into an image of size {short(sizes)} with padding {self.padding}."
            )

    def cells(self) -> list[tuple[tuple[int, int, int], ...]]:
        """For each cell of a window, row by row, the slices of the padded image that it meets."""
        return [
            tuple(
                (i * rate, i * rate + (count - 1) * step + 1, step)
                for i, rate, count, step in zip(
                    place, self.dilation, self.counts, self.stride, strict=True
                )
            )
            for place in itertools.product(*map(range, self.size))
        ]


@op
def unfold(
    x: TensorLike,
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """The windows of an image as columns: im2col.

    Args:
        x: tensor `(batch, channels, height, width)`.
        kernel_size: int or (height, width) of a window.
        dilation: distance of a window's cells: int or two ints.
        padding: zeros around the image, on both sides: int or two ints.
        stride: distance of windows: int or two ints.

    Returns:
        Tensor `(batch, channels * height * width of a window, windows)`.

    Raises:
        ValueError: an argument does not fit.

    Example:
        >>> import nkeras
        >>> nkeras.ops.unfold(nkeras.ops.ones((1, 2, 4, 4)), 2, stride=2).shape
        (1, 8, 4)

    Source: https://keras.io/api/ops/nn/
    """
    x = to_tensor(x)
    if len(x.shape) != 4:
        raise ValueError(f"unfold: argument `x` must have rank 4. Received shape {x.shape}")
    of = _Windows(x.shape[2:], kernel_size, dilation, padding, stride, "unfold")
    n, channels = x.shape[:2]
    if max(of.padding):
        x = pad(x, ((0, 0), (0, 0), *((more, more) for more in of.padding)))
    whole = (0, n, 1), (0, channels, 1)
    met = [slice_(x, index=(*whole, *cell)) for cell in of.cells()]
    return reshape(stack(met, axis=2), (n, channels * math.prod(of.size), math.prod(of.counts)))


@op
def fold(
    x: TensorLike,
    output_size: int | Sequence[int],
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """An image as the sum of its windows: col2im, the transpose of `unfold`.

    Args:
        x: tensor `(batch, channels * height * width of a window, windows)`.
        output_size: int or (height, width) of the image.
        kernel_size: int or (height, width) of a window.
        dilation: distance of a window's cells: int or two ints.
        padding: zeros that were around the image, on both sides: int or two ints.
        stride: distance of windows: int or two ints.

    Returns:
        Tensor `(batch, channels, *output_size)`.

    Raises:
        ValueError: an argument does not fit.

    Example:
        >>> import nkeras
        >>> windows = nkeras.ops.unfold(nkeras.ops.ones((1, 2, 4, 4)), 2, stride=2)
        >>> nkeras.ops.fold(windows, 4, 2, stride=2).shape
        (1, 2, 4, 4)

    Source: https://keras.io/api/ops/nn/
    """
    x = to_tensor(x)
    if len(x.shape) != 3:
        raise ValueError(f"fold: argument `x` must have rank 3. Received shape {x.shape}")
    sizes = windows(output_size, 2, "output_size")
    of = _Windows(sizes, kernel_size, dilation, padding, stride, "fold")
    cells, count = math.prod(of.size), math.prod(of.counts)
    n, depth = x.shape[:2]
    if depth % cells or x.shape[2] != count:
        raise ValueError(
            f"fold: argument `x` must have shape (batch, channels * {cells}, {count}) for these "
            f"sizes. Received shape {x.shape}"
        )
    channels = depth // cells
    apart = reshape(x, (n, channels, cells, *of.counts))
    whole = (0, n, 1), (0, channels, 1)
    shape = (n, channels, *of.padded)
    total = None
    for number, cell in enumerate(of.cells()):
        met = reshape(apart[:, :, number], (n, channels, *of.counts))
        spread = slice_grad(met, shape=shape, index=(*whole, *cell))
        total = spread if total is None else total + spread
    assert total is not None
    inner = [(more, more + size, 1) for more, size in zip(of.padding, sizes, strict=True)]
    return slice_(total, index=(*whole, *inner)) if max(of.padding) else total


@op
def reconstruct_patches(
    patches: TensorLike,
    size: Sequence[int],
    output_size: Sequence[int] | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """Images of patches that lie side by side: the inverse of `ops.image.extract_patches`.

    Args:
        patches: tensor `(batch, *grid, prod(size) * channels)`, or channels first.
        size: sizes of a patch: two int, or for volumes three.
        output_size: sizes of the images; those of the grid of patches by default.
        padding: `"valid"`, or `"same"` where the images were padded to whole patches.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor `(batch, *output_size, channels)`, or channels first.

    Raises:
        ValueError: an argument does not fit.

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.reshape(nkeras.ops.arange(16), (1, 4, 4, 1))
        >>> patches = nkeras.ops.image.extract_patches(image, 2)
        >>> bool(nkeras.ops.all(reconstruct_patches(patches, (2, 2)) == image))
        True
    """
    patches = to_tensor(patches)
    first = is_channels_first(data_format, "reconstruct_patches")
    x = to_channels_last(patches) if first else patches
    rank, grid, cells = len(size), x.shape[1:-1], math.prod(size)
    if len(grid) != rank or x.shape[-1] % cells:
        raise ValueError(
            f"reconstruct_patches: argument `patches` must have {rank} sizes of a grid, and the "
            f"elements of patches of size {tuple(size)}. Received shape {patches.shape}"
        )
    covered = tuple(count * length for count, length in zip(grid, size, strict=True))
    wanted = covered if output_size is None else tuple(output_size)
    pads = window_padding(padding, wanted, tuple(size), tuple(size), (1,) * rank)
    if tuple(low + length + high for length, (low, high) in zip(wanted, pads, strict=True)) != (
        covered
    ):
        expected = f"the sizes that a grid of {tuple(grid)} patches of size {tuple(size)} covers"
        refuse("output_size", output_size, expected, "reconstruct_patches")
    apart = reshape(x, (x.shape[0], *grid, *size, x.shape[-1] // cells))
    pairs = [axis for i in range(rank) for axis in (1 + i, 1 + rank + i)]
    joined = transpose(apart, (0, *pairs, 1 + 2 * rank))
    y = reshape(joined, (x.shape[0], *covered, x.shape[-1] // cells))
    if wanted != covered:
        inner = [(low, low + length, 1) for (low, _), length in zip(pads, wanted, strict=True)]
        y = slice_(y, index=((0, y.shape[0], 1), *inner, (0, y.shape[-1], 1)))
    return to_channels_first(y) if first else y
