"""Indices of categories as layers give them: as they are, as zeros and ones, or counted."""

from __future__ import annotations

from nkeras import ops
from nkeras.core.errors import refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike

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
    rank = len(indices.shape)
    if output_mode == "multi_hot" and rank:
        return ops.multi_hot(indices, depth, dtype=dtype)
    if output_mode == "one_hot" and rank > 1 and indices.shape[-1] == 1:
        indices = ops.squeeze(indices, -1)
    vectors = ops.one_hot(indices, depth, dtype=dtype)
    if output_mode != "count":
        return vectors
    if count_weights is not None:
        vectors = vectors * ops.expand_dims(ops.cast(count_weights, dtype), -1)
    return ops.sum(vectors, axis=min(1, rank - 1)) if rank else vectors
