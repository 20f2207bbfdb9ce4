"""Structures of shapes: one shape, or lists and dicts of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nkeras.core import graph, tree
from nkeras.core.graph import KerasTensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PartialShape, Shapes, Structure


def shapes_of(value: object) -> Shapes:
    """Shapes of a structure of tensors; sizes that are unknown in a trace are None."""
    return tree.map_structure(lambda leaf: None if leaf is None else graph.known_shape(leaf), value)


def is_shape(value: object) -> bool:
    """Whether a value is a shape rather than a structure of shapes."""
    return isinstance(value, (list, tuple)) and all(
        item is None or isinstance(item, (int, np.integer)) for item in value
    )


def map_shapes(function: Callable[[PartialShape], object], shapes: Shapes) -> Structure:
    """Apply a function to each shape of a structure."""
    if shapes is None:
        return None
    if is_shape(shapes):
        return function(tuple(shapes))
    if isinstance(shapes, dict):
        return {key: map_shapes(function, shape) for key, shape in shapes.items()}
    return [map_shapes(function, shape) for shape in shapes]


def as_shapes(shapes: Shapes) -> Shapes:
    """The structure with every shape a tuple."""
    return map_shapes(lambda shape: shape, shapes)


def is_tensors(value: object) -> bool:
    """Whether a value is a tensor or a structure of tensors (and None)."""
    leaves = tree.flatten(value)
    return (
        bool(leaves)
        and all(isinstance(leaf, (Tensor, KerasTensor)) or leaf is None for leaf in leaves)
        and any(leaf is not None for leaf in leaves)
    )
