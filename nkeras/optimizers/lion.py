"""Lion and Lamb."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras import ops
from nkeras.core.errors import short
from nkeras.core.host import number
from nkeras.core.tensor import Tensor
from nkeras.core.typing import LearningRateLike, OptimizerOptions, Unpack
from nkeras.core.variable import Variable
from nkeras.ops.optimizers import descended, lamb_update, lion_update
from nkeras.ops.reduction import sum_of_squares
from nkeras.optimizers.moments import MomentOptimizer
from nkeras.optimizers.optimizer import Optimizer
from nkeras.optimizers.shared import with_shared_arguments


@with_shared_arguments
class Lion(Optimizer):
    """Steps of equal size, in the direction of the sign of the momentum.

    `w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g)`; `m = beta_2 * m + (1 - beta_2) * g`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        beta_1: share of the momentum in the direction.
        beta_2: decay of the momentum.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable([1.0])
        >>> nkeras.optimizers.Lion(learning_rate=0.25).apply([nkeras.ops.ones(1)], [w])
        >>> w.numpy().round(3)
        array([0.75], dtype=float32)

    Source: https://keras.io/api/optimizers/lion/; paper: Chen et al., 2023, arXiv:2302.06675.
    """

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **shared: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **shared)
        if not 0 < beta_1 <= 1:
            raise ValueError(
                "Lion: argument `beta_1` must be in (0, 1], otherwise the optimizer degenerates to "
                f"SignSGD. Received: beta_1={short(beta_1)}."
            )
        self._check_fractions(beta_2=beta_2)
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state."""
        if self.built:
            return
        super().build(variables)
        self._momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """One fused update of a variable and its state."""
        self._apply_kernel(
            lion_update,
            gradient,
            variable,
            self._momentums,
            learning_rate=number(learning_rate),
            beta_1=self.beta_1,
            beta_2=self.beta_2,
        )


@with_shared_arguments
class Lamb(MomentOptimizer):
    """Adam whose step is scaled to the norm of the variable, for large batches.

    `update = m_hat / (sqrt(v_hat) + epsilon)`; `w -= learning_rate * |w| / |update| * update`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        beta_1: decay of the mean of the gradient.
        beta_2: decay of the mean of its square.
        epsilon: small number that keeps the quotient finite.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable([1.0])
        >>> nkeras.optimizers.Lamb(learning_rate=0.25).apply([nkeras.ops.ones(1)], [w])
        >>> w.numpy().round(3)
        array([0.75], dtype=float32)

    Source: https://keras.io/api/optimizers/lamb/; paper: You et al., 2019, arXiv:1904.00962.
    """

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """Update a variable and its state."""
        m, v = self._slot(self._momentums, variable), self._slot(self._velocities, variable)
        update, new_m, new_v = lamb_update(
            ops.cast(gradient, variable.dtype),
            m,
            v,
            factors=self._each_step(self._factors, self._updates_made() + 1),
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )
        m.assign(new_m)
        v.assign(new_v)
        variable_norm = ops.sqrt(sum_of_squares(variable))
        update_norm = ops.sqrt(sum_of_squares(update))
        usable = ops.logical_and(variable_norm > 0.0, update_norm > 0.0)
        ratio = ops.where(usable, variable_norm / ops.where(usable, update_norm, 1.0), 1.0)
        self.assign(variable, descended(variable, ratio * learning_rate, update))

    def _factors(self, t: int) -> tuple[float, float]:
        """What makes up for moments that began at zero."""
        return 1.0 / (1.0 - self.beta_1**t), (1.0 - self.beta_2**t) ** -0.5
