"""Metric: the base class of metrics, variables that are updated batch by batch.

Source: https://keras.io/api/metrics/base_metric/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nkeras import initializers
from nkeras.core import config as settings
from nkeras.core import guards, naming, policies, tree
from nkeras.core.configurable import Configurable
from nkeras.core.stateless import StatelessScope, pairs
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, InitializerLike, PolicyLike, TensorLike
from nkeras.core.variable import Variable
from nkeras.ops.core import zeros


class Metric(Configurable, guards.Guarded):
    """Base class of metrics: a subclass makes variables and gives `update_state` and `result`.

    Args:
        dtype: dtype or dtype policy to compute in; `floatx` by default.
        name: name; snake case of the class name, made unique, by default.

    Example:
        >>> import nkeras
        >>> class Largest(nkeras.metrics.Metric):
        ...     def __init__(self):
        ...         super().__init__(name="largest")
        ...         self.value = self.add_weight(name="value", initializer="zeros")
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.value.assign(nkeras.ops.maximum(self.value, nkeras.ops.max(y_pred)))
        ...     def result(self):
        ...         return self.value.value
        >>> float(Largest()([0.0], [3.0]))
        3.0

    Source: https://keras.io/api/metrics/base_metric/#metric-class
    """

    config_reads: ClassVar[Mapping[str, str]] = {"dtype": "_dtype"}
    config_first: ClassVar[tuple[str, ...]] = ("name", "dtype")
    _variables: list[Variable]
    _metrics: list[Metric]

    def __init__(self, dtype: PolicyLike = None, name: str | None = None) -> None:
        self.name = name or naming.auto_name(type(self).__name__)
        self._dtype: str = policies.get(dtype or settings.floatx()).compute_dtype
        object.__setattr__(self, "_variables", [])
        object.__setattr__(self, "_metrics", [])

    @property
    def dtype(self) -> str:
        """The dtype that values are cast to."""
        return self._dtype

    @property
    def variables(self) -> list[Variable]:
        """The state: own variables, then those of metrics kept as attributes."""
        nested = [variable for metric in self._metrics for variable in metric.variables]
        return [*self._variables, *nested]

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(self, "_variables"):
            for leaf in tree.flatten(value):
                self._track(leaf)
        if guards.is_change(self, name, value):
            guards.changed(self, name)
        super().__setattr__(name, value)

    def _track(self, thing: Any) -> None:
        """Keep a variable or metric, once."""
        if isinstance(thing, Variable):
            if all(thing is not known for known in self._variables):
                self._variables.append(thing)
        elif isinstance(thing, Metric) and all(thing is not known for known in self._metrics):
            self._metrics.append(thing)

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: InitializerLike,
        dtype: DTypeLike = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Make a variable of the state.

        Args:
            shape: its shape.
            initializer: initializer, by object or name; zeros for None.
            dtype: its dtype; `floatx` by default.
            aggregation: kept for Keras' sake: nkeras trains on one device.
            name: name.

        Returns:
            Variable.

        Raises:
            RuntimeError: `super().__init__()` was not called.
        """
        self._check_super_called()
        with naming.name_scope(self.name.replace("/", ">")):
            variable = Variable(
                _zeros if initializer is None else initializers.get(initializer),
                shape=tuple(shape),
                dtype=dtype,
                trainable=False,
                aggregation=aggregation,
                synchronization="on_read",
                name=name,
            )
        self._track(variable)
        return variable

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: InitializerLike = None,
        dtype: DTypeLike = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable of the state; see `add_variable`."""
        return self.add_variable(shape, initializer, dtype=dtype, name=name)

    def _check_super_called(self) -> None:
        if not hasattr(self, "_variables"):
            raise RuntimeError(
                f"{type(self).__name__}: call `super().__init__()` first in `__init__()`."
            )

    def reset_state(self) -> None:
        """Set all variables to zero."""
        for variable in self.variables:
            variable.assign(zeros(variable.shape, variable.dtype))

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Take a batch into account; for subclasses."""
        raise NotImplementedError(f"{type(self).__name__} must implement update_state().")

    def result(self) -> Tensor:
        """The metric's value now, a tensor (or a dict of them); for subclasses."""
        raise NotImplementedError(f"{type(self).__name__} must implement result().")

    def stateless_update_state(
        self, metric_variables: Sequence[TensorLike], *args: Any, **kwargs: Any
    ) -> list[Tensor]:
        """What `update_state` would make of given values; no variable changes.

        Args:
            metric_variables: values, in the order of `variables`.
            *args: arguments of `update_state`.
            **kwargs: arguments of `update_state` by name.

        Returns:
            The values behind the update.

        Raises:
            ValueError: the number of values is another one.

        Example:
            >>> import nkeras
            >>> metric = nkeras.metrics.Mean()
            >>> state = metric.stateless_update_state(metric.stateless_reset_state(), [1.0, 3.0])
            >>> float(metric.stateless_result(state)), float(metric.result())
            (2.0, 0.0)

        Source: https://keras.io/api/metrics/base_metric/
        """
        with self._with_values(metric_variables, "stateless_update_state") as scope:
            self.update_state(*args, **kwargs)
        return scope.values(self.variables)

    def stateless_result(self, metric_variables: Sequence[TensorLike]) -> Any:
        """What `result` gives for given values; see `stateless_update_state`."""
        with self._with_values(metric_variables, "stateless_result"):
            return self.result()

    def stateless_reset_state(self) -> list[Tensor]:
        """The values that `reset_state` would give the variables; see `stateless_update_state`."""
        with StatelessScope() as scope:
            self.reset_state()
        return scope.values(self.variables)

    def _with_values(self, values: Sequence[TensorLike], method: str) -> StatelessScope:
        owner = f"{type(self).__name__}.{method}"
        return StatelessScope(pairs(self.variables, values, "metric_variables", owner))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Update with a batch and return the result."""
        self._check_super_called()
        self.update_state(*args, **kwargs)
        return self.result()


def _zeros(shape: Sequence[int], dtype: DTypeLike = None) -> Tensor:
    return zeros(shape, dtype)
