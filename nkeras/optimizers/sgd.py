"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras.core.errors import short
from nkeras.core.host import number
from nkeras.core.tensor import Tensor
from nkeras.core.typing import LearningRateLike, OptimizerOptions, Unpack
from nkeras.core.variable import Variable
from nkeras.ops.optimizers import sgd_update
from nkeras.optimizers.optimizer import Optimizer
from nkeras.optimizers.shared import with_shared_arguments
from nkeras.optimizers.state import Slots


@with_shared_arguments
class SGD(Optimizer):
    """Gradient descent, with (Nesterov) momentum.

    `velocity = momentum * velocity - learning_rate * gradient`; `w += velocity`, or with Nesterov
    `w += momentum * velocity - learning_rate * gradient`; without momentum
    `w -= learning_rate * gradient`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        momentum: float in [0, 1].
        nesterov: use Nesterov momentum.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable([1.0])
        >>> nkeras.optimizers.SGD(learning_rate=0.25).apply([nkeras.ops.ones(1)], [w])
        >>> w.numpy()
        array([0.75], dtype=float32)

    Source: https://keras.io/api/optimizers/sgd/
    """

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **shared: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **shared)
        if not isinstance(momentum, float) or not 0 <= momentum <= 1:
            raise ValueError(
                f"SGD: argument `momentum` must be a float in [0, 1]. Received: {short(momentum)}"
            )
        self.momentum = momentum
        self.nesterov = nesterov

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the velocities, if there is momentum."""
        if self.built:
            return
        super().build(variables)
        self.momentums: Slots = []
        if self.momentum != 0.0:
            self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """One fused update of a variable and its velocity."""
        self._apply_kernel(
            sgd_update,
            gradient,
            variable,
            self.momentums,
            learning_rate=number(learning_rate),
            momentum=self.momentum,
            nesterov=self.nesterov,
        )
