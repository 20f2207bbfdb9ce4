"""Schedule-free AdamW: an average takes the place of a schedule of the learning rate."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras import ops
from nkeras.core.errors import refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import LearningRateLike, OptimizerOptions, Unpack
from nkeras.core.variable import Variable
from nkeras.optimizers.optimizer import Optimizer
from nkeras.optimizers.shared import with_shared_arguments


@with_shared_arguments
class ScheduleFreeAdamW(Optimizer):
    """Adam without momentum on one sequence, and its average; training is at a mix of both.

    `v += (g * g - v) * (1 - beta_2)`, `z -= learning_rate * g / (sqrt(v / (1 - beta_2**t)) +
    epsilon)`, `x += (z - x) / t`; the variable is `(1 - beta_1) * z + beta_1 * x`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        beta_1: share of the average `x` in the variable, above 0.
        beta_2: decay of the mean of the gradient's square.
        epsilon: small number that keeps the quotient finite.
        warmup_steps: in how many steps the learning rate grows to what is given.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable([1.0])
        >>> optimizer = nkeras.optimizers.ScheduleFreeAdamW(learning_rate=0.25)
        >>> optimizer.apply([nkeras.ops.ones(1)], [w])
        >>> w.numpy().round(3)
        array([0.75], dtype=float32)

    Source: https://keras.io/api/optimizers/; paper: Defazio et al., 2024, arXiv:2405.15682.
    """

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **shared: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **shared)
        self._check_fractions(beta_1=beta_1, beta_2=beta_2)
        if beta_1 == 0:
            refuse("beta_1", beta_1, "above 0: the average follows from it", "ScheduleFreeAdamW")
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the sequence that steps go along, and the means of squares."""
        if self.built:
            return
        super().build(variables)
        names = ["momentum", "velocity"]
        self._momentums, self._velocities = self.add_optimizer_variables(variables, names)
        for momentum, variable in zip(self._momentums, variables, strict=True):
            if momentum is not None:
                momentum.assign(variable.value)

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """Update a variable and its state."""
        t = self._updates_made() + 1
        z, v = self._slot(self._momentums, variable), self._slot(self._velocities, variable)
        before, x = z.value, variable.value
        x = (x - (1.0 - self.beta_1) * before) / self.beta_1
        v.assign(v + (ops.square(gradient) - v) * (1.0 - self.beta_2))
        unbiased = v * self._each_step(self._correction, t)
        step = gradient / (ops.sqrt(unbiased) + self.epsilon)
        z.assign(before - step * self._each_step(self._warmed_up, learning_rate, t))
        x = x + (z - x) * self._each_step(self._weight, t)
        self.assign(variable, (1.0 - self.beta_1) * z + self.beta_1 * x)

    def _correction(self, t: int) -> float:
        return 1.0 / (1.0 - self.beta_2**t)

    def _warmed_up(self, learning_rate: float, t: int) -> float:
        return float(learning_rate) * min(t / self.warmup_steps if self.warmup_steps else 1.0, 1.0)

    def _weight(self, t: int) -> float:
        return 1.0 / t
