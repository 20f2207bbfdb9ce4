"""What a layer owns: variables, sublayers, metrics and seeds, found through its attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import get_ident, local
from typing import TYPE_CHECKING, Any

import numpy as np

from nkeras.core import graph, guards, recording, tree
from nkeras.core.errors import as_bool
from nkeras.core.random import SeedGenerator
from nkeras.core.tensor import Tensor
from nkeras.core.typing import T, TensorLike
from nkeras.core.variable import Variable

if TYPE_CHECKING:
    from nkeras.layers.base import Layer
    from nkeras.metrics import Metric


class _Thread(local):
    has_losses = False  # whether any layer holds losses of this thread


_this_thread = _Thread()

# What changes in every training, and no call looks at.
_BOOKKEEPING = frozenset(
    "built history input_spec stop_training stop_evaluating stop_predicting trainable "
    "_build_shapes _is_locked _met_by _own_losses _owned_variables _path _settled "
    "_trainable".split()
)


# Lists and dicts of our own that hold nothing a layer owns.
_NO_OWN_THINGS = frozenset(("_build_shapes", "_inbound_nodes", "_own_losses", "_owned_variables"))


class Tracked(guards.Guarded):
    """Collects what stands in attributes, directly or in lists, tuples and dicts.

    Order is Keras': attributes in the order in which they were first set.
    """

    def __init__(self) -> None:
        self._owned_variables: list[Variable] = []
        self._tracked_names: dict[str, None] = {}
        self._own_losses: dict[int, list[Tensor]] = {}

    def __setattr__(self, name: str, value: object) -> None:
        tracked = self.__dict__.get("_tracked_names")
        if tracked is not None and name not in _NO_OWN_THINGS:
            if isinstance(value, (Tracked, Variable)) and self.__dict__.get(name) is not value:
                self._check_unlocked(f"the attribute {name!r}")
            if isinstance(value, (Tracked, SeedGenerator, list, dict)) or _is_metric(value):
                tracked[name] = None
            elif isinstance(value, tuple) and any(map(_is_owned, tree.flatten(value))):
                tracked[name] = None
            elif isinstance(value, Variable):
                self._own(value)
        elif tracked is None and isinstance(value, (Tracked, Variable, SeedGenerator)):
            raise RuntimeError(
                f"In layer {type(self).__name__}, call `super().__init__()` before attributes "
                "are set."
            )
        if _is_setting(name) and guards.is_change(self, name, value):
            guards.changed(self, name)
        super().__setattr__(name, value)

    def _check_unlocked(self, what: str) -> None:
        """A weight or sublayer made after the first call, or in each call, would not be trained."""
        if self.__dict__.get("_is_locked", False):
            raise ValueError(
                f"Layer {getattr(self, 'name', '')!r} is already built: {what} cannot be added any "
                "more. Make weights and sublayers in `__init__()` or `build()`."
            )

    def __delattr__(self, name: str) -> None:
        value = self.__dict__.get(name)
        guards.changed(self, name)
        self._tracked_names.pop(name, None)
        if isinstance(value, Variable):
            self._owned_variables = [one for one in self._owned_variables if one is not value]
        super().__delattr__(name)

    def _own(self, variable: Variable) -> None:
        if not any(one is variable for one in self._owned_variables):
            self._owned_variables.append(variable)

    def _attributes(self) -> Iterator[object]:
        """The objects in tracked attributes, containers flattened."""
        for name in list(self._tracked_names):
            value = self.__dict__.get(name)
            if isinstance(value, (list, tuple, dict)):
                yield from tree.flatten(value)
            else:
                yield value

    def _variables_in_containers(self) -> list[Variable]:
        return [one for one in self._attributes() if isinstance(one, Variable)]

    @property
    def _layers(self) -> list[Any]:
        """Direct sublayers."""
        return _unique(one for one in self._attributes() if isinstance(one, Tracked))

    @property
    def _metrics(self) -> list[Any]:
        return _unique(one for one in self._attributes() if _is_metric(one))

    @property
    def _seed_generators(self) -> list[SeedGenerator]:
        return _unique(one for one in self._attributes() if isinstance(one, SeedGenerator))

    def _own_weights(self) -> list[Variable]:
        """Own variables, trainable ones first."""
        own = _unique([*self._owned_variables, *self._variables_in_containers()])
        return [v for v in own if _was_trainable(v)] + [v for v in own if not _was_trainable(v)]

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Layer]:
        """This layer and all below it, each once."""
        found: list[Any] = [self] if include_self else []
        for layer in self._layers:
            found += layer._flatten_layers() if recursive else [layer]
        return _unique(found)

    @property
    def variables(self) -> list[Variable]:
        """All variables, those of random seeds included."""
        found = [*self._own_weights(), *(seeds.state for seeds in self._seed_generators)]
        for layer in self._layers:
            found += layer.variables
        return _unique(found)

    @property
    def weights(self) -> list[Variable]:
        """All variables but random seeds, trainable ones of each layer first."""
        found = self._own_weights()
        for layer in self._layers:
            found += layer.weights
        return _unique(found)

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training updates."""
        if not self.trainable:
            return []
        return [v for v in self.variables if v.trainable]

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that training does not update, random seeds included."""
        if not self.trainable:
            return self.variables
        return [v for v in self.variables if not v.trainable]

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training updates."""
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training does not update."""
        return [v for v in self.weights if not v.trainable] if self.trainable else self.weights

    @property
    def trainable(self) -> bool:
        """Whether training may update the layer's weights; setting it reaches all sublayers."""
        recorder = recording.active()
        if recorder is not None:
            recorder.look_at_switch(self)
        return self.__dict__.get("_trainable", True)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = as_bool(value, "trainable", type(self).__name__)
        if self.__dict__.get("_trainable", True) is not value:
            guards.switched()
        self._trainable = value
        for variable in self._own_weights():
            if _was_trainable(variable):
                variable.trainable = value
        for layer in self._layers:
            layer.trainable = value

    @property
    def metrics(self) -> list[Metric]:
        """Metrics of this layer and its sublayers."""
        found = list(self._metrics)
        for layer in self._layers:
            found += layer.metrics
        return _unique(found)

    @property
    def metrics_variables(self) -> list[Variable]:
        """Variables of all metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def add_loss(self, loss: TensorLike | Sequence[TensorLike] | Callable[[], TensorLike]) -> None:
        """Add a scalar tensor (or a list of them) to the loss that training minimises.

        Call it in `call`; what was added is forgotten at the next call of the outermost layer.
        """
        for one in tree.flatten(loss):
            if not hasattr(one, "shape"):
                raise ValueError(f"add_loss: a loss must be a tensor. Received: {one!r}")
            if graph.tracing():
                continue  # shapes are inferred: there is no value
            self._own_losses.setdefault(get_ident(), []).append(one)
            _this_thread.has_losses = True
            recorder = recording.active()
            if recorder is not None:
                recorder.losses.append((self, one))

    @property
    def losses(self) -> list[Tensor]:
        """Losses added in the last call by this thread, and those of weight regularizers."""
        found: list[Tensor] = []
        for layer in self._flatten_layers():
            found += layer._own_losses.get(get_ident(), [])
        found += [v.regularizer(v) for v in self.trainable_variables if v.regularizer is not None]
        return found

    def _replace_losses(self, losses: list[Tensor]) -> None:
        """The losses that a replayed step has added."""
        self._own_losses[get_ident()] = losses
        _this_thread.has_losses = True

    def _clear_losses(self) -> None:
        if not _this_thread.has_losses:
            return
        for layer in self._flatten_layers():
            layer._own_losses.pop(get_ident(), None)

    def count_params(self) -> int:
        """Number of elements of all weights.

        Raises:
            ValueError: the layer has not been built.
        """
        if not getattr(self, "built", True):
            raise ValueError(
                f"Layer {getattr(self, 'name', '')!r} is not built yet, so its weights cannot be "
                "counted. Call it on data or use build(input_shape)."
            )
        return sum(variable.size for variable in self.weights)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the weights as NumPy arrays, in the order of `weights`."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Iterable[TensorLike]) -> None:
        """Set all weights, or none.

        Args:
            weights: arrays in the order and shapes of `weights`.

        Raises:
            ValueError: number or a shape differs; then no weight has changed.
        """
        own = self.weights
        values = [np.asarray(value) for value in weights]
        name = getattr(self, "name", type(self).__name__)
        if len(values) != len(own):
            raise ValueError(
                f"You called set_weights(weights) on layer {name!r} with a list of {len(values)} "
                f"arrays, but the layer was expecting {len(own)} weights."
            )
        for variable, value in zip(own, values, strict=True):
            if value.shape != variable.shape:
                raise ValueError(
                    f"Layer {name!r} weight {variable.path!r} has shape {variable.shape}; received "
                    f"an array of shape {value.shape}. No weight was changed."
                )
            if value.dtype == object or value.dtype.kind in "SUMmc":
                raise ValueError(
                    f"Layer {name!r} weight {variable.path!r}: an array of dtype {value.dtype} "
                    "cannot become a weight. No weight was changed."
                )
        for variable, value in zip(own, values, strict=True):
            variable.assign(value)


def _was_trainable(variable: Variable) -> bool:
    """Whether the variable was made trainable, also if it is frozen now."""
    return variable._made_trainable


def _is_owned(value: object) -> bool:
    return isinstance(value, (Tracked, Variable, SeedGenerator)) or _is_metric(value)


def _is_setting(name: str) -> bool:
    """Whether a change of an attribute may change what a call does."""
    return name not in _BOOKKEEPING


def _is_metric(value: object) -> bool:
    return hasattr(value, "update_state") and hasattr(value, "reset_state")


def _unique(items: Iterable[T]) -> list[T]:
    seen: set[int] = set()
    found = []
    for item in items:
        if id(item) not in seen:
            seen.add(id(item))
            found.append(item)
    return found
