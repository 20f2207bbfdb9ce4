"""Adagrad and Adadelta."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras import initializers
from nkeras.core.host import number
from nkeras.core.tensor import Tensor
from nkeras.core.typing import LearningRateLike, OptimizerOptions, Unpack
from nkeras.core.variable import Variable
from nkeras.ops.optimizers import adadelta_update, adagrad_update
from nkeras.optimizers.optimizer import Optimizer
from nkeras.optimizers.shared import with_shared_arguments


@with_shared_arguments
class Adagrad(Optimizer):
    """Gradient descent divided by the root of the sum of squared gradients.

    `a += g * g`; `w -= learning_rate * g / sqrt(a + epsilon)`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        initial_accumulator_value: where `a` starts.
        epsilon: small number that keeps the quotient finite.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable([1.0])
        >>> nkeras.optimizers.Adagrad(learning_rate=0.5).apply([nkeras.ops.ones(1)], [w])
        >>> w.numpy().round(3)
        array([0.523], dtype=float32)

    Source: https://keras.io/api/optimizers/adagrad/; paper: Duchi et al., 2011.
    """

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **shared: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **shared)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state."""
        if self.built:
            return
        super().build(variables)
        self._accumulators = self.add_optimizer_variables(
            variables, "accumulator", initializers.Constant(self.initial_accumulator_value)
        )

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """One fused update of a variable and its state."""
        self._apply_kernel(
            adagrad_update,
            gradient,
            variable,
            self._accumulators,
            learning_rate=number(learning_rate),
            epsilon=self.epsilon,
        )


@with_shared_arguments
class Adadelta(Optimizer):
    """Gradient descent whose step size comes from the steps before.

    `a = rho * a + (1 - rho) * g * g`; `d = g * sqrt(s + epsilon) / sqrt(a + epsilon)`;
    `s = rho * s + (1 - rho) * d * d`; `w -= learning_rate * d`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        rho: decay of both means.
        epsilon: small number that keeps the quotient finite.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable([1.0])
        >>> nkeras.optimizers.Adadelta(learning_rate=100.0).apply([nkeras.ops.ones(1)], [w])
        >>> w.numpy().round(3)
        array([0.859], dtype=float32)

    Source: https://keras.io/api/optimizers/adadelta/; paper: Zeiler, 2012, arXiv:1212.5701.
    """

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **shared: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **shared)
        self._check_fractions(rho=rho)
        self.rho = rho
        self.epsilon = epsilon

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state."""
        if self.built:
            return
        super().build(variables)
        self._accumulated_grads, self._accumulated_delta_vars = self.add_optimizer_variables(
            variables, ["accumulated_grad", "accumulated_delta_var"]
        )

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """One fused update of a variable and its state."""
        self._apply_kernel(
            adadelta_update,
            gradient,
            variable,
            self._accumulated_grads,
            self._accumulated_delta_vars,
            learning_rate=number(learning_rate),
            rho=self.rho,
            epsilon=self.epsilon,
        )
