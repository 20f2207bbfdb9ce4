"""RMSprop."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras.core.host import number
from nkeras.core.tensor import Tensor
from nkeras.core.typing import LearningRateLike, OptimizerOptions, Unpack
from nkeras.core.variable import Variable
from nkeras.ops.optimizers import rmsprop_update
from nkeras.optimizers.optimizer import Optimizer
from nkeras.optimizers.shared import with_shared_arguments
from nkeras.optimizers.state import Slots


@with_shared_arguments
class RMSprop(Optimizer):
    """Gradient descent divided by the root of a running mean of the gradient's square.

    `v = rho * v + (1 - rho) * g * g`; `w -= learning_rate * g / sqrt(v + epsilon)`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        rho: decay of the mean.
        momentum: how much of the last step is added to the next.
        epsilon: small number that keeps the quotient finite.
        centered: divide by the root of the variance: take off the square of the mean gradient.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable([1.0])
        >>> nkeras.optimizers.RMSprop(learning_rate=0.25, rho=0.75).apply([nkeras.ops.ones(1)], [w])
        >>> w.numpy().round(3)
        array([0.5], dtype=float32)

    Source: https://keras.io/api/optimizers/rmsprop/; Hinton, 2012 (lecture 6e).
    """

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **shared: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **shared)
        self._check_fractions(rho=rho, momentum=momentum)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the means, and the momentum if there is any."""
        if self.built:
            return
        super().build(variables)
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        self._momentums: Slots = []
        if self.momentum > 0:
            self._momentums = self.add_optimizer_variables(variables, "momentum")
        self._average_gradients: Slots = []
        if self.centered:
            self._average_gradients = self.add_optimizer_variables(variables, "average_gradient")

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """One fused update of a variable and its means."""
        self._apply_kernel(
            rmsprop_update,
            gradient,
            variable,
            self._velocities,
            self._momentums,
            self._average_gradients,
            learning_rate=number(learning_rate),
            rho=self.rho,
            momentum=self.momentum,
            epsilon=self.epsilon,
            centered=self.centered,
        )
