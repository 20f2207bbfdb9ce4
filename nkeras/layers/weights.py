"""The weights of a layer: how they are made, listed, frozen, read and set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, overload

import numpy as np

from nkeras import constraints, initializers, regularizers
from nkeras.core import dtypes, guards, naming, observer
from nkeras.core.errors import as_bool, short
from nkeras.core.policies import DTypePolicy, DTypePolicyMap
from nkeras.core.scope import Scope
from nkeras.core.typing import (
    ConstraintLike,
    DTypeLike,
    InitializerLike,
    RegularizerLike,
    TensorLike,
)
from nkeras.core.variable import Variable, stored
from nkeras.layers.tracking import Tracked, unique


class Weighted(Tracked):
    """The part of a layer that has weights."""

    name: str
    dtype_policy: DTypePolicy
    _path: tuple[str, ...]

    @overload
    def add_weight(
        self, shape: str, initializer: Sequence[int | None], /, *, autocast: bool = ...
    ) -> Variable: ...
    @overload
    def add_weight(
        self,
        shape: Sequence[int | None] | int | None = None,
        initializer: InitializerLike = None,
        dtype: DTypeLike = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable: ...
    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: DTypeLike = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Make a variable that the layer owns.

        `add_weight("kernel", shape)` is short for a weight whose initializer, regularizer and
        constraint are the layer's attributes `kernel_initializer`, `kernel_regularizer` and
        `kernel_constraint`; where there are none, those of the name without `_kernel`.

        Args:
            shape: tuple of int; `()` by default.
            initializer: name, object or function; Glorot uniform (floats) or zeros by default.
            dtype: dtype; the layer's variable dtype by default.
            trainable: whether training updates it.
            autocast: whether it is read in the compute dtype.
            regularizer: penalty added to the loss.
            constraint: function applied after each update.
            aggregation: kept for Keras' sake.
            overwrite_with_gradient: the optimizer replaces the value by its gradient.
            name: name.

        Returns:
            The variable.
        """
        self._check_initialized()
        self._check_unlocked("a weight")
        if isinstance(shape, str):
            name, shape = shape, initializer
            initializer, regularizer, constraint = self._options_of(name)
        dtype = self.variable_dtype if dtype is None else dtypes.standardize(dtype)
        if initializer is None:
            initializer = "glorot_uniform" if dtypes.is_floating(dtype) else "zeros"
        shape = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        known = [size for size in shape if size is not None]
        if len(known) < len(shape):
            raise ValueError(
                f"Layer {short(self.name)}: a weight needs a known shape. Received: "
                f"shape={short(shape)}; the "
                "input shape leaves a size open that the weight depends on."
            )
        with self._name_scope():
            variable = Variable(
                initializers.get(initializer),
                shape=known,
                dtype=dtype,
                trainable=trainable,
                autocast=autocast,
                aggregation=aggregation,
                name=name,
            )
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        variable.trainable = bool(trainable) and self.trainable
        self._own(variable)
        return variable

    def add_variable(
        self,
        shape: Sequence[int | None] | int,
        initializer: InitializerLike,
        dtype: DTypeLike = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
        name: str | None = None,
    ) -> Variable:
        """`add_weight` by another name.

        Args:
            shape: tuple of int.
            initializer: name, object or function; Glorot uniform (floats) or zeros for None.
            dtype: dtype; the layer's variable dtype by default.
            trainable: whether training updates it.
            autocast: whether it is read in the compute dtype.
            regularizer: penalty added to the loss.
            constraint: function applied after each update.
            name: name.

        Returns:
            The variable.
        """
        return self.add_weight(
            shape=shape,
            initializer=initializer,
            dtype=dtype,
            trainable=trainable,
            autocast=autocast,
            regularizer=regularizer,
            constraint=constraint,
            name=name,
        )

    def _set_options(
        self,
        name: str,
        initializer: InitializerLike,
        regularizer: RegularizerLike = None,
        constraint: ConstraintLike = None,
    ) -> None:
        """Keep what the weight of a name is made with, as attributes of Keras' names."""
        setattr(self, f"{name}_initializer", initializers.get(initializer))
        setattr(self, f"{name}_regularizer", regularizers.get(regularizer))
        setattr(self, f"{name}_constraint", constraints.get(constraint))

    def _options_of(self, name: str) -> list[Any]:
        """Initializer, regularizer and constraint of the weight of a name."""
        if not hasattr(self, f"{name}_initializer"):
            name = name.removesuffix("_kernel")
        kinds = ("initializer", "regularizer", "constraint")
        return [getattr(self, f"{name}_{kind}", None) for kind in kinds]

    @property
    def _policy(self) -> DTypePolicy:
        """The policy of this layer, where there is one for each path."""
        policy = self.dtype_policy
        if policy.by_path:
            assert isinstance(policy, DTypePolicyMap)
            return policy["/".join(self._scope_path())]
        return policy

    @property
    def path(self) -> str | None:
        """The names of the layers around and its own, such as `"encoder/dense"`; None unbuilt."""
        return "/".join(self._path) or None

    @property
    def dtype(self) -> str:
        """The dtype of the variables."""
        return self._policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the variables."""
        return self._policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype that inputs and variables are cast to."""
        policy = self.dtype_policy  # asked for in each call of a layer
        return (self._policy if policy.by_path else policy).compute_dtype

    @property
    def input_dtype(self) -> str:
        """The dtype that inputs are cast to."""
        policy = self.dtype_policy  # asked for in each call of a layer
        return (self._policy if policy.by_path else policy).compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        """`"int8"` for a layer whose policy makes integers of its weights, else None."""
        return self._policy.quantization_mode

    def _own_weights(self) -> list[Variable]:
        """Own variables, trainable ones first."""
        own = unique([*self._owned_variables, *self._variables_in_containers()])
        return [v for v in own if v.made_trainable] + [v for v in own if not v.made_trainable]

    @property
    def variables(self) -> list[Variable]:
        """All variables, those of random seeds included."""
        found = [*self._own_weights(), *self.seed_states]
        for layer in self._layers:
            found += layer.variables
        return unique(found)

    @property
    def weights(self) -> list[Variable]:
        """All variables but random seeds, trainable ones of each layer first."""
        found = self._own_weights()
        for layer in self._layers:
            found += layer.weights
        return unique(found)

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
        recorder = observer.active()
        if recorder is not None:
            recorder.look_at_switch(self, "trainable")
        return self.__dict__.get("_trainable", True)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = as_bool(value, "trainable", type(self).__name__)
        if self.__dict__.get("_trainable", True) is not value:
            guards.switched()
        self._trainable = value
        for variable in self._own_weights():
            if self._may_thaw(variable):
                variable.trainable = value
        for layer in self._layers:
            layer.trainable = value

    def _may_thaw(self, variable: Variable) -> bool:
        """Whether a variable follows the layer's `trainable`."""
        return variable.made_trainable

    def count_params(self) -> int:
        """Number of elements of all weights.

        Raises:
            ValueError: the layer has not been built.
        """
        if not getattr(self, "built", True):
            raise ValueError(
                f"Layer {short(getattr(self, 'name', ''))} is not built yet, so its weights cannot "
                "be counted. Call it on data or use build(input_shape)."
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
                f"You called set_weights(weights) on layer {short(name)} with a list of "
                f"{len(values)} arrays, but the layer was expecting {len(own)} weights."
            )
        for variable, value in zip(own, values, strict=True):
            if value.shape != variable.shape:
                raise ValueError(
                    f"Layer {short(name)} weight {short(variable.path)} has shape "
                    f"{variable.shape}; received "
                    f"an array of shape {value.shape}. No weight was changed."
                )
            is_refused = "SUMm" if dtypes.is_complex(variable.dtype) else "SUMmc"
            if value.dtype == object or value.dtype.kind in is_refused:
                raise ValueError(
                    f"Layer {short(name)} weight {short(variable.path)}: an array of dtype "
                    f"{value.dtype} cannot become a weight. No weight was changed."
                )
        for variable, value in zip(own, values, strict=True):
            variable.assign(value)

    def saved_weights(self) -> list[Variable]:
        """What `save_own_variables` writes, in its order."""
        return self._own_weights()

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Write the layer's own weights into a mapping, without those of sublayers.

        Args:
            store: mapping such as a dict, for `"0"`, `"1"`, ...

        Source: https://keras.io/guides/customizing_saving_and_serialization/
        """
        changed = self._saved_changed()
        for i, variable in enumerate(self.saved_weights()):
            store[str(i)] = changed[variable] if variable in changed else variable.frozen()

    def _saved_changed(self) -> Mapping[Variable, np.ndarray]:
        """Values that are written instead of those of the variables."""
        return {}

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read the layer's own weights from a mapping.

        Args:
            store: what `save_own_variables` has written.

        Raises:
            ValueError: it has another number of weights; then none has changed.
        """
        weights = self.saved_weights()
        if len(store) != len(weights):
            raise ValueError(
                f"Layer {short(self.name)} expected {len(weights)} variables, but received "
                f"{len(store)} variables during loading. Expected: "
                f"{short([variable.name for variable in weights])}"
            )
        for i, variable in enumerate(weights):
            variable.assign(stored(store, str(i)))

    def _name_scope(self) -> Scope[tuple[str, ...]]:
        return naming.root_scope(*self._scope_path())

    def _scope_path(self) -> tuple[str, ...]:
        return self._path or (*naming.scope_path(), self.name)

    def _check_initialized(self) -> None:
        if "_inbound_nodes" not in self.__dict__:
            raise RuntimeError(
                f"In layer {type(self).__name__}, you forgot to call `super().__init__()` as the "
                "first statement in the `__init__()` method."
            )
