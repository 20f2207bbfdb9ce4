"""The scores of attention: layers give them when they are asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nkeras.core import tree
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import to_tensor
from nkeras.core.typing import Structure
from nkeras.inspect.leaves import Leaf

_LAYERS = frozenset(("MultiHeadAttention", "GroupQueryAttention", "Attention", "AdditiveAttention"))
_MOST = 65_536  # scores of a sample


def asked_for(leaves: Sequence[Leaf]) -> set[int]:
    """The leaves whose values the layers of attention among them take."""
    return {
        source for leaf in leaves if leaf.box.class_name in _LAYERS for source, _ in leaf.sources
    }


def scores_of(leaves: Sequence[Leaf], values: Sequence[np.ndarray | None]) -> dict[int, np.ndarray]:
    """The scores of layers of attention, computed once more from what they were given.

    Args:
        leaves: of a model.
        values: what they gave, arrays with a batch axis.

    Returns:
        By the number of the leaf, arrays `(samples, heads, queries, keys)`; none for more than
        65,536 scores of a sample.
    """
    found: dict[int, np.ndarray] = {}
    for number, leaf in enumerate(leaves):
        node = leaf.box.node
        given = [values[source] for source, index in leaf.sources if index == 0]
        is_known = len(given) == len(leaf.sources) and all(one is not None for one in given)
        if leaf.box.class_name not in _LAYERS or node is None or not is_known:
            continue
        tensors = iter([to_tensor(one) for one in given])

        def filled(one: Structure, tensors: Any = tensors) -> Structure:
            return next(tensors) if isinstance(one, KerasTensor) else one

        args, named = tree.map_structure(filled, (node.arguments, node.named))
        layer: Any = node.operation
        scores = layer(*args, **(named | {"return_attention_scores": True}))[1].numpy()
        scores = np.asarray(scores, np.float32)
        if scores.ndim == 3:
            scores = scores[:, None]
        if scores[0].size <= _MOST:
            found[number] = scores
    return found
