"""What a layer owns: variables, sublayers, metrics and seeds, found through its attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from nkeras.core import guards, tree
from nkeras.core.errors import short
from nkeras.core.random import SeedGenerator
from nkeras.core.typing import Self, Structure, T
from nkeras.core.variable import Variable

if TYPE_CHECKING:
    from nkeras.layers.base import Layer
    from nkeras.metrics import Metric

# What changes in every training, and no call looks at.
_BOOKKEEPING = frozenset(
    "built history input_spec stop_training stop_evaluating stop_predicting trainable "
    "_build_shapes _is_locked _met_by _own_losses _owned_variables _path _settled "
    "_trainable".split()
)


# What holds nothing that a layer owns.
_PLAIN = frozenset((bool, int, float, str, type(None)))


# Lists and dicts of our own that hold nothing a layer owns.
_NO_OWN_THINGS = frozenset(("_build_shapes", "_inbound_nodes", "_own_losses", "_owned_variables"))


class Tracked(guards.Guarded):
    """Collects what stands in attributes, directly or in lists, tuples and dicts.

    Order is Keras': attributes in the order in which they were first set, be it before
    `super().__init__()` is called.
    """

    _owned_variables: list[Variable]
    _tracked_names: dict[str, None]

    if not TYPE_CHECKING:  # editors shall show the constructor's arguments

        def __new__(cls, *args: object, **kwargs: object) -> Self:
            """Collect from the first attribute on."""
            made = super().__new__(cls)
            made.__dict__.update(_owned_variables=[], _tracked_names={})
            return made

    def __setattr__(self, name: str, value: object) -> None:
        known = self.__dict__
        tracked = self._tracked_names
        if type(value) in _PLAIN:
            pass
        elif name not in _NO_OWN_THINGS:
            if isinstance(value, (Tracked, Variable)) and known.get(name) is not value:
                self._check_unlocked(f"the attribute {name!r}")
            if isinstance(value, (Tracked, SeedGenerator, list, dict)) or _is_metric(value):
                tracked[name] = None
            elif isinstance(value, tuple) and any(map(_is_owned, _leaves(value, set()))):
                tracked[name] = None
            elif isinstance(value, Variable):
                self._own(value)
        if "_met_by" in known and _is_setting(name) and guards.is_change(self, name, value):
            guards.changed(self, name)
        super().__setattr__(name, value)

    def _check_unlocked(self, what: str) -> None:
        """A weight or sublayer made after the first call, or in each call, would not be trained."""
        if self.__dict__.get("_is_locked", False):
            raise ValueError(
                f"Layer {short(getattr(self, 'name', ''))} is already built: {what} cannot be "
                "added any more. Make weights and sublayers in `__init__()` or `build()`."
            )

    def __delattr__(self, name: str) -> None:
        value = self.__dict__.get(name)
        guards.changed(self, name)
        self._tracked_names.pop(name, None)
        if isinstance(value, Variable):
            self._owned_variables = [owned for owned in self._owned_variables if owned is not value]
        super().__delattr__(name)

    def _own(self, variable: Variable) -> None:
        if not any(owned is variable for owned in self._owned_variables):
            self._owned_variables.append(variable)

    def _attributes(self) -> Iterator[object]:
        """The objects in tracked attributes, containers flattened."""
        for name in list(self._tracked_names):
            value = self.__dict__.get(name)
            if isinstance(value, (list, tuple, dict)):
                yield from _leaves(value, set())
            else:
                yield value

    def _variables_in_containers(self) -> list[Variable]:
        return [attribute for attribute in self._attributes() if isinstance(attribute, Variable)]

    @property
    def _layers(self) -> list[Any]:
        """Direct sublayers."""
        return unique(
            attribute for attribute in self._attributes() if isinstance(attribute, Tracked)
        )

    @property
    def _metrics(self) -> list[Any]:
        return unique(attribute for attribute in self._attributes() if _is_metric(attribute))

    @property
    def _seed_generators(self) -> list[SeedGenerator]:
        return unique(
            attribute for attribute in self._attributes() if isinstance(attribute, SeedGenerator)
        )

    @property
    def seed_states(self) -> list[Variable]:
        """The variables of its own random seeds."""
        return [seeds.state for seeds in self._seed_generators]

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Layer]:
        """This layer and all below it, each once."""
        found: list[Any] = [self] if include_self else []
        for layer in self._layers:
            found += layer._flatten_layers() if recursive else [layer]
        return unique(found)

    @property
    def metrics(self) -> list[Metric]:
        """Metrics of this layer and its sublayers."""
        found = list(self._metrics)
        for layer in self._layers:
            found += layer.metrics
        return unique(found)

    @property
    def metrics_variables(self) -> list[Variable]:
        """Variables of all metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]


def _is_owned(value: object) -> bool:
    return isinstance(value, (Tracked, Variable, SeedGenerator)) or _is_metric(value)


def _is_setting(name: str) -> bool:
    """Whether a change of an attribute may change what a call does."""
    return name not in _BOOKKEEPING


def _is_metric(value: object) -> bool:
    return all(hasattr(value, name) for name in ("update_state", "reset_state", "result"))


def unique(items: Iterable[T]) -> list[T]:
    """The items in their order, each once."""
    seen: set[int] = set()
    found = []
    for item in items:
        if id(item) not in seen:
            seen.add(id(item))
            found.append(item)
    return found


def _leaves(container: Structure, seen: set[int]) -> list[Structure]:
    """What containers hold, in the order of `tree.flatten`; one may hold itself."""
    seen.add(id(container))
    found: list[Structure] = []
    named = isinstance(container, dict)
    for item in [container[key] for key in tree.keys(container)] if named else container:
        if not tree.is_nested(item):
            found.append(item)
        elif id(item) not in seen:
            found += _leaves(item, seen)
    return found
