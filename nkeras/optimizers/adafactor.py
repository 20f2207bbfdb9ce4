"""Adafactor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nkeras import ops
from nkeras.core import naming
from nkeras.core.host import live, plain
from nkeras.core.tensor import Tensor
from nkeras.core.typing import LearningRateLike, OptimizerOptions, Unpack
from nkeras.core.variable import Variable
from nkeras.ops.optimizers import (
    descended,
    means_of_squares,
    moving_square,
    over_root,
    over_root_of_product,
)
from nkeras.ops.reduction import sum_of_squares
from nkeras.optimizers.optimizer import Optimizer
from nkeras.optimizers.shared import with_shared_arguments
from nkeras.optimizers.state import Slots


@with_shared_arguments
class Adafactor(Optimizer):
    """Adam's second moment kept as one row and one column per matrix: little memory.

    Variables of rank 0 and 1 keep the whole second moment.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        beta_2_decay: the decay at step t is `1 - t ** beta_2_decay`.
        epsilon_1: added to squared gradients.
        epsilon_2: smallest scale of a variable.
        clip_threshold: largest root mean square of an update.
        relative_step: use at most `1 / sqrt(t)` as learning rate.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable([1.0])
        >>> nkeras.optimizers.Adafactor(learning_rate=0.25).apply([nkeras.ops.ones(1)], [w])
        >>> w.numpy().round(3)
        array([0.75], dtype=float32)

    Source: https://keras.io/api/optimizers/adafactor/; paper: Shazeer and Stern, 2018,
    arXiv:1804.04235.
    """

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **shared: Unpack[OptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, **shared)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state."""
        if self.built:
            return
        super().build(variables)
        self._rows: Slots = []
        self._columns: Slots = []
        self._velocities: Slots = []
        for variable in variables:
            rows = columns = velocity = None
            if len(variable.shape) < 2:  # Keras keeps two unused numbers for each
                with naming.name_scope(self.name):
                    rows = Variable(0, name=variable.name, trainable=False)
                    columns = Variable(0, name=variable.name, trainable=False)
                self._track_variable(rows)
                self._track_variable(columns)
            elif not variable.overwrite_with_gradient:
                shape = variable.shape
                rows = self.add_variable(shape[:-1], dtype=variable.dtype, name=variable.name)
                columns = self.add_variable(
                    (*shape[:-2], shape[-1]), dtype=variable.dtype, name=variable.name
                )
            if not variable.overwrite_with_gradient:
                velocity = self.add_variable_from_reference(variable, "velocity")
            self._rows.append(rows)
            self._columns.append(columns)
            self._velocities.append(velocity)

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """Update a variable and its state."""
        gradient = ops.cast(gradient, variable.dtype)
        step = self._updates_made() + 1
        rho = live(lambda: min(float(plain(learning_rate)), plain(step) ** -0.5))
        decay = 1.0 - step**self.beta_2_decay
        velocity = self._slot(self._velocities, variable)
        if len(variable.shape) >= 2:
            rows, columns = self._slot(self._rows, variable), self._slot(self._columns, variable)
            of_rows, of_columns = means_of_squares(gradient, added=self.epsilon_1)
            rows.assign(decay * rows + (1.0 - decay) * of_rows)
            columns.assign(decay * columns + (1.0 - decay) * of_columns)
            share = ops.expand_dims(rows / ops.mean(rows, axis=-1, keepdims=True), -1)
            across = ops.expand_dims(columns, -2)
            velocity.assign(share * across)
            update = over_root_of_product(gradient, share, across)
        else:
            rest = 1.0 - decay
            velocity.assign(moving_square(velocity, gradient, decay, rest, self.epsilon_1))
            update = over_root(gradient, velocity)
        # What the update is multiplied by is one number: the variable and it are passed over once.
        clipped = ops.maximum(_rms(update) / self.clip_threshold, 1.0)
        scale = ops.maximum(_rms(variable), self.epsilon_2) * rho / clipped
        self.assign(variable, descended(variable, scale, update))


def _rms(x: Any) -> Any:
    """Root mean square."""
    return ops.sqrt(sum_of_squares(x) / max(math.prod(x.shape), 1))
