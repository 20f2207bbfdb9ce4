"""Masks of attention, which keys a query sees: they broadcast to `(batch, queries, keys)`."""

from __future__ import annotations

import numpy as np

from nkeras import ops
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor


def both(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    """True where both are; a mask that is None hides nothing."""
    if one is None or other is None:
        return other if one is None else one
    return ops.logical_and(one, other)


def joined(
    query_mask: Tensor | None,
    value_mask: Tensor | None,
    key_mask: Tensor | None,
    attention_mask: Tensor | None,
) -> Tensor | None:
    """One mask of those of the inputs, `(batch, length)`, and that of the call."""
    mask = None if attention_mask is None else ops.cast(attention_mask, "bool")
    for given, axis in ((query_mask, -1), (value_mask, -2), (key_mask, -2)):
        if given is not None:
            mask = both(mask, ops.expand_dims(ops.cast(given, "bool"), axis))
    return mask


def earlier(queries: int, keys: int) -> Tensor:
    """The causal mask `(1, queries, keys)`: a query sees the keys up to its own place."""
    return to_tensor(np.tri(queries, keys, dtype=bool)[None])


def near(queries: int, keys: int, window: int) -> Tensor:
    """The mask `(1, queries, keys)` of the keys that are less than `window` places away."""
    band = np.tri(queries, keys, window - 1, dtype=bool) & ~np.tri(
        queries, keys, -window, dtype=bool
    )
    return to_tensor(band[None])


def by_head(mask: Tensor | None, axes: int, rank: int) -> Tensor | None:
    """With axes of size 1 for the heads, and for those in front that it lacks.

    Args:
        mask: its last axes are those of the queries and those of the keys.
        axes: how many of each there are.
        rank: of the scores.
    """
    while mask is not None and len(mask.shape) < rank:
        mask = ops.expand_dims(mask, max(-2 * axes - 1, -len(mask.shape) - 1))
    return mask
