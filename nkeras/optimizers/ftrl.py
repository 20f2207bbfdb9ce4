"""Ftrl."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras import initializers
from nkeras.core.errors import short
from nkeras.core.host import number
from nkeras.core.tensor import Tensor
from nkeras.core.typing import LearningRateLike, OptimizerOptions, Unpack
from nkeras.core.variable import Variable
from nkeras.ops.optimizers import ftrl_update
from nkeras.optimizers.optimizer import Optimizer
from nkeras.optimizers.shared import with_shared_arguments


@with_shared_arguments
class Ftrl(Optimizer):
    """Follow the regularized leader: sparse weights for wide linear models.

    See the paper for the formulae; `z` is the state `linear`, `n` the state `accumulator`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        learning_rate_power: power of the learning rate's decay, at most 0.
        initial_accumulator_value: where the sum of squared gradients starts.
        l1_regularization_strength: L1 penalty.
        l2_regularization_strength: L2 penalty that holds the weights near 0.
        l2_shrinkage_regularization_strength: L2 penalty on their size, in the gradient.
        beta: `beta` of the paper.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable([1.0])
        >>> nkeras.optimizers.Ftrl(learning_rate=0.5).apply([nkeras.ops.ones(1)], [w])
        >>> w.numpy().round(3)
        array([0.222], dtype=float32)

    Source: https://keras.io/api/optimizers/ftrl/; paper: McMahan et al., 2013.
    """

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **shared: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **shared)
        if learning_rate_power > 0.0:
            raise ValueError(
                "Ftrl: argument `learning_rate_power` must be negative or zero. Received: "
                f"learning_rate_power={short(learning_rate_power)}."
            )
        for argument, value in (
            ("initial_accumulator_value", initial_accumulator_value),
            ("l1_regularization_strength", l1_regularization_strength),
            ("l2_regularization_strength", l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength),
        ):
            if value < 0.0:
                raise ValueError(
                    f"Ftrl: argument `{argument}` must be positive or zero. "
                    f"Received: {argument}={short(value)}."
                )
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state."""
        if self.built:
            return
        super().build(variables)
        self._accumulators, self._linears = self.add_optimizer_variables(
            variables,
            ["accumulator", "linear"],
            [initializers.Constant(self.initial_accumulator_value), "zeros"],
        )

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """One fused update of a variable and its state."""
        self._apply_kernel(
            ftrl_update,
            gradient,
            variable,
            self._accumulators,
            self._linears,
            learning_rate=number(learning_rate),
            power=-self.learning_rate_power,
            l1=self.l1_regularization_strength,
            l2=self.l2_regularization_strength,
            shrinkage=2.0 * self.l2_shrinkage_regularization_strength,
            beta=self.beta,
        )
