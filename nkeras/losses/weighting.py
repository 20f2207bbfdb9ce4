"""How per-sample losses become one number: shapes, sample weights, masks, reductions.

Source: https://keras.io/api/losses/
"""

from __future__ import annotations

import math
from typing import Any

from nkeras.core.errors import refuse, short
from nkeras.core.primitive import to_tensor
from nkeras.core.spec import broadcast_shapes
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.elementwise import divide_no_nan, multiply, where_
from nkeras.ops.reduction import mean
from nkeras.ops.reduction import sum as sum_
from nkeras.ops.shape import cast, expand_dims, reshape, squeeze

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def standardize_reduction(reduction: str | None) -> str | None:
    """The reduction itself.

    Raises:
        ValueError: it is none of `REDUCTIONS`.
    """
    if reduction not in REDUCTIONS:
        refuse("reduction", reduction, f"one of {REDUCTIONS}", "Loss")
    return reduction


def squeeze_or_expand_to_same_rank(
    x1: Tensor, x2: Tensor, expand_rank_1: bool = True
) -> tuple[Tensor, Tensor]:
    """Drop or add a last axis of size 1 where the ranks differ by one; `(n,)` becomes `(n, 1)`."""
    rank_1, rank_2 = len(x1.shape), len(x2.shape)
    if rank_1 == rank_2 + 1 and x1.shape[-1] == 1:
        if rank_2 == 1 and expand_rank_1:
            return x1, expand_dims(x2, -1)
        return squeeze(x1, -1), x2
    if rank_2 == rank_1 + 1 and x2.shape[-1] == 1:
        if rank_1 == 1 and expand_rank_1:
            return expand_dims(x1, -1), x2
        return x1, squeeze(x2, -1)
    return x1, x2


def aligned(y_true: TensorLike, y_pred: TensorLike, owner: str) -> tuple[Tensor, Tensor]:
    """Targets and predictions as tensors of one dtype and one shape.

    Ranks that differ by a last axis of size 1 are made equal, and a single number stands for all
    targets. Everything else that would broadcast is refused, because `(n, 1)` against `(n, 2)`
    trains something nobody asked for.

    Raises:
        ValueError: the shapes differ; the message names `owner` and both.
    """
    y_pred = to_tensor(y_pred)
    y_true = cast(to_tensor(y_true), y_pred.dtype)
    y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
    if y_true.shape != y_pred.shape and y_true.shape:
        raise ValueError(
            f"{owner}: `y_true` and `y_pred` must have the same shape (or differ by a last axis of "
            f"size 1). Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
    return y_true, y_pred


def apply_mask(
    sample_weight: TensorLike | None, mask: TensorLike | None, dtype: str, reduction: str | None
) -> Any:
    """Sample weights that are zero where the mask is false; None where there is neither.

    For the mean over the batch, what is valid weighs `total / valid`, so that the mean is taken
    over the valid elements only.
    """
    if mask is None:
        return sample_weight
    weight = cast(to_tensor(mask), dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        share = divide_no_nan(float(math.prod(weight.shape)), sum_(weight))
        weight = where_(cast(weight, "bool"), cast(share, dtype), cast(to_tensor(0.0), dtype))
    if sample_weight is None:
        return weight
    weight, sample_weight = squeeze_or_expand_to_same_rank(
        weight, cast(to_tensor(sample_weight), dtype)
    )
    rank = max(len(weight.shape), len(sample_weight.shape))
    weight, sample_weight = behind(weight, rank), behind(sample_weight, rank)
    try:
        broadcast_shapes(weight.shape, sample_weight.shape)
    except ValueError:
        raise ValueError(
            f"`sample_weight` of shape {sample_weight.shape} does not fit a mask of shape "
            f"{weight.shape}: give one weight for each sample or each element of the mask."
        ) from None
    return multiply(sample_weight, weight)


def behind(weight: Tensor, rank: int) -> Tensor:
    """Weights of leading axes, with axes of size 1 behind them up to a rank."""
    missing = rank - len(weight.shape)
    return reshape(weight, (*weight.shape, *[1] * missing)) if missing > 0 else weight


def along_leading(
    sample_weight: Tensor, shape: tuple[int, ...], owner: str | None = None
) -> Tensor:
    """Weights laid along the leading axes of a shape: `(batch,)` fits `(batch, steps)`.

    As metrics do; losses of Keras 3.15 lay them along the last axes, where sizes are equal by
    chance: https://keras.io/api/losses/#usage-of-losses-with-compile-and-fit

    Raises:
        ValueError: the weights do not fit; the message names `sample_weight` and both shapes.
    """
    given = sample_weight.shape
    if len(given) == len(shape) + 1 and given[-1] == 1:
        sample_weight = squeeze(sample_weight, -1)
    sample_weight = behind(sample_weight, len(shape))
    sizes = zip(sample_weight.shape, shape, strict=False)
    if len(sample_weight.shape) > len(shape) or any(own not in (1, size) for own, size in sizes):
        raise ValueError(
            f"{owner + ': ' if owner else ''}`sample_weight` of shape {short(given)} does not fit "
            "values "
            f"of shape {short(shape)}: give one weight for each sample or value; axes that weights "
            "lack are the last ones, and sizes of 1 are broadcast."
        )
    return sample_weight


def weighted(values: Tensor, sample_weight: Tensor) -> Tensor:
    """The product; weights belong to the leading axes. A single value is weighted by each weight.

    Raises:
        ValueError: the weights do not fit.
    """
    if not values.shape:
        return multiply(values, sample_weight)
    return multiply(values, along_leading(sample_weight, values.shape))


def reduce_values(values: Tensor, sample_weight: Tensor | None, reduction: str | None) -> Tensor:
    """Weighted values to one number; `sample_weight` only counts for `mean_with_sample_weight`."""
    if reduction in (None, "none") or values.shape in ((), (0,)):
        return values
    if reduction == "sum":
        return sum_(values)
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        return divide_no_nan(sum_(values), sum_(sample_weight))
    return mean(values) if math.prod(values.shape) else sum_(values)


def reduce_weighted_values(
    values: TensorLike,
    sample_weight: TensorLike | None = None,
    mask: TensorLike | None = None,
    reduction: str | None = "sum_over_batch_size",
    dtype: str | None = None,
) -> Tensor:
    """Weights and a mask applied to values `(batch, ...)`, then the reduction.

    Args:
        values: tensor of losses.
        sample_weight: None, or weights of the leading axes of `values`; `(batch, 1)` fits
            `(batch,)`.
        mask: None, or a bool tensor: false elements do not count.
        reduction: one of `REDUCTIONS`.
        dtype: dtype to compute in; that of `values` by default.

    Returns:
        Scalar tensor, or one of the shape of `values` for the reduction None.

    Raises:
        ValueError: unknown reduction, or weights that do not fit.
    """
    standardize_reduction(reduction)
    values = to_tensor(values)
    values = values if dtype is None else cast(values, dtype)
    weight = apply_mask(sample_weight, mask, values.dtype, reduction)
    if weight is not None:
        weight = cast(to_tensor(weight), values.dtype)
        values, weight = squeeze_or_expand_to_same_rank(values, weight)
        values = weighted(values, weight)
    return reduce_values(values, weight, reduction)
