"""Layers and ops in functions that TensorFlow traces: `dataset.map(lambda x, y: (layer(x), y))`.

A tensor of TensorFlow's graph has no values yet. The call becomes one operation of that graph,
which calls the layer with the values when it runs; its shape and dtype are inferred as for `Input`.

Source: https://www.tensorflow.org/api_docs/python/tf/numpy_function
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from nkeras.backend import registry
from nkeras.core import tree
from nkeras.core.errors import short
from nkeras.core.typing import PartialShape, Structure

_turn = threading.RLock()  # `map` runs in many threads, where random layers must draw one by one


def is_traced(value: object) -> bool:
    """Whether it is a tensor of a graph of TensorFlow."""
    known = getattr(sys.modules.get("tensorflow"), "is_symbolic_tensor", None)
    return known is not None and bool(known(value))


def meets(arguments: Structure, named: Structure) -> bool:
    """Whether such a tensor is among the arguments or in structures of them."""
    if "tensorflow" not in sys.modules:
        return False
    return any(is_traced(leaf) for leaf in tree.flatten((arguments, named)))


def signature(tensor: Any) -> tuple[PartialShape, str]:
    """Shape and dtype of a tensor of TensorFlow's graph.

    Raises:
        ValueError: not even its rank is known.
    """
    if tensor.shape.rank is None:
        raise ValueError(
            f"The tensor {short(tensor.name)} of TensorFlow's graph has no known rank. Tell it "
            "before a layer takes it, for example `image.set_shape((None, None, 3))`."
        )
    return tuple(tensor.shape), tensor.dtype.name


def sizes(tensor: Any) -> tuple[Any, ...]:
    """The shape of a tensor of TensorFlow's graph; unknown sizes are such tensors themselves."""
    tensorflow: Any = sys.modules["tensorflow"]
    found = tensorflow.shape(tensor)
    return tuple(
        found[axis] if size is None else size for axis, size in enumerate(signature(tensor)[0])
    )


def call(
    function: Callable[..., Structure], arguments: Structure, named: Structure, expected: Structure
) -> Structure:
    """Tensors of TensorFlow's graph for `function(*arguments, **named)`.

    Args:
        function: what is called with values in place of those tensors.
        arguments: positional arguments.
        named: others by name.
        expected: structure of what has the shapes and dtypes of the results.
    """
    tensorflow: Any = sys.modules["tensorflow"]
    backend = registry.active()

    def run(*values: Any) -> list[np.ndarray]:
        rest = iter(values)
        actual, actual_named = tree.map_structure(
            lambda leaf: np.asarray(next(rest)) if is_traced(leaf) else leaf, (arguments, named)
        )
        with _turn, registry.using(backend):
            return [np.asarray(leaf) for leaf in tree.flatten(function(*actual, **actual_named))]

    traced = [leaf for leaf in tree.flatten((arguments, named)) if is_traced(leaf)]
    leaves: list[Any] = tree.flatten(expected)
    results = tensorflow.numpy_function(run, traced, [leaf.dtype for leaf in leaves])
    for result, leaf in zip(results, leaves, strict=True):
        result.set_shape(leaf.shape)
    return tree.pack_sequence_as(expected, results)


def leave_as_it_is(called: Any) -> None:
    """Tell TensorFlow's AutoGraph not to rewrite the code of a function, or that of a class' calls.

    Source: https://github.com/tensorflow/tensorflow, python/autograph/impl/api.py
    """
    called.autograph_info__ = {}
