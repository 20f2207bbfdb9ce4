"""Several optimizers for one model, chosen by the paths of its variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import ClassVar

from nkeras.core.configurable import Configurable
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.host import Switch
from nkeras.core.typing import Gradients
from nkeras.core.variable import Variable
from nkeras.optimizers.loss_scale import LossScaleOptimizer
from nkeras.optimizers.optimizer import Optimizer


class OptimizerMap(Configurable, MutableMapping[str, Optimizer]):
    """Optimizers by the paths of variables, as a dict whose keys may be patterns.

    A variable takes the optimizer of its path, or of the one pattern that matches its whole path
    (`"encoder/.*"`), or the default.

    Args:
        default_optimizer: for paths that no key matches.
        optimizer_map: dict from path or regular expression to optimizer.

    Raises:
        TypeError: the default is no optimizer, or `optimizer_map` no dict.

    Example:
        >>> from nkeras import optimizers
        >>> chosen = optimizers.OptimizerMap(optimizers.SGD(), {"encoder/.*": optimizers.Adam()})
        >>> type(chosen["encoder/dense/kernel"]).__name__, type(chosen["dense/kernel"]).__name__
        ('Adam', 'SGD')

    Source: https://keras.io/api/optimizers/
    """

    config_reads: ClassVar[Mapping[str, str]] = {
        "default_optimizer": "_default_optimizer",
        "optimizer_map": "_optimizer_map",
    }

    def __init__(
        self,
        default_optimizer: Optimizer,
        optimizer_map: MutableMapping[str, Optimizer] | None = None,
    ) -> None:
        if not is_a(default_optimizer, Optimizer):
            raise TypeError(
                "OptimizerMap: argument `default_optimizer` must be an optimizer. Received: "
                f"{short(default_optimizer)}"
            )
        if optimizer_map is not None and not is_a(optimizer_map, dict):
            raise TypeError(
                "OptimizerMap: argument `optimizer_map` must be a dict. Received: "
                f"{short(optimizer_map)}"
            )
        self._default_optimizer = default_optimizer
        self._optimizer_map = {} if optimizer_map is None else optimizer_map

    @property
    def default_optimizer(self) -> Optimizer:
        """The optimizer of variables that no key matches."""
        return self._default_optimizer

    def __getitem__(self, path: str) -> Optimizer:
        """The optimizer for the variable of a path.

        Args:
            path: of the variable.

        Raises:
            ValueError: several patterns match the path.
        """
        if path in self._optimizer_map:
            return self._optimizer_map[path]
        matching = [pattern for pattern in self._optimizer_map if re.fullmatch(pattern, path)]
        if len(matching) > 1:
            raise ValueError(
                f"Multiple optimizers assigned to variable {short(path)}: the keys "
                f"{short(matching)} match. At most one may."
            )
        return self._optimizer_map[matching[0]] if matching else self._default_optimizer

    def __setitem__(self, path: str, optimizer: Optimizer) -> None:
        if path in self._optimizer_map:
            raise ValueError(
                f"{short(path)} already exists in the OptimizerMap with value "
                f"{short(self._optimizer_map[path])}. Delete it first."
            )
        if not is_a(path, str):
            refuse("key", path, "a string", "OptimizerMap")
        if not is_a(optimizer, Optimizer) or isinstance(optimizer, _WRAPPERS):
            refuse("optimizer", optimizer, "an optimizer, and no wrapper of one", "OptimizerMap")
        self._optimizer_map[path] = optimizer

    def __delitem__(self, path: str) -> None:
        del self._optimizer_map[path]

    def __len__(self) -> int:
        return len(self._optimizer_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._optimizer_map)

    def __hash__(self) -> int:
        return id(self)

    def __call__(self, variable: Variable) -> Optimizer:
        """The optimizer for a variable."""
        return self[variable.path]


class _SharedSwitch(Switch):
    """An attribute that the optimizers in use have too."""

    def __set__(self, instance: MultiOptimizer, value: object) -> None:
        super().__set__(instance, value)
        for optimizer in instance.__dict__.get("_inner_optimizers", ()):
            setattr(optimizer, self.name, value)


class MultiOptimizer(Optimizer):
    """Updates each variable by the optimizer that is chosen for it.

    Learning rates and state are those of `optimizers`, the optimizers that are in use.

    Args:
        optimizer_map: OptimizerMap, or a function that returns an optimizer for a variable.
        loss_scale_factor: None, or by what the loss is multiplied, for all optimizers.
        name: name.

    Example:
        >>> from nkeras import optimizers
        >>> chosen = optimizers.OptimizerMap(optimizers.SGD(), {"encoder/.*": optimizers.Adam()})
        >>> [type(one).__name__ for one in optimizers.MultiOptimizer(chosen).optimizers]
        ['Adam', 'SGD']

    Source: https://keras.io/api/optimizers/
    """

    config_reads: ClassVar[Mapping[str, str]] = {"optimizer_map": "_optimizer_map"}
    config_first: ClassVar[tuple[str, ...]] = ("optimizer_map", "loss_scale_factor", "name")

    loss_scale_factor = _SharedSwitch()

    def __init__(
        self,
        optimizer_map: OptimizerMap | Callable[[Variable], Optimizer],
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(learning_rate=0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_map = optimizer_map
        self._inner_optimizers: list[Optimizer] = []
        if isinstance(optimizer_map, OptimizerMap):
            for optimizer in (*optimizer_map.values(), optimizer_map.default_optimizer):
                self._take_in(optimizer)

    def _take_in(self, optimizer: Optimizer) -> None:
        if not is_a(optimizer, Optimizer) or isinstance(optimizer, _WRAPPERS):
            raise ValueError(
                "MultiOptimizer: argument `optimizer_map` must give an optimizer for each variable "
                f"that is no wrapper of another. Received: {short(optimizer)}"
            )
        if all(optimizer is not known for known in self._inner_optimizers):
            optimizer.loss_scale_factor = self.loss_scale_factor
            self._inner_optimizers.append(optimizer)

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimizers that are in use."""
        return self._inner_optimizers

    def build(self, variables: Sequence[Variable]) -> None:
        """Choose an optimizer for each variable, and build them."""
        if self.built:
            return
        self._chosen = [self._optimizer_map(variable) for variable in variables]
        for optimizer in self._chosen:
            self._take_in(optimizer)
        super().build(variables)
        for optimizer, own in self._by_optimizer(variables):
            optimizer.build(own)

    def _by_optimizer(
        self, variables: Sequence[Variable]
    ) -> list[tuple[Optimizer, list[Variable]]]:
        pairs = [
            (optimizer, [v for v in variables if self._chosen[self._indices[id(v)]] is optimizer])
            for optimizer in self._inner_optimizers
        ]
        return [(optimizer, own) for optimizer, own in pairs if own]

    @property
    def variables(self) -> list[Variable]:
        """The counter, and the state of all optimizers."""
        inner = [v for optimizer in self._inner_optimizers for v in optimizer.variables]
        return [*self._variables, *inner]

    @property
    def learning_rate(self) -> float:
        """There is none: each of `optimizers` has its own."""
        raise AttributeError(
            "A MultiOptimizer has no learning rate: each of its `optimizers` has its own."
        )

    @learning_rate.setter
    def learning_rate(self, learning_rate: object) -> None:
        raise AttributeError(
            "The learning rate of a MultiOptimizer cannot be set: set those of its `optimizers`."
        )

    def apply(
        self, grads: Gradients, trainable_variables: Sequence[Variable] | None = None
    ) -> None:
        """Update each variable by its optimizer.

        Args:
            grads: gradients, one for each variable; None for one that is to stay as it is.
            trainable_variables: the variables; those the optimizer was built with by default.
        """
        grads = list(grads)
        if not grads:
            return
        variables = self._variables_for(grads, trainable_variables)
        by_variable = {id(v): grad for v, grad in zip(variables, grads, strict=True)}
        for optimizer, own in self._by_optimizer(variables):
            optimizer.apply([by_variable[id(v)] for v in own], own)
        self._iterations.assign_add(1)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """As the optimizers of the variables do."""
        for optimizer, own in self._by_optimizer(var_list):
            optimizer.finalize_variable_values(own)


_WRAPPERS = (LossScaleOptimizer, MultiOptimizer)
