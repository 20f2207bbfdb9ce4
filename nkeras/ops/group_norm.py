"""Normalization of groups of channels, on the kernels of layer normalization."""

from __future__ import annotations

import math

from nkeras.core import dtypes
from nkeras.core.primitive import op
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.layer_norm import layer_norm
from nkeras.ops.shape import cast, reshape, transpose


@op
def group_normalization(
    x: Tensor,
    gamma: TensorLike | None,
    beta: TensorLike | None,
    *,
    groups: int,
    axis: int,
    epsilon: float,
) -> Tensor:
    """Mean 0 and variance 1 in each group of channels of a sample, then `* gamma + beta`.

    Args:
        x: tensor `(batch, ...)`.
        gamma: vector of the channels, or None.
        beta: vector of the channels, or None.
        groups: number of groups, which divides the number of channels.
        axis: where the channels lie, from 1.
        epsilon: added to the variance.

    Returns:
        Tensor of the shape and dtype of `x`, computed in float32 at least.

    Source: https://arxiv.org/abs/1803.08494
    """
    wide = cast(x, dtypes.result_type(x.dtype, "float32"))
    if 0 in x.shape:
        return wide
    batch, channels = x.shape[0], x.shape[axis]
    before, behind = math.prod(x.shape[1:axis]), math.prod(x.shape[axis + 1 :])
    split = reshape(wide, (batch, before, groups, channels // groups, behind))
    grouped = split if before == 1 else transpose(split, (0, 2, 1, 3, 4))
    rows = reshape(grouped, (batch * groups, before * channels // groups * behind))
    y = reshape(layer_norm(rows, None, None, epsilon=epsilon)[0], grouped.shape)
    y = reshape(y if before == 1 else transpose(y, (0, 2, 1, 3, 4)), x.shape)
    along = [channels if i == axis else 1 for i in range(len(x.shape))]
    y = y if gamma is None else y * reshape(cast(gamma, y.dtype), along)
    y = y if beta is None else y + reshape(cast(beta, y.dtype), along)
    return cast(y, x.dtype)
