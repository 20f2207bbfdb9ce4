"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nkeras import ops
from nkeras.core.recording import number
from nkeras.core.variable import Variable
from nkeras.ops.optimizers import sgd_update
from nkeras.optimizers.optimizer import Optimizer
from nkeras.optimizers.state import Slots


class SGD(Optimizer):
    """Gradient descent, with (Nesterov) momentum.

    `velocity = momentum * velocity - learning_rate * gradient`; `w += velocity`, or with Nesterov
    `w += momentum * velocity - learning_rate * gradient`; without momentum
    `w -= learning_rate * gradient`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        momentum: float in [0, 1].
        nesterov: use Nesterov momentum.
        weight_decay: see Optimizer, as all that follow.
        clipnorm: largest norm of each gradient.
        clipvalue: largest absolute value of a gradient's elements.
        global_clipnorm: largest norm of all gradients together.
        use_ema: keep a moving average of the variables.
        ema_momentum: momentum of that average.
        ema_overwrite_frequency: after how many steps it overwrites the variables.
        loss_scale_factor: factor of the loss.
        gradient_accumulation_steps: how many gradients are averaged for one update.
        name: name.

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
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            ema_overwrite_frequency=ema_overwrite_frequency,
            loss_scale_factor=loss_scale_factor,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
            **kwargs,
        )
        if not isinstance(momentum, float) or not 0 <= momentum <= 1:
            raise ValueError(
                f"SGD: argument `momentum` must be a float in [0, 1]. Received: {momentum!r}"
            )
        self.momentum = momentum
        self.nesterov = nesterov

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the velocities, if there is momentum."""
        if self.built:
            return
        super().build(variables)
        self.momentums: Slots = []
        if self.momentum != 0:
            self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """One fused update of a variable and its velocity."""
        velocity = self._slot(self.momentums, variable)
        new, new_velocity = sgd_update(
            variable,
            ops.cast(gradient, variable.dtype),
            velocity,
            learning_rate=number(learning_rate),
            momentum=self.momentum,
            nesterov=self.nesterov,
        )
        self.assign(variable, new)
        if velocity is not None:
            self.assign(velocity, new_velocity)
