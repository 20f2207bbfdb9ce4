"""LossScaleOptimizer: gradients of half precision that neither vanish nor overflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nkeras import ops
from nkeras.core import naming
from nkeras.core.configurable import ANY
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.host import either, live, on_host
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Config, Gradients, LearningRateLike, TensorLike
from nkeras.core.variable import Variable
from nkeras.optimizers.optimizer import Optimizer

# Arguments of Optimizer that belong to the inner one, with the values that are let pass.
_INNER: Config = {
    "weight_decay": None,
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


class LossScaleOptimizer(Optimizer):
    """Scales the loss for another optimizer, by a factor that adapts itself.

    Steps with infinite or NaN gradients are skipped and halve the factor; after
    `dynamic_growth_steps` good steps in a row it is doubled.

    Args:
        inner_optimizer: the optimizer that updates the variables.
        initial_scale: the first factor.
        dynamic_growth_steps: after how many good steps the factor is doubled.
        name: name.

    Example:
        >>> import nkeras
        >>> inner = nkeras.optimizers.SGD(learning_rate=0.5)
        >>> optimizer = nkeras.optimizers.LossScaleOptimizer(inner, initial_scale=8.0)
        >>> float(optimizer.scale_loss(nkeras.ops.ones(())))
        8.0

    Source: https://keras.io/api/optimizers/loss_scale_optimizer/
    """

    config_omits: ClassVar[Mapping[str, object]] = dict.fromkeys(
        ["learning_rate", "decay", "dynamic", *_INNER], ANY
    )

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not kwargs.pop("dynamic", True):
            raise ValueError(
                "LossScaleOptimizer: argument `dynamic` must be True. Set `loss_scale_factor` of "
                "the inner optimizer for a fixed factor."
            )
        if not is_a(inner_optimizer, Optimizer):
            refuse("inner_optimizer", inner_optimizer, "an optimizer", "LossScaleOptimizer")
        for argument, default in _INNER.items():
            value = kwargs.pop(argument, default)
            if value is not default and value != default:
                raise ValueError(
                    f"LossScaleOptimizer does not support `{argument}`. Set it on the "
                    f"`inner_optimizer` instead. Received: {argument}={short(value)}"
                )
        super().__init__(learning_rate=0.0, name=name, **kwargs)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        self.inner_optimizer.loss_scale_factor = None

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the factor and the state of the inner optimizer."""
        if self.built:
            return
        self.step_counter = self._host_variable(0, "int", "step_counter")
        self.dynamic_scale = self._host_variable(self.initial_scale, "float32", "dynamic_scale")
        with naming.name_scope(self.name):
            self.inner_optimizer.build(variables)
        super().build(variables)

    @property
    def variables(self) -> list[Variable]:
        """Counter, factor and the state of the inner optimizer."""
        return [*self._variables, *self.inner_optimizer.variables]

    def apply(
        self, grads: Gradients, trainable_variables: Sequence[Variable] | None = None
    ) -> None:
        """Update the variables by scaled gradients, unless one of these is not finite.

        Args:
            grads: gradients of the scaled loss, one for each variable, or None.
            trainable_variables: the variables; those the optimizer was built with by default.
        """
        grads = list(grads)
        if not grads:
            return
        variables = self._variables_for(grads, trainable_variables)
        scale = live(lambda: float(self.dynamic_scale))

        def update() -> None:
            unscaled = [
                grad
                if grad is None or variable.overwrite_with_gradient
                else ops.divide(grad, scale)
                for grad, variable in zip(grads, variables, strict=True)
            ]
            self.inner_optimizer.apply(unscaled, variables)
            on_host(self._count_good_step)

        either(self.check_finite(grads), update, self._count_bad_step)

    def _count_good_step(self) -> None:
        good_steps = int(self.step_counter) + 1
        if good_steps == self.dynamic_growth_steps:
            self.step_counter.assign(0)
            self.dynamic_scale.assign(float(self.dynamic_scale) * 2.0)
        else:
            self.step_counter.assign(good_steps)

    def _count_bad_step(self) -> None:
        self.step_counter.assign(0)
        self.dynamic_scale.assign(float(self.dynamic_scale) * 0.5)

    def check_finite(self, grads: Gradients) -> Tensor:
        """Whether no gradient has an infinite or NaN element, a boolean tensor."""
        finite = [ops.all(ops.isfinite(grad)) for grad in grads if grad is not None]
        return ops.all(ops.stack(finite)) if finite else ops.convert_to_tensor(True)

    @property
    def learning_rate(self) -> Variable | Tensor | float:
        """The learning rate of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: LearningRateLike) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> Variable | Tensor:
        """How many updates the inner optimizer made."""
        return self.inner_optimizer.iterations

    def scale_loss(self, loss: TensorLike) -> Tensor:
        """The loss times the factor of now."""
        if not self.built:
            return ops.multiply(loss, self.initial_scale)
        return ops.multiply(loss, live(lambda: float(self.dynamic_scale)))

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """As the inner optimizer does."""
        self.inner_optimizer.finalize_variable_values(var_list)
