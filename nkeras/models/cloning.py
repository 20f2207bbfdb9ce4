"""clone_model: the same architecture with fresh weights."""

from __future__ import annotations

from collections.abc import Callable

from nkeras.core import tree
from nkeras.core.errors import short
from nkeras.core.graph import KerasTensor
from nkeras.core.typing import Config, Structure
from nkeras.layers.base import Layer
from nkeras.layers.core import Input, InputLayer
from nkeras.models.model import Functional, Model
from nkeras.models.sequential import Sequential
from nkeras.tree import assert_same_structure


def clone_model(
    model: Model,
    input_tensors: Structure = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable[..., Structure] | None = None,
    recursive: bool = False,
    **kwargs: dict[int, Layer],
) -> Model:
    """A model with the same layers and calls, and newly initialised weights.

    Args:
        model: functional, Sequential, or subclassed model with `get_config`.
        input_tensors: symbolic tensors to build upon (functional and Sequential).
        clone_function: `clone_function(layer)` gives the new layer; from its config by default.
        call_function: `call_function(layer, *args, **kwargs)` calls a new layer (functional only).
        recursive: clone nested models layer by layer too.
        **kwargs: only `cache`, a dict from the id of a layer to its clone.

    Returns:
        The new model.

    Raises:
        ValueError: an argument does not suit the kind of model.

    Example:
        >>> import nkeras
        >>> model = nkeras.Sequential([nkeras.Input((2,)), nkeras.layers.Dense(1)])
        >>> nkeras.models.clone_model(model).count_params()
        3

    Source: https://keras.io/api/models/model_saving_apis/
    """
    cache: dict[int, Layer] = kwargs.pop("cache", {})
    if kwargs:
        raise ValueError(f"Unexpected keyword argument(s): {short(tuple(kwargs))}")

    def clone(layer: Layer) -> Layer:
        if id(layer) not in cache:
            if recursive and isinstance(layer, Model) and _has_layers(layer):
                made = clone_model(
                    layer, None, clone_function, call_function, recursive, cache=cache
                )
            elif clone_function is not None and not isinstance(layer, InputLayer):
                made = clone_function(layer)
            else:
                made = type(layer).from_config(layer.get_config())
            cache[id(layer)] = made
        return cache[id(layer)]

    if isinstance(model, Sequential):
        if call_function is not None:
            raise ValueError(
                "`call_function` argument is not supported with Sequential models. "
                f"Received: call_function={short(call_function)}"
            )
        made = _clone_sequential(model, input_tensors, clone)
        made.compile_like(model)
        return made
    if type(model) is Functional and model.has_graph():
        made = _clone_functional(model, input_tensors, clone, call_function)
        made.compile_like(model)
        return made
    for argument, value in (
        ("input_tensors", input_tensors),
        ("clone_function", clone_function),
        ("call_function", call_function),
    ):
        if value is not None:
            raise ValueError(
                f"clone_model: argument `{argument}` needs a functional or Sequential model. "
                f"Received a {type(model).__name__}."
            )
    return type(model).from_config(model.get_config())


def _has_layers(model: Model) -> bool:
    return isinstance(model, Sequential) or model.has_graph()


def _clone_sequential(
    model: Sequential, input_tensors: Structure, clone: Callable[[Layer], Layer]
) -> Sequential:
    layers: list[Layer | KerasTensor] = [clone(layer) for layer in model.layers]
    if input_tensors is not None:
        flat = tree.flatten(input_tensors)
        if len(flat) != 1:
            raise ValueError("Argument `input_tensors` must contain a single tensor.")
        layers.insert(0, flat[0])
    elif (first := model.own_input()) is not None:
        layers.insert(0, Input(batch_shape=first.batch_shape, dtype=first.dtype))
    return Sequential(layers, trainable=model.trainable, name=model.name)


def _clone_functional(
    model: Model,
    input_tensors: Structure,
    clone: Callable[[Layer], Layer],
    call_function: Callable[..., Structure] | None,
) -> Functional:
    graph = model.need_graph()
    if input_tensors is None:
        inputs = tree.map_structure(
            lambda tensor: Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name),
            graph.inputs_structure,
        )
    else:
        try:
            assert_same_structure(input_tensors, graph.inputs_structure)
        except (ValueError, TypeError):
            raise ValueError(
                "clone_model: argument `input_tensors` must have the structure of the model's "
                f"inputs, {short(graph.inputs_structure)}. Received: {short(input_tensors)}"
            ) from None
        inputs = input_tensors

    def call(
        operation: Layer | Callable[..., Structure], args: Structure, kwargs: Config
    ) -> Structure:
        if not isinstance(operation, Layer):
            return operation(*args, **kwargs)
        if call_function is not None:
            return call_function(clone(operation), *args, **kwargs)
        return clone(operation)(*args, **kwargs)

    outputs = graph.run(tree.flatten(inputs), call)
    made = Functional(inputs, outputs, name=model.name)
    if not model.trainable:  # layers that are frozen themselves stay so
        made.trainable = False
    return made
