"""RMSprop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nkeras import ops
from nkeras.core.recording import number
from nkeras.core.variable import Variable
from nkeras.ops.optimizers import rmsprop_update
from nkeras.optimizers.optimizer import Optimizer
from nkeras.optimizers.state import Slots


class RMSprop(Optimizer):
    """Gradient descent divided by the root of a running mean of the gradient's square.

    `v = rho * v + (1 - rho) * g * g`; `w -= learning_rate * g / sqrt(v + epsilon)`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        rho: decay of the mean.
        momentum: how much of the last step is added to the next.
        epsilon: small number that keeps the quotient finite.
        centered: divide by the root of the variance: take off the square of the mean gradient.
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
        >>> nkeras.optimizers.RMSprop(learning_rate=0.25, rho=0.75).apply([nkeras.ops.ones(1)], [w])
        >>> w.numpy().round(3)
        array([0.5], dtype=float32)

    Source: https://keras.io/api/optimizers/rmsprop/; Hinton, 2012 (lecture 6e).
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
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

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """One fused update of a variable and its means."""
        state = [
            self._slot(slots, variable)
            for slots in (self._velocities, self._momentums, self._average_gradients)
        ]
        new_values = rmsprop_update(
            variable,
            ops.cast(gradient, variable.dtype),
            *state,
            learning_rate=number(learning_rate),
            rho=self.rho,
            momentum=self.momentum,
            epsilon=self.epsilon,
            centered=self.centered,
        )
        for one, value in zip((variable, *state), new_values, strict=True):
            if one is not None:
                self.assign(one, value)
