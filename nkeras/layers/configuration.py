"""Constructor arguments: captured when a layer is made, written as configuration."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from nkeras.core import serialization
from nkeras.core.policies import DTypePolicy
from nkeras.core.typing import Config, InputOptions, PartialShape


def capture(cls: type, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Config:
    """The constructor's arguments by name, defaults included."""
    signature = inspect.signature(cls.__init__)
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError:
        return {}  # the constructor itself raises the error, with a better message
    bound.apply_defaults()
    captured = dict(list(bound.arguments.items())[1:])
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            captured.update(captured.pop(parameter.name, {}))
        elif parameter.kind is parameter.VAR_POSITIONAL:
            captured.pop(parameter.name, None)
    return captured


def input_shape_argument(kwargs: InputOptions) -> PartialShape | None:
    """The legacy arguments `input_shape`, `batch_input_shape` and `input_dim` of a first layer."""
    if "input_shape" in kwargs:
        return (None, *kwargs.pop("input_shape"))
    if "batch_input_shape" in kwargs:
        return tuple(kwargs.pop("batch_input_shape"))
    if "input_dim" in kwargs:
        return (None, kwargs.pop("input_dim"))
    return None


def policy_config(policy: DTypePolicy) -> Config:
    """A dtype policy as configuration."""
    return {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": policy.get_config(),
        "registered_name": None,
    }


def config_value(value: object) -> Any:
    """A constructor argument as configuration."""
    if isinstance(value, dict):
        return {key: config_value(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(config_value(one) for one in value)
    return serialization.serialize_keras_object(value)
