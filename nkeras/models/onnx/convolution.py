"""Convolutions, transposed ones, and blocks of pixels as channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras import layers, ops
from nkeras.core.errors import cut_text, short
from nkeras.core.spec import Pairs
from nkeras.models.onnx.table import Call, operator
from nkeras.models.onnx.values import Traced, Value
from nkeras.models.onnx.windows import layout, windows, zero_padded

_MOST_GROUPS = 1024


@operator("Conv")
def _conv(call: Call) -> Value:
    if isinstance(call.value(1), Traced):
        return _computed_kernel(call)
    x, kernel = call.traced(0), call.weight(1)
    if x.rank < 3 or kernel.ndim != x.rank or not kernel.size:
        call.fail(f"an input of rank {x.rank} and weights of shape {short(kernel.shape)}.")
    found = windows(call, x, tuple(kernel.shape[2:]))
    filters, group_channels = kernel.shape[:2]
    groups = call.integer("group", 1)
    channels = x.sizes[1]
    if groups < 1 or channels != group_channels * groups or filters % groups:
        call.fail(
            f"its input has {cut_text(str(channels))} channels, the weights have shape "
            f"{short(kernel.shape)}, in {groups} groups."
        )
    tensor, padding = x.last, found.padding
    if padding is None:
        assert found.pads is not None
        tensor, padding = zero_padded(call, tensor, found.pads), "valid"
    arguments: dict[str, Any] = {
        "kernel_size": found.size,
        "strides": found.strides,
        "padding": padding,
        "dilation_rate": found.dilation,
        "data_format": "channels_last",
        "use_bias": call.has(2),
    }
    turned = np.moveaxis(kernel, (0, 1), (-1, -2))  # space, channels, filters
    if groups == channels and groups > 1 and found.rank < 3:
        make = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)[found.rank - 1]
        multiplier = filters // groups
        arguments["depth_multiplier"] = multiplier
        turned = turned.reshape((*found.size, groups, multiplier))
    else:
        make = (layers.Conv1D, layers.Conv2D, layers.Conv3D)[found.rank - 1]
        arguments |= {"filters": filters, "groups": groups}
    weights = {"kernel": (1, turned)}
    if call.has(2):
        weights["bias"] = (2, call.vector(2, filters))
    y = call.builder.layer(call, make, arguments, tensor, weights, x.dtype)
    return call.made(y, channels_last=True, like=[x])


def _computed_kernel(call: Call) -> Value:
    """A convolution whose kernel is no weight."""
    x, kernel = call.traced(0), call.traced(1)
    if x.rank < 3 or kernel.rank != x.rank:
        call.fail(f"an input of rank {x.rank} and a kernel of rank {kernel.rank}.")
    size = [length for length in kernel.sizes[2:] if isinstance(length, int)]
    if len(size) != x.rank - 2:
        call.fail("the size of its kernel is open.")
    found = windows(call, x, tuple(size))
    tensor, padding = x.last, found.padding
    if padding is None:
        assert found.pads is not None
        tensor, padding = zero_padded(call, tensor, found.pads), "valid"
    turned = ops.transpose(kernel.first, (*range(2, x.rank), 1, 0))
    y = ops.conv(tensor, turned, found.strides, padding, "channels_last", found.dilation)
    if call.has(2):
        y = ops.add(y, call.operand(2))
    return call.made(y, channels_last=True, like=[x])


@operator("ConvTranspose")
def _conv_transpose(call: Call) -> Value:
    x, kernel = call.traced(0), call.weight(1)
    if x.rank < 3 or kernel.ndim != x.rank or not kernel.size:
        call.fail(f"an input of rank {x.rank} and weights of shape {short(kernel.shape)}.")
    rank, groups = x.rank - 2, call.integer("group", 1)
    channels, filters = kernel.shape[:2]
    if x.sizes[1] != channels or groups < 1 or channels % groups or groups > _MOST_GROUPS:
        call.fail(
            f"its input has {cut_text(str(x.sizes[1]))} channels, the weights have shape "
            f"{short(kernel.shape)}, in {groups} groups."
        )
    strides, dilation, extra, crops = _transposed_geometry(call, x, kernel.shape[2:])
    bias = call.vector(2, filters * groups) if call.has(2) else None
    make = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)[rank - 1]
    arguments: dict[str, Any] = {
        "filters": filters,
        "kernel_size": tuple(kernel.shape[2:]),
        "strides": strides,
        "output_padding": extra,
        "dilation_rate": dilation,
        "data_format": "channels_last",
        "use_bias": bias is not None,
    }
    turned = np.moveaxis(kernel, (0, 1), (-1, -2))  # space, filters, channels
    parts = [x.last] if groups == 1 else ops.split(x.last, groups, axis=-1)
    made: list[Any] = []
    for group, part in enumerate(parts):
        step = channels // groups
        weights = {"kernel": (1, turned[..., group * step : (group + 1) * step])}
        if bias is not None:
            weights["bias"] = (2, bias[group * filters : (group + 1) * filters])
        made.append(call.builder.layer(call, make, arguments, part, weights, x.dtype, group))
    y = made[0] if groups == 1 else ops.concatenate(made, axis=-1)
    if any(map(any, crops)):
        crop = (layers.Cropping1D, layers.Cropping2D, layers.Cropping3D)[rank - 1]
        amount: Any = crops[0] if rank == 1 else crops
        y = crop(amount, name=call.layer_name("_crop"), dtype=x.dtype, **layout(rank))(y)
    return call.made(y, channels_last=True, like=[x])


def _transposed_geometry(
    call: Call, x: Traced, size: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], Pairs]:
    """Strides, dilation, output padding, and what is cut off at the ends."""
    found = windows(call, x, tuple(size))
    extra = tuple(call.integers("output_padding") or (0,) * found.rank)
    if len(extra) != found.rank or min(extra) < 0:
        call.fail(f"`output_padding` must be {found.rank} sizes, not {short(extra)}.")
    wanted = call.integers("output_shape")
    mode = call.text("auto_pad", "NOTSET")
    crops = found.pads
    if wanted is not None or mode.startswith("SAME"):
        pairs: list[tuple[int, int]] = []
        for i in range(found.rank):
            length, step = x.sizes[2 + i], found.strides[i]
            reach = (size[i] - 1) * found.dilation[i] + 1
            if wanted is None:
                total = reach - step + extra[i]
            elif isinstance(length, int) and len(wanted) == found.rank:
                total = step * (length - 1) + extra[i] + reach - wanted[i]
            else:
                call.fail("`output_shape` needs known sizes of the image.")
            total = max(total, 0)
            small = total // 2
            is_upper = mode == "SAME_UPPER"
            pairs.append((small, total - small) if is_upper else (total - small, small))
        crops = tuple(pairs)
    assert crops is not None
    if any(e >= s for e, s in zip(extra, found.strides, strict=True)):
        call.fail("`output_padding` must be less than the strides.")
    return found.strides, found.dilation, extra, crops


@operator("DepthToSpace", "SpaceToDepth")
def _blocks(call: Call) -> Value:
    x, block = call.traced(), call.integer("blocksize", 0)
    if x.rank != 4 or block < 1:
        call.fail("it needs an image and a block size of at least 1.")
    if block == 1:
        return x
    if call.operator == "SpaceToDepth":
        y = ops.space_to_depth(x.last, block, "channels_last")
    elif call.text("mode", "DCR") == "DCR":
        y = ops.depth_to_space(x.last, block, "channels_last")
    else:
        y = _depth_columns_rows(call, x, block)
    return call.made(y, channels_last=True, like=[x])


def _depth_columns_rows(call: Call, x: Traced, block: int) -> Any:
    """Mode CRD: a channel's blocks lie side by side; so the channels are put into DCR's order."""
    channels = x.sizes[1]
    if not isinstance(channels, int) or channels % block**2:
        call.fail(f"{cut_text(str(channels))} channels cannot become blocks of {block}.")
    order = np.arange(channels).reshape((-1, block * block)).T.reshape(-1)
    return ops.depth_to_space(ops.take(x.last, order.astype("int32"), axis=-1), block)
