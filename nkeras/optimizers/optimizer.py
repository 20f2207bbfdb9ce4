"""Optimizer: what all optimizers share. Scalars stay on the host, so that a step never waits."""

from __future__ import annotations

import numbers
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from nkeras import ops
from nkeras.core import naming, tape
from nkeras.core.compile_ahead import compile_ahead
from nkeras.core.configurable import ANY, Configurable, argument_names
from nkeras.core.errors import nearest, refuse, short, warn
from nkeras.core.host import Switch, choice, live, plain
from nkeras.core.primitive import Primitive
from nkeras.core.serialization import custom_object_scope
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Config, Gradients, LearningRateLike, Self
from nkeras.core.variable import Variable, autocast_scope
from nkeras.ops.accumulating import decay_update
from nkeras.optimizers.arguments import check_arguments
from nkeras.optimizers.clipping import clip_by_global_norm, clip_by_norm
from nkeras.optimizers.schedules.base import LearningRateSchedule
from nkeras.optimizers.state import OptimizerState, Slots
from nkeras.optimizers.waiting import Update, Waiting

_Numbers = TypeVar("_Numbers")


class Optimizer(Configurable, OptimizerState):
    """Base of all optimizers. Subclasses define `build`, `update_step` and `get_config`.

    Args:
        learning_rate: float, LearningRateSchedule, or a function without arguments.
        weight_decay: None, or the fraction of each variable, times the learning rate, that is taken
            off at each step before the update.
        clipnorm: None, or the largest L2 norm of each gradient.
        clipvalue: None, or the largest absolute value of a gradient's elements.
        global_clipnorm: None, or the largest L2 norm of all gradients together.
        use_ema: keep an exponential moving average of the variables.
        ema_momentum: `average = ema_momentum * average + (1 - ema_momentum) * variable`.
        ema_overwrite_frequency: None, or after how many steps the average overwrites the variables.
            `finalize_variable_values` does so at the end of training.
        loss_scale_factor: None, or by what the loss is multiplied; gradients are divided by it.
        gradient_accumulation_steps: None, or how many gradients are averaged for one update.
        name: name.

    Example:
        >>> import nkeras
        >>> class Plain(nkeras.optimizers.Optimizer):
        ...     def update_step(self, gradient, variable, learning_rate):
        ...         self.assign_sub(variable, gradient * learning_rate)
        >>> w = nkeras.Variable([1.0, 2.0])
        >>> Plain(learning_rate=0.5).apply([nkeras.ops.ones(2)], [w])
        >>> w.numpy()
        array([0.5, 1.5], dtype=float32)

    Source: https://keras.io/api/optimizers/
    """

    config_reads: ClassVar[Mapping[str, str]] = {"learning_rate": "_learning_rate_of_now"}
    config_first: ClassVar[tuple[str, ...]] = (
        *("name", "learning_rate", "weight_decay", "clipnorm", "global_clipnorm", "clipvalue"),
        *("use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor"),
        "gradient_accumulation_steps",
    )
    config_omits: ClassVar[Mapping[str, object]] = {"decay": ANY}

    loss_scale_factor = Switch()
    _waiting: Waiting | None = None

    def __init__(
        self,
        learning_rate: LearningRateLike,
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
        owner = type(self).__name__
        if kwargs.pop("decay", None) is not None:
            warn(
                f"{owner}: argument `decay` is no longer supported and will be ignored.",
            )
        if kwargs:
            hint = nearest(next(iter(kwargs)), argument_names(type(self)))
            raise ValueError(f"{owner}: argument(s) not recognized: {short(kwargs)}.{hint}")
        super().__init__(name or naming.auto_name(owner))
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        check_arguments(self, owner)
        self._excluded: list[Variable] = []
        self._excluded_names: re.Pattern[str] | None = None
        self._iterations = self._host_variable(0, "int", "iteration")
        if isinstance(learning_rate, type):
            raise ValueError(
                f"{owner}: argument `learning_rate` must be a LearningRateSchedule, not its class. "
                f"Received: learning_rate={short(learning_rate)}"
            )
        if isinstance(learning_rate, LearningRateSchedule) or callable(learning_rate):
            self._learning_rate: Variable | LearningRateSchedule | Callable[[], float | Tensor]
            self._learning_rate = learning_rate
        elif isinstance(learning_rate, (float, np.floating)):
            self._check_learning_rate(learning_rate)
            self._learning_rate = self._host_variable(learning_rate, None, "learning_rate")
        else:
            raise ValueError(
                f"{owner}: argument `learning_rate` must be a float, a LearningRateSchedule, or a "
                "function without arguments that returns the learning rate. Received: "
                f"learning_rate={short(learning_rate)}"
            )

    def _host_variable(self, value: float, dtype: str | None, name: str) -> Variable:
        """A scalar that lives in NumPy: reading it never waits for a device."""
        with naming.name_scope(self.name):
            return Variable(
                lambda shape, dtype: np.full(shape, value),
                shape=(),
                dtype=dtype,
                trainable=False,
                aggregation="only_first_replica",
                name=name,
                host=True,
            )

    def _check_fractions(self, **arguments: float) -> None:
        """Refuse decay rates outside [0, 1): with 1, nothing new ever counts."""
        for name, value in arguments.items():
            if not isinstance(value, numbers.Real) or not 0 <= value < 1:
                refuse(name, value, "a number in [0, 1)", type(self).__name__)

    def _check_learning_rate(self, value: Any) -> None:
        if not float(value) >= 0.0:
            raise ValueError(
                f"{type(self).__name__}: argument `learning_rate` must not be negative. "
                f"Received: learning_rate={short(value)}"
            )

    @property
    def iterations(self) -> Variable | Tensor:
        """How many updates were made: a variable, or with gradient accumulation a tensor."""
        if self.gradient_accumulation_steps:
            return ops.floor_divide(self._iterations, self.gradient_accumulation_steps)
        return self._iterations

    def _updates_made(self) -> int:
        """`iterations` as number of the host."""
        steps = self.gradient_accumulation_steps or 1
        return live(lambda: int(self._iterations) // steps, (self, "updates"))

    @property
    def learning_rate(self) -> Variable | Tensor | float:
        """The learning rate now: a variable, or what the schedule or function returns."""
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(self._iterations)
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        return self._learning_rate()

    @learning_rate.setter
    def learning_rate(self, learning_rate: LearningRateLike) -> None:
        before = self._learning_rate
        if isinstance(learning_rate, LearningRateSchedule) or (
            callable(learning_rate) and not isinstance(learning_rate, Variable)
        ):
            self._learning_rate = learning_rate
            self._variables = [variable for variable in self._variables if variable is not before]
            return
        if not isinstance(before, Variable):
            kind = (
                "LearningRateSchedule" if isinstance(before, LearningRateSchedule) else "function"
            )
            raise TypeError(
                f"This optimizer was created with a {kind} as its `learning_rate`, hence its "
                "learning rate cannot be set to a value. Create it with a float `learning_rate` to "
                "be able to."
            )
        self._check_learning_rate(learning_rate)
        before.assign(np.asarray(learning_rate))

    @property
    def _learning_rate_of_now(self) -> Any:
        """A number, or the schedule or function that gives it."""
        known = self._learning_rate
        return float(known) if isinstance(known, Variable) else known

    @classmethod
    def from_config(
        cls, config: Config, custom_objects: Mapping[str, object] | None = None
    ) -> Self:
        """An optimizer without state from the result of `get_config`."""
        with custom_object_scope(custom_objects or {}):
            return super().from_config(config)

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state for the variables that will be trained."""
        variables = list(variables)
        self._averages: Slots = []
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        self._accumulated_gradients: list[Variable] = []
        for i, variable in enumerate(variables):
            self._indices[id(variable)] = i
            if self.gradient_accumulation_steps:
                self._accumulated_gradients.append(
                    self.add_variable_from_reference(variable, "gradient_accumulator")
                )
        self._trainable_variables = variables
        self.built = True

    def _each_step(self, formula: Callable[..., _Numbers], *numbers: float) -> _Numbers:
        """`formula(*numbers)` on the host: computed again at each step, once for all variables."""
        return live(lambda: formula(*[plain(number) for number in numbers]), (formula, *numbers))

    def _apply_kernel(
        self,
        kernel: Primitive[tuple[Tensor, ...]],
        gradient: Tensor,
        variable: Variable,
        *slots: Slots,
        **numbers: object,
    ) -> None:
        """Assign what a kernel makes of a variable, its gradient and its state."""
        state = [self._slot(kept, variable) for kept in slots]
        update = Update(variable, ops.cast(gradient, variable.dtype), state)
        if self._waiting is not None and kernel.is_one_for_many():
            self._waiting.add(kernel, numbers, update)
        else:
            self._finish(update, kernel(*update.arguments, **numbers))

    def _finish(self, update: Update, made: Sequence[Tensor | None]) -> None:
        for target, value in zip(update.targets, made, strict=True):
            if target is not None and value is not None:
                self.assign(target, value)

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: float) -> None:
        """Update one variable and its state; `learning_rate` is a Python float."""
        raise NotImplementedError(f"{type(self).__name__} must define `update_step`.")

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Tensor, Variable]]) -> Variable:
        """As `apply`, for pairs of gradient and variable; returns the step counter."""
        pairs = list(grads_and_vars)
        self.apply([grad for grad, _ in pairs], [variable for _, variable in pairs])
        return self._iterations

    def apply(
        self, grads: Gradients, trainable_variables: Sequence[Variable] | None = None
    ) -> None:
        """Update the variables.

        Args:
            grads: gradients, one for each variable; None for one that is to stay as it is.
            trainable_variables: the variables; those the optimizer was built with by default. The
                first call builds it.

        Raises:
            ValueError: the number of gradients differs, a variable is unknown, a gradient has not
                the shape of its variable, or all gradients are None.
        """
        grads = list(grads)
        if not grads:
            return
        variables = self._variables_for(grads, trainable_variables)
        with compile_ahead(), tape.paused(), autocast_scope(None):
            pairs = self._overwrite_by_gradients(_with_gradient(grads, variables))
            if pairs:
                if self.loss_scale_factor is not None:
                    pairs = [(grad / self.loss_scale_factor, variable) for grad, variable in pairs]
                self._update(pairs)
                for _, variable in pairs:
                    if variable.constraint is not None:
                        variable.assign(variable.constraint(variable.value))
        self._iterations.assign_add(1)

    def _variables_for(
        self, grads: Gradients, trainable_variables: Sequence[Variable] | None
    ) -> list[Variable]:
        if trainable_variables is None:
            if not self.built:
                raise ValueError(
                    "When passing `grads` without `trainable_variables`, the optimizer must be "
                    "built before. Call `optimizer.build(trainable_variables)` first."
                )
            variables = self._trainable_variables
        else:
            variables = list(trainable_variables)
            if not self.built:
                self.build(variables)
                self.built = True
            self._check_variables_are_known(variables)
        if len(grads) != len(variables):
            raise ValueError(
                f"{type(self).__name__}.apply: argument `grads` must match the variables one to "
                f"one. Received: {len(grads)} gradients for {len(variables)} variables."
            )
        return variables

    def _is_update_step(self) -> bool:
        return (int(self._iterations) + 1) % (self.gradient_accumulation_steps or 1) == 0

    def _is_overwrite_step(self) -> bool:
        updates = int(self._iterations) // (self.gradient_accumulation_steps or 1)
        return (updates + 1) % (self.ema_overwrite_frequency or 1) == 0

    def _update(self, pairs: list[tuple[Tensor, Variable]]) -> None:
        steps = self.gradient_accumulation_steps
        if steps:
            accumulators = [
                self._slot(self._accumulated_gradients, variable) for _, variable in pairs
            ]
            sums = [
                grad + accumulator
                for (grad, _), accumulator in zip(pairs, accumulators, strict=True)
            ]
            if choice(self._is_update_step, self._iterations):
                self._step([total / steps for total in sums], [variable for _, variable in pairs])
                for accumulator in self._accumulated_gradients:
                    accumulator.assign(ops.zeros(accumulator.shape, accumulator.dtype))
            else:
                for accumulator, total in zip(accumulators, sums, strict=True):
                    accumulator.assign(total)
        else:
            self._step([grad for grad, _ in pairs], [variable for _, variable in pairs])
        if self.use_ema:
            self._update_averages()

    def _step(self, grads: list[Tensor], variables: list[Variable]) -> None:
        grads = self._clip_gradients(grads)
        learning_rate = live(lambda: float(self.learning_rate))
        self._take_off(variables, learning_rate)
        self._backend_update_step(grads, variables, learning_rate)

    def _take_off(self, variables: Sequence[Variable], learning_rate: float) -> None:
        self._decay(variables, learning_rate, self.weight_decay)

    def _decay(
        self, variables: Sequence[Variable], learning_rate: float, decay: float | None
    ) -> None:
        if decay is None:
            return
        keep = 1.0 - float(decay) * learning_rate
        decayed = [variable for variable in variables if self._use_weight_decay(variable)]
        if decay_update.is_one_for_many():
            made = decay_update.together([(variable,) for variable in decayed], keep=keep)
            for variable, value in zip(decayed, made, strict=True):
                variable.assign(value)
            return
        for variable in decayed:
            variable.assign(ops.multiply(variable, keep))

    def _backend_update_step(
        self, grads: list[Tensor], trainable_variables: list[Variable], learning_rate: float
    ) -> None:
        # A function that was made by `exec` may have no module.
        is_own = (type(self).update_step.__module__ or "").startswith(f"{__package__}.")
        waiting = Waiting()
        self._waiting = waiting if is_own else None
        try:
            for grad, variable in zip(grads, trainable_variables, strict=True):
                self.update_step(grad, variable, learning_rate)
        finally:
            self._waiting = None
        for kernel, static, updates in waiting.groups():
            made = kernel.together([update.arguments for update in updates], **static)
            for update, results in zip(updates, made, strict=True):
                self._finish(update, results)

    def _clip_gradients(self, grads: list[Tensor]) -> list[Tensor]:
        if self.clipnorm:
            return [clip_by_norm(grad, self.clipnorm) for grad in grads]
        if self.global_clipnorm:
            return clip_by_global_norm(grads, self.global_clipnorm)
        if self.clipvalue:
            return [ops.clip(grad, -self.clipvalue, self.clipvalue) for grad in grads]
        return grads

    def _overwrite_by_gradients(
        self, pairs: list[tuple[Tensor, Variable]]
    ) -> list[tuple[Tensor, Variable]]:
        """Assign gradients where `overwrite_with_gradient` is set; returns the other pairs."""
        for grad, variable in pairs:
            if not variable.overwrite_with_gradient:
                continue
            if self.gradient_accumulation_steps:
                accumulator = self._slot(self._accumulated_gradients, variable)
                grad = ops.maximum(grad, accumulator)
                if not choice(self._is_update_step, self._iterations):
                    accumulator.assign(grad)
                    continue
                accumulator.assign(ops.zeros(accumulator.shape, accumulator.dtype))
            variable.assign(grad)
        return [
            (grad, variable) for grad, variable in pairs if not variable.overwrite_with_gradient
        ]

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        """Say which variables have no weight decay; call it before training.

        Args:
            var_list: the variables themselves.
            var_names: regular expressions, for example `["bias"]`: variables in whose names one is
                found.
        """
        self._excluded = list(var_list or ())
        self._excluded_names = re.compile("|".join(var_names)) if var_names else None

    def _use_weight_decay(self, variable: Variable) -> bool:
        if any(excluded is variable for excluded in self._excluded):
            return False
        return self._excluded_names is None or not self._excluded_names.search(variable.name)

    def _update_averages(self) -> None:
        updates = self._updates_made()
        keep = live(lambda: self.ema_momentum if plain(updates) else 0.0)
        for variable, average in zip(self._trainable_variables, self._averages, strict=True):
            if average is not None:
                old, new = ops.multiply(average, keep), ops.multiply(variable, 1.0 - keep)
                average.assign(ops.add(old, new))
        if self.ema_overwrite_frequency and choice(self._is_overwrite_step, self._iterations):
            self.finalize_variable_values(self._trainable_variables)

    def averages(self) -> list[tuple[Variable, Variable]]:
        """Pairs of a variable and its moving average; none without `use_ema`."""
        pairs = zip(self._trainable_variables, self._averages, strict=False)
        return [(variable, average) for variable, average in pairs if average is not None]

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Overwrite variables by their moving average, at the end of training; nothing without one.

        Args:
            var_list: the variables the optimizer was built with.
        """
        if not self.use_ema:
            return
        if not self.built or len(var_list) != len(self._averages):
            raise ValueError(
                f"{type(self).__name__}.finalize_variable_values: argument `var_list` must be the "
                f"variables the optimizer was built with. Received: {len(var_list)} variables."
            )
        for variable, average in zip(var_list, self._averages, strict=True):
            if average is not None:
                variable.assign(average.value)

    def scale_loss(self, loss: Tensor) -> Tensor:
        """The loss times `loss_scale_factor`."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor


def _with_gradient(
    grads: Gradients, variables: Sequence[Variable]
) -> list[tuple[Tensor, Variable]]:
    """Pairs of gradient and variable, without those that have no gradient."""
    missing = [
        variable.path for grad, variable in zip(grads, variables, strict=True) if grad is None
    ]
    if len(missing) == len(variables):
        raise ValueError(
            "No gradients provided for any variable: the loss depends on none of them. What NumPy, "
            "TensorFlow, JAX or torch compute has no gradients here; use `nkeras.ops` for it."
        )
    if missing:
        warn(
            f"Gradients do not exist for variables {short(missing)} when minimizing the loss. If "
            "using `model.compile()`, did you forget to provide a `loss` argument?",
        )
    pairs = []
    for grad, variable in zip(grads, variables, strict=True):
        if grad is not None:
            tensor = ops.convert_to_tensor(grad)
            if tensor.shape != variable.shape:
                raise ValueError(
                    f"The gradient for variable {short(variable.path)} must have its shape "
                    f"{variable.shape}. Received: shape {tensor.shape}."
                )
            pairs.append((tensor, variable))
    return pairs
