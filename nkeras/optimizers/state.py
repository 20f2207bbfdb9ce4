"""The variables of an optimizer: making, tracking, saving and loading them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from nkeras import initializers
from nkeras.core import guards, naming
from nkeras.core.errors import short, warn
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Config, DTypeLike, InitializerLike, TensorLike
from nkeras.core.variable import Variable, stored

# Steps do not depend on these, but for `loss_scale_factor`, a switch that counts its own changes.
_BOOKKEEPING = ("built", "learning_rate", "loss_scale_factor", "_variables", "_waiting")
Slots: TypeAlias = (
    "list[Variable | None]"  # a Variable for each variable, None where the variable has no state
)


class OptimizerState(guards.Guarded):
    """What an optimizer remembers from step to step.

    Variables that are set as attributes, alone or in lists, are tracked, as those that
    `add_variable` makes.
    """

    name: str
    _variables: list[Variable]
    _trainable_variables: list[Variable]
    _indices: dict[int, int]

    def __init__(self, name: str) -> None:
        self._variables = []
        self._trainable_variables = []
        self._indices = {}
        self.name = name
        self.built = False

    def __setattr__(self, name: str, value: object) -> None:
        if name != "_variables":
            if "_variables" not in self.__dict__:
                raise RuntimeError(
                    f"In optimizer {type(self).__name__!r}, `super().__init__()` must be the first "
                    "statement of `__init__()`."
                )
            if name not in ("_trainable_variables", "_excluded", "learning_rate"):
                for item in value if isinstance(value, (list, tuple)) else (value,):
                    self._track_variable(item)
        if name not in _BOOKKEEPING and guards.is_change(self, name, value):
            guards.changed(self, name)
        super().__setattr__(name, value)

    def _track_variable(self, variable: object) -> None:
        if isinstance(variable, Variable) and all(
            variable is not known for known in self._variables
        ):
            self._variables.append(variable)

    def __setstate__(self, state: Config) -> None:
        """A copy or an unpickled optimizer finds its variables: their ids are new."""
        self.__dict__.update(state)
        self.__dict__["_indices"] = {
            id(variable): i for i, variable in enumerate(self._trainable_variables)
        }

    @property
    def variables(self) -> list[Variable]:
        """All state: iteration, learning rate (unless scheduled), averages, moments, ..."""
        return list(self._variables)

    def _get_variable_index(self, variable: Variable) -> int:
        return self._indices[id(variable)]

    def _slot(self, slots: Sequence[Variable | None], variable: Variable) -> Any:
        """A variable's state in a list of `add_optimizer_variables`; None in an empty one."""
        return slots[self._indices[id(variable)]] if slots else None

    def _check_variables_are_known(self, variables: Sequence[Variable]) -> None:
        for variable in variables:
            if id(variable) not in self._indices:
                raise ValueError(
                    f"Unknown variable: {short(variable.path)} of shape {variable.shape}. This "
                    "optimizer can only be called for the variables it was built with. For new "
                    "variables, make a new optimizer; for those of layers that became trainable, "
                    "call `compile()` with one."
                )

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: InitializerLike = "zeros",
        dtype: DTypeLike = None,
        aggregation: str = "none",
        layout: object = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable of the optimizer's own.

        Args:
            shape: shape.
            initializer: initializer, by object or by name.
            dtype: dtype name; `floatx` by default.
            aggregation: kept for Keras' sake: nkeras trains on one device.
            layout: must be None.
            name: name.

        Returns:
            The variable; it is among `variables` from now on.
        """
        if layout is not None:
            raise ValueError(
                f"add_variable: argument `layout` must be None. Received: {short(layout)}"
            )
        with naming.name_scope(self.name):
            variable = Variable(
                initializers.get(initializer),
                shape=shape,
                dtype=dtype,
                trainable=False,
                aggregation=aggregation,
                name=name,
            )
        self._track_variable(variable)
        return variable

    def add_variable_from_reference(
        self,
        reference_variable: Variable,
        name: str | None = None,
        initializer: InitializerLike = "zeros",
    ) -> Variable:
        """Make a variable with the shape and dtype of a model's variable.

        Args:
            reference_variable: the model's variable.
            name: what is remembered of it; the path of the variable is put before.
            initializer: initializer, by object or by name.

        Returns:
            The variable.
        """
        return self.add_variable(
            reference_variable.shape,
            initializer,
            dtype=reference_variable.dtype,
            name=f"{reference_variable.path.replace('/', '_')}_{name or 'var'}",
        )

    def add_optimizer_variables(
        self,
        trainable_variables: Sequence[Variable],
        name: str | Sequence[str],
        initializer: InitializerLike | Sequence[InitializerLike] = "zeros",
    ) -> Any:
        """Make one variable, or one of each name, for each of the model's variables.

        Args:
            trainable_variables: the model's variables. Those with `overwrite_with_gradient` need no
                state and get None.
            name: name, or several.
            initializer: initializer for all, or one for each name.

        Returns:
            A list, or a tuple of lists where `name` is a sequence.
        """
        names = [name] if isinstance(name, str) else list(name)
        made_by: list[Any] = (
            list(initializer)
            if isinstance(initializer, (list, tuple))
            else [initializer] * len(names)
        )
        if len(names) != len(made_by):
            raise ValueError(
                "add_optimizer_variables: arguments `name` and `initializer` must have equal "
                f"lengths. Received: name={short(name)}, initializer={short(initializer)}"
            )
        lists: tuple[Slots, ...] = tuple([] for _ in names)
        for variable in trainable_variables:
            for slots, slot, starts_with in zip(lists, names, made_by, strict=True):
                slots.append(
                    None
                    if variable.overwrite_with_gradient
                    else self.add_variable_from_reference(variable, slot, starts_with)
                )
        return lists[0] if isinstance(name, str) else lists

    def assign(self, variable: Variable, value: TensorLike) -> None:
        """Replace the value of a variable."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: TensorLike) -> None:
        """Add to a variable."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: TensorLike) -> None:
        """Subtract from a variable."""
        variable.assign_sub(value)

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Replace the values of all `variables`, or none of them.

        Args:
            weights: arrays, in the order of `variables`.

        Raises:
            ValueError: the optimizer is not built, or number or shapes differ.
        """
        if not self.built:
            raise ValueError(
                f"{type(self).__name__}.set_weights: the optimizer has no variables yet. Call "
                "`optimizer.build(trainable_variables)` before."
            )
        if len(weights) != len(self.variables):
            raise ValueError(
                f"{type(self).__name__}.set_weights: argument `weights` must have "
                f"{len(self.variables)} elements. Received: {len(weights)}."
            )
        for variable, weight in zip(self.variables, weights, strict=True):
            if np.shape(weight) != variable.shape:
                raise ValueError(
                    f"Optimizer variable {short(variable.path)} has shape {variable.shape}, not "
                    f"compatible with a weight of shape {np.shape(weight)}."
                )
        for variable, weight in zip(self.variables, weights, strict=True):
            variable.assign(weight)

    def save_own_variables(self, store: MutableMapping[str, np.ndarray]) -> None:
        """Write the state into a mapping: `"0"`, `"1"`, ... in the order of `variables`."""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.frozen()

    def load_own_variables(self, store: Mapping[str, np.ndarray]) -> None:
        """Read the state from a mapping; with another number of entries, warn and read nothing.

        An optimizer that was saved before it had met the model's variables has the first alone:
        the step and the learning rate.
        """
        first = [variable for variable in self.variables[:2] if variable.host]
        if len(store.keys()) not in (len(self.variables), len(first)):
            unbuilt = "" if self.built else " The optimizer has not been built yet."
            warn(
                f"Skipping variable loading for optimizer {short(self.name)}, because it has "
                f"{len(self.variables)} variables whereas the saved optimizer has "
                f"{len(store.keys())} variables.{unbuilt}",
            )
            return
        for i, variable in enumerate(self.variables[: len(store.keys())]):
            variable.assign(stored(store, str(i)))

    def stateless_apply(
        self,
        optimizer_variables: Sequence[TensorLike],
        grads: Sequence[Tensor],
        trainable_variables: Sequence[TensorLike],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """What `apply` would make of given values; no variable changes.

        Args:
            optimizer_variables: values for `variables`.
            grads: gradients, in the order of the variables the optimizer was built with.
            trainable_variables: values for those variables.

        Returns:
            `(trainable_variables, optimizer_variables)`: lists of tensors.
        """
        if not self.built:
            raise ValueError(
                f"To call `stateless_apply`, {type(self).__name__} must be built. Call "
                "`optimizer.build(trainable_variables)` before."
            )
        if len(optimizer_variables) != len(self.variables):
            raise ValueError(
                "Argument `optimizer_variables` must be a list of tensors, one for each of the "
                f"{len(self.variables)} variables of {type(self).__name__}. Received: "
                f"{len(optimizer_variables)}."
            )
        if len(trainable_variables) != len(self._trainable_variables):
            raise ValueError(
                "Argument `trainable_variables` must be a list of tensors, one for each of the "
                f"{len(self._trainable_variables)} variables the optimizer was built with. "
                f"Received: {len(trainable_variables)}."
            )
        own = [*self._trainable_variables, *self.variables]
        before = [variable.value for variable in own]
        try:
            for variable, value in zip(
                own, [*trainable_variables, *optimizer_variables], strict=True
            ):
                variable.assign(value)
            self.apply(grads)
            after = [variable.value for variable in own]
        finally:
            for variable, value in zip(own, before, strict=True):
                variable.assign(value)
        count = len(self._trainable_variables)
        return after[:count], after[count:]

    apply: Callable[..., None]
