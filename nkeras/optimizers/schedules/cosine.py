"""Learning rates that follow a cosine. Paper: Loshchilov and Hutter, 2016, arXiv:1608.03983."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

from nkeras.optimizers.schedules.base import Formula, check_steps


class CosineDecay(Formula):
    """Half a cosine from the (warmed up) rate down to `alpha` times it.

    Args:
        initial_learning_rate: learning rate at step 0.
        decay_steps: length of the decay in steps.
        alpha: the last learning rate as a fraction of the first.
        name: name.
        warmup_target: None, or the learning rate that a straight line reaches first.
        warmup_steps: length of the warmup in steps, before the decay.

    Example:
        >>> import nkeras
        >>> schedule = nkeras.optimizers.schedules.CosineDecay(
        ...     0.0, 10, warmup_target=0.5, warmup_steps=2
        ... )
        >>> [round(schedule(step), 3) for step in (0, 1, 2, 7, 12)]
        [0.0, 0.25, 0.5, 0.25, 0.0]

    Source: https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay/
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        check_steps("CosineDecay", "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def formula(self, step: Any, maths: ModuleType) -> Any:
        """The learning rate at a step."""
        if self.warmup_target is None:
            return self._decayed(step, self.initial_learning_rate, maths)
        decayed = self._decayed(step - self.warmup_steps, self.warmup_target, maths)
        if not self.warmup_steps:
            return decayed
        rise = self.warmup_target - self.initial_learning_rate
        warming = self.initial_learning_rate + rise * step / self.warmup_steps
        return maths.where(step < self.warmup_steps, warming, decayed)

    def _decayed(self, step: Any, start: float, maths: ModuleType) -> Any:
        fraction = maths.minimum(step, float(self.decay_steps)) / self.decay_steps
        cosine = 0.5 * (1.0 + maths.cos(math.pi * fraction))
        return start * ((1.0 - self.alpha) * cosine + self.alpha)


class CosineDecayRestarts(Formula):
    """Half a cosine again and again, each `t_mul` times as long and starting at `m_mul` times.

    Args:
        initial_learning_rate: learning rate at step 0.
        first_decay_steps: length of the first period in steps.
        t_mul: factor from one period's length to the next.
        m_mul: factor from one period's first learning rate to the next.
        alpha: the lowest learning rate as a fraction of `initial_learning_rate`.
        name: name.

    Example:
        >>> import nkeras
        >>> schedule = nkeras.optimizers.schedules.CosineDecayRestarts(0.5, 10)
        >>> schedule(0), round(schedule(5), 3), schedule(10)
        (0.5, 0.25, 0.5)

    Source: https://keras.io/api/optimizers/learning_rate_schedules/cosine_decay_restarts/
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        check_steps("CosineDecayRestarts", "first_decay_steps", first_decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def formula(self, step: Any, maths: ModuleType) -> Any:
        """The learning rate at a step."""
        fraction = step / self.first_decay_steps
        if self.t_mul == 1.0:
            restarts = maths.floor(fraction)
            fraction = fraction - restarts
        else:  # the periods are a geometric series, whose sum is solved for their number
            ratio = 1.0 - self.t_mul
            logarithm = maths.log(1.0 - fraction * ratio) / math.log(self.t_mul)
            restarts = maths.floor(logarithm + 1e-9)  # log(243) / log(3) is below 5
            length = maths.power(float(self.t_mul), restarts)
            fraction = (fraction - (1.0 - length) / ratio) / length
        height = maths.power(float(self.m_mul), restarts)
        cosine = 0.5 * height * (1.0 + maths.cos(math.pi * fraction))
        return self.initial_learning_rate * ((1.0 - self.alpha) * cosine + self.alpha)
