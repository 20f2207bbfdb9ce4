"""Which layers compute their intermediate results again: what a `RematScope` says of a layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nkeras.core import graph, tree
from nkeras.core.graph import KerasTensor
from nkeras.core.remat import RematScope, remat
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure

if TYPE_CHECKING:
    from nkeras.layers.base import Layer

Call = Callable[..., Any]


def rematerialized(
    layer: Layer, scope: RematScope, call: Call, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Call:
    """`call`, or the same with less memory, as the scope says that the layer was made in."""
    if graph.tracing() or not layer.can_rematerialize:
        return call
    if scope.mode == "activations":
        return _with_remat_activation(layer, call)
    if scope.mode == "list_of_layers" and layer.name not in scope.layer_names:
        return call
    if scope.mode == "larger_than":
        if _output_size(layer, args, kwargs) <= scope.output_size_threshold:
            return call
    return remat(call)


def _with_remat_activation(layer: Layer, call: Call) -> Call:
    activation = getattr(layer, "activation", None)
    if activation is None:
        return call

    def run(*args: Any, **kwargs: Any) -> Any:
        known = layer.__dict__  # which no guard watches: the layer is as before when this ends
        known["activation"] = remat(activation)
        try:
            return call(*args, **kwargs)
        finally:
            known["activation"] = activation

    return run


def _output_size(layer: Layer, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """How many elements the outputs have, by a trace for each combination of input shapes."""

    def symbolic(leaf: Structure) -> Structure:
        return KerasTensor(leaf.shape, leaf.dtype) if isinstance(leaf, Tensor) else leaf

    leaves = tree.flatten([list(args), dict(kwargs)])
    key = tuple((leaf.shape, leaf.dtype) for leaf in leaves if isinstance(leaf, Tensor))
    sizes: dict[object, int] = layer.__dict__.setdefault("_remat_sizes", {})
    if key not in sizes:
        given = [tree.map_structure(symbolic, argument) for argument in args]
        named = {name: tree.map_structure(symbolic, value) for name, value in kwargs.items()}
        outputs = tree.flatten(layer.compute_output_spec(*given, **named))
        sizes[key] = sum(math.prod(output.shape) for output in outputs)
    return sizes[key]
