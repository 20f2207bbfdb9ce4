"""Muon: momentum whose matrices are made orthogonal before the step."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from nkeras import ops
from nkeras.core.tensor import Tensor
from nkeras.core.typing import FurtherOptimizerOptions, LearningRateLike, Unpack
from nkeras.core.variable import Variable
from nkeras.ops.optimizers import adam_update
from nkeras.optimizers.optimizer import Optimizer
from nkeras.optimizers.shared import with_shared_arguments
from nkeras.optimizers.state import Slots


@with_shared_arguments
class Muon(Optimizer):
    """Steps along the orthogonal matrix next to the momentum; Adam for what is no matrix.

    `m = momentum * m + g`, `u = g + momentum * m` (or `m`), `w -= learning_rate * scale * near(u)`.
    `near` is five steps of Newton and Schulz, `scale` is `rms_rate * sqrt(max(rows, columns))`.
    Variables of another rank than 2, embeddings and excluded layers are updated as by AdamW.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        adam_beta_1: decay of the mean of the gradient in Adam.
        adam_beta_2: decay of the mean of its square in Adam.
        adam_weight_decay: as `weight_decay`, for variables that Adam updates.
        epsilon: small number that keeps the quotient of Adam finite.
        weight_decay: fraction, times the learning rate, that is taken off at each step; for
            matrices that Muon updates.
        exclude_layers: regular expressions; Adam updates variables in whose path one is found.
        exclude_embeddings: whether Adam updates variables with "embedding" in their path.
        muon_a: factor of `x` in a step of Newton and Schulz.
        muon_b: factor of `x @ x.T @ x`.
        muon_c: factor of `x @ x.T @ x @ x.T @ x`.
        adam_lr_ratio: by what the learning rate is multiplied for Adam.
        momentum: decay of the momentum.
        ns_steps: how many steps of Newton and Schulz are made.
        nesterov: whether the gradient counts once more, as if looked at one step ahead.
        rms_rate: size of the elements of a step against those of Adam; None for a plain step.
        **shared: what every optimizer takes: see `Optimizer`.

    Example:
        >>> import nkeras
        >>> w = nkeras.Variable([[1.0, 0.0], [0.0, 2.0]])
        >>> optimizer = nkeras.optimizers.Muon(0.1, weight_decay=None, rms_rate=None)
        >>> optimizer.apply([nkeras.ops.ones((2, 2))], [w])
        >>> bool(nkeras.ops.all(w < 2.0))
        True

    Source: https://keras.io/api/optimizers/muon/; https://kellerjordan.github.io/posts/muon/;
    paper: Liu et al., 2025, arXiv:2502.16982.
    """

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **shared: Unpack[FurtherOptimizerOptions],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **shared)
        self._check_fractions(adam_beta_1=adam_beta_1, adam_beta_2=adam_beta_2)
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or [])
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the momenta, and for Adam the means of squares."""
        if self.built:
            return
        super().build(variables)
        self._momentums: Slots = []
        self._adam_velocities: Slots = []
        for variable in variables:
            momentum = velocity = None
            if not variable.overwrite_with_gradient:
                momentum = self.add_variable_from_reference(variable, "momentum")
                if self._should_use_adamw(variable):
                    velocity = self.add_variable_from_reference(variable, "velocity")
            self._momentums.append(momentum)
            self._adam_velocities.append(velocity)

    def _should_use_adamw(self, variable: Variable) -> bool:
        if len(variable.shape) != 2:
            return True
        if self.exclude_embeddings and "embedding" in variable.path.lower():
            return True
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """Update a variable and its state as Muon or as Adam."""
        if self._should_use_adamw(variable):
            updates = self._updates_made() + 1
            self._apply_kernel(
                adam_update,
                gradient,
                variable,
                self._momentums,
                self._adam_velocities,
                alpha=self._each_step(self._alpha, learning_rate, updates),
                beta_1=self.adam_beta_1,
                beta_2=self.adam_beta_2,
                epsilon=self.epsilon,
            )
            return
        m = self._slot(self._momentums, variable)
        m.assign(self.momentum * m + gradient)
        direction = gradient + self.momentum * m if self.nesterov else m.value
        scale = 1.0
        if self.rms_rate is not None:
            scale = self.rms_rate * math.sqrt(max(variable.shape))
        step = self._near_orthogonal(direction) * scale
        self.assign_sub(variable, step * learning_rate)

    def _alpha(self, learning_rate: float, t: int) -> float:
        correction = (1.0 - self.adam_beta_2**t) ** 0.5 / (1.0 - self.adam_beta_1**t)
        return float(learning_rate) * self.adam_lr_ratio * correction

    def _near_orthogonal(self, x: Tensor) -> Tensor:
        """About `u @ v` of the singular value decomposition `u @ s @ v`."""
        is_tall = x.shape[0] > x.shape[1]
        x = ops.transpose(x) if is_tall else x
        x = x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-7)
        for _ in range(self.ns_steps):
            squared = x @ ops.transpose(x)
            x = self.muon_a * x + (self.muon_b * squared + self.muon_c * squared @ squared) @ x
        return ops.transpose(x) if is_tall else x

    def _take_off(self, variables: Sequence[Variable], learning_rate: float) -> None:
        for is_adam, decay in ((False, self.weight_decay), (True, self.adam_weight_decay)):
            chosen = [v for v in variables if self._should_use_adamw(v) == is_adam]
            self._decay(chosen, learning_rate, decay)
