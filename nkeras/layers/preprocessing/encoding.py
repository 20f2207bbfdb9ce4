"""Indices of categories as layers give them: as they are, as zeros and ones, or counted."""

from __future__ import annotations

from nkeras import ops
from nkeras.core import dtypes
from nkeras.core.errors import refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike
from nkeras.ops.indexing import take_along_axis_grad

OUTPUT_MODES = ("int", "one_hot", "multi_hot", "count")


def check_sparse(sparse: object, owner: str) -> None:
    """Refuse sparse results by name."""
    if sparse:
        raise ValueError(
            f"{owner}: argument `sparse` must be False: nkeras has no sparse tensors. "
            f"Received: sparse={sparse!r}"
        )


def encoded(
    indices: Tensor,
    output_mode: str,
    depth: int,
    dtype: DTypeLike,
    count_weights: Tensor | None = None,
) -> Tensor:
    """Indices in `[0, depth)` in one of the forms that layers for categories have.

    Args:
        indices: integer tensor. For `"multi_hot"` and `"count"` axis 1 holds the categories of a
            sample, or axis 0 where there is no other.
        output_mode: `"int"` (the indices), `"one_hot"` (a vector for each, in the last axis or in
            place of a last axis of size 1), `"multi_hot"` (one vector for a sample, 1 for each
            category in it) or `"count"` (how often each occurs).
        depth: number of categories; an index out of range has no place in a vector.
        dtype: of the result.
        count_weights: what each category counts, in place of 1, of the shape of `indices`.

    Returns:
        Tensor of the shape of `indices`, or one whose last axis has the size `depth`.
    """
    if output_mode not in OUTPUT_MODES:
        refuse("output_mode", output_mode, f"one of {OUTPUT_MODES}", "encoded")
    if output_mode == "int":
        return ops.cast(indices, dtype)
    if output_mode == "one_hot" or not indices.shape:
        if len(indices.shape) > 1 and indices.shape[-1] == 1:
            indices = ops.squeeze(indices, -1)
        return ops.one_hot(indices, depth, dtype=dtype)
    counts = _counts(ops.cast(indices, "int32"), depth, dtypes.standardize(dtype), count_weights)
    return ops.cast(counts if output_mode == "count" else ops.greater(counts, 0), dtype)


def _counts(indices: Tensor, depth: int, dtype: str, weights: Tensor | None) -> Tensor:
    """How often each index occurs along axis 1, or 0; no vector for each of them is made."""
    axis = min(1, len(indices.shape) - 1)
    wide = dtype if dtype == "float64" else "float32"
    ones = ops.ones_like(indices, wide) if weights is None else ops.cast(weights, wide)
    known = ops.logical_and(ops.greater_equal(indices, 0), ops.less(indices, depth))
    added = take_along_axis_grad(  # zeros, to which these are added at their places
        ops.where(known, ones, 0.0),
        ops.where(known, indices, 0),
        shape=(*indices.shape[:axis], depth, *indices.shape[axis + 1 :]),
        axis=axis,
    )
    return ops.moveaxis(added, axis, -1)
