"""What a learning-rate schedule is: a function of the step, on the host or on tensors."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from nkeras import ops
from nkeras.core import config
from nkeras.core.configurable import Configurable
from nkeras.core.errors import short
from nkeras.core.serialization import deserialize_keras_object, serialize_keras_object
from nkeras.core.typing import Config
from nkeras.core.variable import Variable


class LearningRateSchedule(Configurable):
    """A learning rate that depends on the step; subclass it and define `__call__(step)`.

    Example:
        >>> import nkeras
        >>> class Halving(nkeras.optimizers.schedules.LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return 0.1 * 0.5**step
        >>> Halving()(2)
        0.025

    Source: https://keras.io/api/optimizers/learning_rate_schedules/learning_rate_schedule/
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        raise NotImplementedError(
            f"The learning rate schedule {type(self).__name__} must define `__call__(self, step)`."
        )


class Formula(LearningRateSchedule):
    """A schedule that is one formula, for numbers with NumPy and for tensors with ops."""

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step.

        Args:
            step: number, variable or tensor.

        Returns:
            A Python float, computed without any backend, for a number and for the optimizer's own
            step counter; else a tensor of the shape of `step`.
        """
        if isinstance(step, (int, float, np.number)):
            return float(self.formula(np.float64(step), np))
        if isinstance(step, Variable) and step.host:
            return float(self.formula(np.float64(float(step)), np))
        return self.formula(ops.cast(step, config.floatx()), ops)

    def formula(self, step: Any, maths: ModuleType) -> Any:
        """The learning rate; `maths` is `numpy` or `nkeras.ops`."""
        raise NotImplementedError


def check_steps(owner: str, argument: str, value: float) -> None:
    """Refuse a number of steps that is not positive."""
    if value <= 0:
        raise ValueError(
            f"{owner}: argument `{argument}` must be > 0. Received: {argument}={short(value)}"
        )


def serialize(learning_rate_schedule: LearningRateSchedule) -> Config:
    """The configuration of a schedule, in Keras' format."""
    return serialize_keras_object(learning_rate_schedule)


def deserialize(
    config: Config, custom_objects: Mapping[str, object] | None = None
) -> LearningRateSchedule:
    """A schedule from its configuration.

    Args:
        config: what `serialize` returned.
        custom_objects: classes of one's own by name.

    Example:
        >>> from nkeras.optimizers import schedules
        >>> config = schedules.serialize(schedules.CosineDecay(0.1, decay_steps=100))
        >>> schedules.deserialize(config)(0)
        0.1
    """
    described = {"module": "keras.optimizers.schedules", **config}
    return deserialize_keras_object(described, custom_objects=custom_objects)
