"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras.core.tensor import Tensor
from nkeras.core.typing import FurtherOptimizerOptions, LearningRateLike, OptimizerOptions, Unpack
from nkeras.core.variable import Variable
from nkeras.ops.optimizers import adam_update, amsgrad_update
from nkeras.optimizers.moments import MomentOptimizer
from nkeras.optimizers.shared import with_shared_arguments
from nkeras.optimizers.state import Slots


@with_shared_arguments
class Adam(MomentOptimizer):
    """Gradient descent by running means of the gradient and of its square.

    `m += (g - m) * (1 - beta_1)`, `v += (g * g - v) * (1 - beta_2)`,
    `w -= m * alpha / (sqrt(v) + epsilon)` with `alpha` the learning rate times
    `sqrt(1 - beta_2 ** t) / (1 - beta_1 ** t)`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        beta_1: decay of the mean of the gradient.
        beta_2: decay of the mean of its square.
        epsilon: small number that keeps the quotient finite.
        amsgrad: divide by the root of the largest `v` so far.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable([1.0])
        >>> nkeras.optimizers.Adam(learning_rate=0.25).apply([nkeras.ops.ones(1)], [w])
        >>> w.numpy().round(3)
        array([0.75], dtype=float32)

    Source: https://keras.io/api/optimizers/adam/; papers: Kingma and Ba, 2014, arXiv:1412.6980;
    Reddi et al., 2018 (AMSGrad).
    """

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **shared: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **shared)
        self.amsgrad = amsgrad

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the moments."""
        if self.built:
            return
        super().build(variables)
        self._velocity_hats: Slots = []
        if self.amsgrad:
            self._velocity_hats = self.add_optimizer_variables(variables, "velocity_hat")

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """One fused update of a variable and its moments."""
        slots = [self._momentums, self._velocities]
        slots += [self._velocity_hats] if self.amsgrad else []
        self._apply_kernel(
            amsgrad_update if self.amsgrad else adam_update,
            gradient,
            variable,
            *slots,
            alpha=self._each_step(self._alpha, learning_rate, self._updates_made() + 1),
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )

    def _alpha(self, learning_rate: float, t: int) -> float:
        """The learning rate, times what makes up for moments that began at zero."""
        correction = (1.0 - self.beta_2**t) ** 0.5 / (1.0 - self.beta_1**t)
        return float(learning_rate) * correction


@with_shared_arguments
class AdamW(Adam):
    """Adam with weight decay beside the gradient: `w -= learning_rate * weight_decay * w` first.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        weight_decay: fraction, times the learning rate, that is taken off at each step.
        beta_1: decay of the mean of the gradient.
        beta_2: decay of the mean of its square.
        epsilon: small number that keeps the quotient finite.
        amsgrad: divide by the root of the largest `v` so far.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> optimizer = nkeras.optimizers.AdamW(learning_rate=0.5, weight_decay=0.5)
        >>> w = nkeras.Variable([1.0])
        >>> optimizer.apply([nkeras.ops.zeros(1)], [w])
        >>> w.numpy()
        array([0.75], dtype=float32)

    Source: https://keras.io/api/optimizers/adamw/; paper: Loshchilov and Hutter, 2017,
    arXiv:1711.05101.
    """

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **shared: Unpack[FurtherOptimizerOptions],
    ) -> None:
        if weight_decay is None:
            raise ValueError("AdamW: argument `weight_decay` must be a float. Received: None")
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            amsgrad=amsgrad,
            weight_decay=weight_decay,
            **shared,
        )
