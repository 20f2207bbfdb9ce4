"""What Adam and its relatives share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from nkeras.core.typing import LearningRateLike, OptimizerOptions, Unpack
from nkeras.core.variable import Variable
from nkeras.optimizers.optimizer import Optimizer


class MomentOptimizer(Optimizer):
    """An optimizer with running means of the gradient and of its size.

    Attributes:
        size_name: what the mean of the size is called among the variables.
    """

    size_name: ClassVar[str] = "velocity"

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **shared: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **shared)
        self._check_fractions(beta_1=beta_1, beta_2=beta_2)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(
            variables, ["momentum", self.size_name]
        )
