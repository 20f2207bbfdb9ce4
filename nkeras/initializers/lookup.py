"""Initializers by name: the table, `get`, `serialize` and `deserialize`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nkeras.core import dtypes
from nkeras.core.primitive import to_tensor
from nkeras.core.serialization import deserialize_keras_object, resolve, serialize_keras_object
from nkeras.core.tensor import Tensor
from nkeras.initializers.constant import Constant, Identity, Ones, Zeros
from nkeras.initializers.random import (
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
from nkeras.initializers.scaled import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
)
from nkeras.ops.shape import cast

_CLASSES: list[Any] = [Constant, Identity, Ones, Zeros, Orthogonal, RandomNormal, RandomUniform]
_CLASSES += [TruncatedNormal, VarianceScaling, GlorotNormal, GlorotUniform, HeNormal, HeUniform]
_CLASSES += [LecunNormal, LecunUniform]
INITIALIZERS: dict[str, Any] = {cls.__name__: cls for cls in _CLASSES}
INITIALIZERS |= {
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    "normal": RandomNormal,
    "uniform": RandomUniform,
    "one": Ones,
    "zero": Zeros,
}


def get(identifier: Any) -> Any:
    """The initializer that a name, config, class or callable stands for; None stays None.

    Args:
        identifier: class name (also in snake case), dict from `serialize`, class, callable, or
            array, for exactly these values.

    Returns:
        Callable or None.

    Raises:
        ValueError: there is no such initializer.

    Example:
        >>> import nkeras
        >>> type(nkeras.initializers.get("HeNormal")).__name__
        'HeNormal'
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        identifier = deserialize(identifier)
    if isinstance(identifier, (Tensor, np.ndarray, np.generic)):
        return _exactly(identifier)
    return resolve(identifier, INITIALIZERS, "initializer")


def serialize(initializer: Any) -> Any:
    """The configuration of an initializer as a dict.

    Args:
        initializer: object with `get_config`, or a named function.

    Returns:
        dict.

    Example:
        >>> import nkeras
        >>> nkeras.initializers.serialize(nkeras.initializers.HeNormal())["class_name"]
        'HeNormal'
    """
    return serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The inverse of `serialize`.

    Args:
        config: what `serialize` returned, `{"class_name": ..., "config": {...}}` or None.
        custom_objects: classes and functions by name.

    Returns:
        Callable or None.

    Raises:
        TypeError: the config names something unknown.

    Example:
        >>> import nkeras
        >>> config = {"class_name": "HeNormal", "config": {}}
        >>> type(nkeras.initializers.deserialize(config)).__name__
        'HeNormal'
    """
    return deserialize_keras_object(config, {**INITIALIZERS, **(custom_objects or {})})


def _exactly(values: Any) -> Any:
    def initialize(shape: Any, dtype: Any = None) -> Any:
        if tuple(shape) != tuple(values.shape):
            raise ValueError(
                f"An initializer given as an array of shape {tuple(values.shape)} cannot fill the "
                f"shape {tuple(shape)}."
            )
        return cast(to_tensor(values), dtypes.standardize(dtype))

    return initialize
