"""Adamax and Nadam: relatives of Adam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nkeras.core import config, naming
from nkeras.core.host import on_host, plain
from nkeras.core.tensor import Tensor
from nkeras.core.variable import Variable
from nkeras.ops.optimizers import adamax_update, nadam_update
from nkeras.optimizers.moments import MomentOptimizer
from nkeras.optimizers.shared import with_shared_arguments


@with_shared_arguments
class Adamax(MomentOptimizer):
    """Adam with the infinity norm in place of the mean square.

    `m += (g - m) * (1 - beta_1)`; `u = max(beta_2 * u, |g|)`;
    `w -= learning_rate * m / ((1 - beta_1 ** t) * (u + epsilon))`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        beta_1: decay of the mean of the gradient.
        beta_2: decay of the infinity norm.
        epsilon: small number that keeps the quotient finite.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable([1.0])
        >>> nkeras.optimizers.Adamax(learning_rate=0.25).apply([nkeras.ops.ones(1)], [w])
        >>> w.numpy().round(3)
        array([0.75], dtype=float32)

    Source: https://keras.io/api/optimizers/adamax/; paper: Kingma and Ba, 2014, arXiv:1412.6980.
    """

    size_name = "norm"

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """One fused update of a variable and its state."""
        self._apply_kernel(
            adamax_update,
            gradient,
            variable,
            self._momentums,
            self._velocities,
            alpha=self._each_step(self._alpha, learning_rate, self._updates_made() + 1),
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )

    def _alpha(self, learning_rate: float, t: int) -> float:
        """The learning rate, times what makes up for a mean that began at zero."""
        return float(learning_rate) / (1.0 - self.beta_1**t)


@with_shared_arguments
class Nadam(MomentOptimizer):
    """Adam with Nesterov momentum.

    The momentum of step t is `beta_1 * (1 - 0.5 * 0.96 ** t)`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        beta_1: decay of the mean of the gradient.
        beta_2: decay of the mean of its square.
        epsilon: small number that keeps the quotient finite.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable([1.0])
        >>> nkeras.optimizers.Nadam(learning_rate=0.25).apply([nkeras.ops.ones(1)], [w])
        >>> w.numpy().round(3)
        array([0.734], dtype=float32)

    Source: https://keras.io/api/optimizers/nadam/; paper: Dozat, 2015.
    """

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state."""
        if self.built:
            return
        super().build(variables)
        dtype = variables[0].dtype if variables else config.floatx()
        with naming.name_scope(self.name):
            self._u_product = Variable(np.ones(()), dtype=dtype, host=True)

    def _momentum_of(self, step: int) -> float:
        return self.beta_1 * (1.0 - 0.5 * 0.96**step)

    def _backend_update_step(
        self, grads: list[Tensor], trainable_variables: list[Variable], learning_rate: float
    ) -> None:
        momentum = self._momentum_of(self._updates_made() + 1)
        on_host(
            lambda: self._u_product.assign(np.asarray(float(self._u_product) * plain(momentum)))
        )
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """One fused update of a variable and its state."""
        self._apply_kernel(
            nadam_update,
            gradient,
            variable,
            self._momentums,
            self._velocities,
            factors=self._each_step(self._factors, learning_rate, self._updates_made() + 1),
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )

    def _factors(self, learning_rate: float, t: int) -> tuple[float, float, float]:
        """Of the momentum, of the gradient, and of the root of the mean square."""
        rate, product = float(learning_rate), float(self._u_product)
        now, following = self._momentum_of(t), self._momentum_of(t + 1)
        of_m = rate * following / (1.0 - product * following)
        of_gradient = rate * (1.0 - now) / (1.0 - product)
        return of_m, of_gradient, (1.0 - self.beta_2**t) ** -0.5
