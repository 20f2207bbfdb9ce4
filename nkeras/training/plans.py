"""Steps of models by their plans: what a plan is looked up by, and when a step may have one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from nkeras.backend.protocol import Array
from nkeras.core import tree
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure
from nkeras.layers import calling
from nkeras.replay import cache
from nkeras.replay.cache import PlanCache
from nkeras.training.data import is_tuple_of_arrays, to_tensors


def can_plan() -> bool:
    """Whether the backend has plans, and no step, tape or layer is around."""
    return cache.can_plan() and calling.context.get() is None


def run(
    plans: PlanCache,
    kind: str,
    batch: Structure,
    step: Callable[[Structure], Structure],
    deliver: Callable[[Structure], Structure],
) -> Structure:
    """Do a step on a batch, a structure of arrays; see `PlanCache.run`."""
    if not can_plan():
        return deliver(step(to_tensors(batch)))
    key, leaves = _leaves(kind, batch)
    return plans.run(kind, key, leaves, batch, to_tensors, step, deliver)


def call(
    plans: PlanCache,
    kind: Hashable,
    tensors: list[Tensor],
    step: Callable[[list[Tensor]], Structure],
) -> Structure:
    """Do a step whose results belong to the caller; see `PlanCache.call`."""
    return plans.call(kind, tensors, step) if can_plan() else step(tensors)


def _leaves(kind: str, batch: Structure) -> tuple[tuple[Hashable, ...] | None, Sequence[Array]]:
    """What a plan is looked up by, and the arrays in the order of its inputs."""
    if type(batch) is np.ndarray:
        return (kind, batch.shape, batch.dtype), [batch]
    if is_tuple_of_arrays(batch):
        return (kind, *[(array.shape, array.dtype) for array in batch]), batch
    tensors = to_tensors(batch)
    if calling.has_mask(tensors):
        return None, []  # no plan knows masks that come with a batch
    leaves = [
        leaf.data if isinstance(leaf, Tensor) else leaf
        for leaf in tree.flatten(tensors)
        if leaf is not None
    ]
    outline = repr(tree.map_structure(lambda leaf: None if leaf is None else 0, tensors))
    return (kind, outline, *[(leaf.shape, leaf.dtype) for leaf in leaves]), leaves
