"""Optimizers by name, and to and from configurations."""

from __future__ import annotations

from collections.abc import Mapping

from nkeras.core.errors import refuse, short
from nkeras.core.families import classes_in, resolve
from nkeras.core.serialization import deserialize_keras_object, serialize_keras_object
from nkeras.core.typing import Config, OptimizerLike
from nkeras.optimizers import (
    adafactor,
    adagrad,
    adam,
    adamax,
    ftrl,
    lion,
    loss_scale,
    multi,
    muon,
    rmsprop,
    schedule_free,
    sgd,
)
from nkeras.optimizers.optimizer import Optimizer

_MODULES = (
    *(adafactor, adagrad, adam, adamax, ftrl, lion),
    *(loss_scale, multi, muon, rmsprop, schedule_free, sgd),
)
OPTIMIZERS = classes_in(_MODULES, Optimizer)
_LOWER = {name.lower(): name for name in OPTIMIZERS}


def serialize(optimizer: Optimizer) -> Config:
    """The configuration of an optimizer, in Keras' format; its state is not in it."""
    return serialize_keras_object(optimizer)


def deserialize(config: Config, custom_objects: Mapping[str, object] | None = None) -> Optimizer:
    """An optimizer from its configuration.

    Args:
        config: what `serialize` returned; `class_name` may be written in lower case.
        custom_objects: classes of one's own by name.

    Example:
        >>> from nkeras import optimizers
        >>> config = optimizers.serialize(optimizers.SGD(momentum=0.9))
        >>> optimizers.deserialize(config).momentum
        0.9
    """
    if not isinstance(config.get("class_name"), str):
        refuse("config", config, "a dict with a `class_name` and a `config`", "optimizers")
    name = _LOWER.get(config["class_name"].lower())
    if name is not None:
        config = {"module": "keras.optimizers", **config, "class_name": name}
    return deserialize_keras_object(config, custom_objects=custom_objects)


def get(identifier: OptimizerLike) -> Optimizer | None:
    """An optimizer by name, configuration, or as it is; None for None.

    Args:
        identifier: for example `"adam"`.

    Raises:
        ValueError: it names no optimizer.

    Example:
        >>> import nkeras
        >>> nkeras.optimizers.get("rmsprop").rho
        0.9
    """
    if identifier is None:
        return None
    found = deserialize(identifier) if isinstance(identifier, dict) else identifier
    if isinstance(found, type):
        raise ValueError(
            f"Could not interpret optimizer identifier: {short(found)} is a class. Pass an "
            f"instance, such as {found.__name__}()."
        )
    found = resolve(found, OPTIMIZERS, "optimizer", Optimizer)
    if not isinstance(found, Optimizer):
        raise ValueError(f"Could not interpret optimizer identifier: {short(identifier)}")
    return found
