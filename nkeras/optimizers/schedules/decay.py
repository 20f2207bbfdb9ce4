"""Learning rates that fall: exponentially, by steps, as a polynomial, as 1 / time."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from nkeras.core.errors import short
from nkeras.optimizers.schedules.base import Formula, check_steps


class ExponentialDecay(Formula):
    """Exponential decay: `initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: learning rate at step 0.
        decay_steps: after so many steps the rate has been multiplied by `decay_rate` once.
        decay_rate: factor.
        staircase: round `step / decay_steps` down.
        name: name.

    Example:
        >>> import nkeras
        >>> schedule = nkeras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
        >>> schedule(0), schedule(10)
        (0.1, 0.05)

    Source: https://keras.io/api/optimizers/learning_rate_schedules/exponential_decay/
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        check_steps("ExponentialDecay", "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def formula(self, step: Any, maths: ModuleType) -> Any:
        """The learning rate at a step."""
        periods = step / self.decay_steps
        if self.staircase:
            periods = maths.floor(periods)
        return self.initial_learning_rate * maths.power(self.decay_rate, periods)


class InverseTimeDecay(Formula):
    """Inverse time decay: `initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: learning rate at step 0.
        decay_steps: how often the decay applies, in steps.
        decay_rate: factor.
        staircase: round `step / decay_steps` down.
        name: name.

    Example:
        >>> import nkeras
        >>> nkeras.optimizers.schedules.InverseTimeDecay(0.5, 2, 1.0)(2)
        0.25

    Source: https://keras.io/api/optimizers/learning_rate_schedules/inverse_time_decay/
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        check_steps("InverseTimeDecay", "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def formula(self, step: Any, maths: ModuleType) -> Any:
        """The learning rate at a step."""
        periods = step / self.decay_steps
        if self.staircase:
            periods = maths.floor(periods)
        return self.initial_learning_rate / (1.0 + self.decay_rate * periods)


class PolynomialDecay(Formula):
    """Polynomial decay to `end_learning_rate` within `decay_steps`.

    `(initial - end) * (1 - step / decay_steps) ** power + end`, with `step` at most `decay_steps`,
    or with `decay_steps` lengthened to the next multiple where `cycle` is set.

    Args:
        initial_learning_rate: learning rate at step 0.
        decay_steps: length of the decay in steps.
        end_learning_rate: learning rate from there on.
        power: power of the polynomial; 1 is a straight line.
        cycle: begin anew beyond `decay_steps`.
        name: name.

    Example:
        >>> import nkeras
        >>> nkeras.optimizers.schedules.PolynomialDecay(0.5, 10, end_learning_rate=0.25)(5)
        0.375

    Source: https://keras.io/api/optimizers/learning_rate_schedules/polynomial_decay/
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        check_steps("PolynomialDecay", "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def formula(self, step: Any, maths: ModuleType) -> Any:
        """The learning rate at a step."""
        if self.cycle:
            cycles = maths.where(step == 0, 1.0, maths.ceil(step / self.decay_steps))
            fraction = step / (self.decay_steps * cycles)
        else:
            fraction = maths.minimum(step, float(self.decay_steps)) / self.decay_steps
        span = self.initial_learning_rate - self.end_learning_rate
        return span * maths.power(1.0 - fraction, self.power) + self.end_learning_rate


class PiecewiseConstantDecay(Formula):
    """Piecewise constant: `values[i]` up to and including step `boundaries[i]`.

    Args:
        boundaries: ascending steps.
        values: learning rates, one more than boundaries.
        name: name.

    Example:
        >>> import nkeras
        >>> schedule = nkeras.optimizers.schedules.PiecewiseConstantDecay([2, 4], [1.0, 0.5, 0.1])
        >>> [schedule(step) for step in range(6)]
        [1.0, 1.0, 1.0, 0.5, 0.5, 0.1]

    Source: https://keras.io/api/optimizers/learning_rate_schedules/piecewise_constant_decay/
    """

    def __init__(
        self,
        boundaries: Sequence[float],
        values: Sequence[float],
        name: str = "PiecewiseConstant",
    ) -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "PiecewiseConstantDecay: argument `values` must have one element more than "
                f"`boundaries`. Received: boundaries={short(boundaries)} of length "
                f"{len(boundaries)}, values={short(values)} of length {len(values)}."
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def formula(self, step: Any, maths: ModuleType) -> Any:
        """The learning rate at a step."""
        value = self.values[-1] + 0.0 * step
        for boundary, rate in zip(
            reversed(self.boundaries), reversed(self.values[:-1]), strict=True
        ):
            value = maths.where(step <= boundary, rate, value)
        return value
