"""Layer: parameters, and a `call` made of ops."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import numpy as np

from nkeras import constraints, initializers, regularizers
from nkeras.core import dtypes, graph, naming, policies, serialization, tree
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.variable import Variable, autocast_scope
from nkeras.layers import calling
from nkeras.layers.input_spec import assert_input_compatibility
from nkeras.layers.tracking import Tracked

_build_lock = RLock()


class Layer(Tracked):
    """Parameters and a function of tensors.

    A subclass defines `__init__`, `build(input_shape)` if it has weights of its own, and
    `call(inputs)` made of `nkeras.ops`. Shapes, configuration, gradients and all backends follow.

    Args:
        activity_regularizer: function of the output whose value is added to the loss.
        trainable: whether training may update the weights.
        dtype: dtype name or policy; the default policy for None.
        autocast: cast floating inputs to the compute dtype.
        name: name; made from the class name for None.

    Example:
        >>> import nkeras
        >>> class Scale(nkeras.Layer):
        ...     def build(self, input_shape):
        ...         self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones")
        ...     def call(self, inputs):
        ...         return inputs * self.scale
        >>> Scale()(nkeras.ops.ones((2, 3))).shape
        (2, 3)

    Source: https://keras.io/api/layers/base_layer/
    """

    _captured: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Remember the constructor's arguments."""
        layer = super().__new__(cls)
        object.__setattr__(layer, "_captured", _capture(cls, args, kwargs))
        return layer

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if "build" in cls.__dict__:
            cls.build = _building(cls.__dict__["build"])

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        input_shape = _input_shape_argument(kwargs)
        if kwargs:
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}"
            )
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(
                f"{type(self).__name__}: argument `name` must be a string without '/'. "
                f"Received: name={name!r}"
            )
        self.name = name or naming.auto_name(type(self).__name__)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.dtype_policy = policies.get(dtype)
        self.autocast = autocast
        self.built = False
        self.input_spec: Any = None
        self.supports_masking = type(self).compute_mask is not Layer.compute_mask
        self._trainable = bool(trainable)
        self._inbound_nodes: list[graph.Node] = []
        self._settled = False
        self._build_shapes: dict[str, Any] | None = None
        self._path: tuple[str, ...] = ()
        self._input_shape_arg = input_shape

    # Building.

    def build(self, input_shape: Any) -> None:
        """Make the weights; the default builds sublayers by tracing `call`.

        Args:
            input_shape: shape with None for unknown sizes, or a structure of shapes.
        """
        if type(self).call is not Layer.call and self._layers:
            self._trace_to_build(input_shape)
        self.built = True

    def _trace_to_build(self, input_shape: Any) -> None:
        def symbolic(shape: Any) -> KerasTensor:
            return KerasTensor(shape, self.input_dtype)

        try:
            self._trace_in_scope((_map_shapes(symbolic, input_shape),), {})
        except Exception as error:
            raise RuntimeError(
                f"Layer {self.name!r} has sublayers, no `build` of its own, and its `call` failed "
                f"on inputs of shape {input_shape}: {error}"
            ) from error

    def _trace_in_scope(self, args: Any, kwargs: dict[str, Any]) -> None:
        """Run `call` on symbolic tensors, so that sublayers are built, in this layer's scope."""
        self._path = self._scope_path()
        with self._name_scope():
            graph.infer_outputs(self.call, args, kwargs)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build from what `get_build_config` returned."""
        if "input_shape" in config:
            self.build(_as_shapes(config["input_shape"]))
        elif "shapes_dict" in config:
            self.build(**{key: _as_shapes(value) for key, value in config["shapes_dict"].items()})

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that the layer was built with."""
        if self._build_shapes is None:
            return None
        if len(self._build_shapes) == 1:
            return {"input_shape": next(iter(self._build_shapes.values()))}
        return {"shapes_dict": self._build_shapes}

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Make a variable that the layer owns.

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
        dtype = self.variable_dtype if dtype is None else dtypes.standardize(dtype)
        if initializer is None:
            initializer = "glorot_uniform" if dtypes.is_floating(dtype) else "zeros"
        shape = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        if any(size is None for size in shape):
            raise ValueError(
                f"Layer {self.name!r}: a weight needs a known shape. Received: shape={shape}; the "
                "input shape leaves a size open that the weight depends on."
            )
        with self._name_scope():
            variable = Variable(
                initializers.get(initializer),
                shape=shape,
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

    # dtypes.

    @property
    def dtype(self) -> str:
        """The dtype of the variables."""
        return self.dtype_policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the variables."""
        return self.dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype that inputs and variables are cast to."""
        return self.dtype_policy.compute_dtype

    @property
    def input_dtype(self) -> str:
        """The dtype that inputs are cast to."""
        return self.dtype_policy.compute_dtype

    # Calling.

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the layer computes; a subclass defines it."""
        raise NotImplementedError(
            f"Layer {type(self).__name__} does not have a `call()` method implemented."
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Build if needed, then `call`, with dtypes, masks and `training` taken care of."""
        self._check_initialized()
        info = calling.signature_of(type(self).call)
        args = tuple([self._convert(one) for one in args])
        kwargs = {name: self._convert(one) for name, one in kwargs.items()}
        told = None  # `training` for a `call` without it still reaches the layers inside
        if "training" in kwargs and not info.has_training and not info.accepts_any:
            told = kwargs.pop("training")
        given = info.bind(self, args, kwargs)
        first = given.get(info.first) if info.first else None
        for name, value in given.items():
            if name == info.first and not isinstance(value, Tensor):
                self._check_tensors(value)
        if self.input_spec is not None:
            assert_input_compatibility(self.input_spec, first, self.name)
        outer = calling.context.get()
        token = None
        if outer is None:
            outer = calling.CallContext(self)
            token = calling.context.set(outer)
            self._clear_losses()
        previous = outer.training
        if told is not None:
            outer.training = told
        try:
            kwargs = self._with_training(info, given, kwargs, outer)
            recorded = kwargs  # masks travel with the tensors again when a model runs the node
            if info.mask_names:
                kwargs = self._with_masks(info, given, kwargs)
            if not self.built:
                self._build_for(given, args, kwargs)
            symbolic = bool(graph.symbolic_in((args, kwargs)))
            if symbolic and not graph.tracing():
                outputs = graph.infer_outputs(self._spec, args, kwargs)
                graph.Node(self, args, recorded, outputs)
            elif symbolic:
                outputs = self._spec(*args, **kwargs)
            else:
                outputs = self._run(*args, **kwargs)
        finally:
            outer.training = previous
            if token is not None:
                calling.context.reset(token)
        return outputs

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        """`call` in the layer's dtype scope, then activity regularizer and masks."""
        with autocast_scope(self.compute_dtype if self.autocast else None):
            outputs = self._call_in_scope(*args, **kwargs)
        if self.activity_regularizer is not None:
            for output in tree.flatten(outputs):
                if isinstance(output, Tensor):
                    loss = self.activity_regularizer(output)
                    # Its strength must not depend on the batch size.
                    self.add_loss(loss / max(output.shape[0], 1) if output.shape else loss)
        first = args[0] if args else next(iter(kwargs.values()), None)
        if self.supports_masking:
            self._set_masks(first, outputs)
        elif calling.has_mask(first):
            warnings.warn(
                f"Layer {self.name!r} (of type {type(self).__name__}) was passed an input with a "
                "mask attached to it. It does not support masking, so the mask is destroyed here.",
                stacklevel=3,
            )
        return outputs

    def _call_in_scope(self, *args: Any, **kwargs: Any) -> Any:
        """`call`; sublayers that are built in it get this layer's path."""
        if self._settled:
            return self.call(*args, **kwargs)
        with self._name_scope():
            outputs = self.call(*args, **kwargs)
        self._settled = all(getattr(one, "built", True) for one in self._flatten_layers())
        return outputs

    def _spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs: by the user's own shape rule where there is one, else by `_run`."""
        if type(self).compute_output_spec is not Layer.compute_output_spec:
            return self.compute_output_spec(*args, **kwargs)
        if type(self).compute_output_shape is not Layer.compute_output_shape and args:
            shapes = _shapes_of(args[0])
            return _map_shapes(
                lambda shape: KerasTensor(shape, self.compute_dtype),
                self.compute_output_shape(shapes),
            )
        return self._run(*args, **kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """KerasTensors of the outputs for KerasTensors of the inputs."""
        return graph.infer_outputs(self._run, args, kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The output shape for an input shape (or structures of them), by tracing `call`."""

        def symbolic(shape: Any) -> KerasTensor:
            return KerasTensor(shape, self.input_dtype)

        inputs = _map_shapes(symbolic, input_shape)
        if not self.built:
            self.build(input_shape)
        own_rule = type(self).compute_output_spec is not Layer.compute_output_spec
        rule = self.compute_output_spec if own_rule else self._run
        return _shapes_of(graph.infer_outputs(rule, (inputs,), {}))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the output; the input's by default."""
        return previous_mask

    def _set_masks(self, inputs: Any, outputs: Any) -> None:
        if not calling.has_mask(inputs) and type(self).compute_mask is Layer.compute_mask:
            return
        flat = tree.flatten(outputs)
        if all(calling.get_mask(one) is not None for one in flat):
            return
        masks = self.compute_mask(inputs, calling.masks_of(inputs))
        if masks is None:
            return
        masks = [masks] if hasattr(masks, "shape") else tree.flatten(masks)
        for output, mask in zip(flat, masks, strict=False):
            if mask is not None and isinstance(output, (Tensor, KerasTensor)):
                calling.set_mask(output, mask)

    def _convert(self, value: Any) -> Any:
        if isinstance(value, (Tensor, KerasTensor)):
            return self._cast_input(value)
        if isinstance(value, (list, tuple, dict)):
            if isinstance(value, (list, tuple)) and value and _is_numbers(value):
                return value
            return tree.map_structure(self._convert, value)
        if isinstance(value, (np.ndarray, np.generic, Variable)) or (
            hasattr(value, "__array__") and not isinstance(value, type)
        ):
            return self._cast_input(to_tensor(value))
        return value

    def _cast_input(self, tensor: Any) -> Any:
        dtype = self.input_dtype
        if self.autocast and tensor.dtype != dtype and dtypes.is_floating(tensor.dtype):
            if dtypes.is_floating(dtype):
                mask = calling.get_mask(tensor)
                tensor = tensor.operators["cast"](tensor, dtype)
                if mask is not None:
                    calling.set_mask(tensor, mask)
        return tensor

    def _check_tensors(self, value: Any) -> None:
        for leaf in tree.flatten(value):
            if leaf is not None and not isinstance(leaf, (Tensor, KerasTensor)):
                if not getattr(self, "_allow_non_tensor_positional_args", False):
                    raise ValueError(
                        "Only input tensors may be passed as positional arguments. The argument "
                        f"{leaf!r} (of type {type(leaf).__name__}) was passed to the `__call__()` "
                        f"method of layer {self.name!r}."
                    )

    def _with_training(
        self, info: calling.CallSignature, given: dict[str, Any], kwargs: Any, outer: Any
    ) -> dict[str, Any]:
        """`training` from the argument, else from the call around, else from the signature."""
        training = given.get("training")
        if training is None:
            training = outer.training
        if training is None and info.has_training:
            default = info.default_training
            training = default if isinstance(default, bool) else None
        outer.training = training
        if info.has_training and training is not None and given.get("training") is None:
            kwargs = {name: value for name, value in kwargs.items() if name != "training"}
            if "training" not in given:
                kwargs["training"] = training
        return kwargs

    def _with_masks(
        self, info: calling.CallSignature, given: dict[str, Any], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """Masks that travel with the inputs fill mask arguments that were not given."""
        for name in info.mask_names:
            source = info.first if name == "mask" else name.removesuffix("_mask")
            value = given.get(source) if source else None
            if given.get(name) is None and value is not None and calling.has_mask(value):
                kwargs = {**kwargs, name: calling.masks_of(value)}
        return kwargs

    def _build_for(self, given: dict[str, Any], args: Any, kwargs: dict[str, Any]) -> None:
        """Build with the shapes of the arguments that are tensors."""
        with _build_lock:
            if self.built:
                return
            shapes = {
                name: _shapes_of(value)
                for name, value in given.items()
                if _is_tensors(value) and not (name == "mask" or name.endswith("_mask"))
            }
            if type(self).build is Layer.build:
                if self._layers and len(shapes) != 1:
                    self._trace_in_scope(args, kwargs)
                    self.built = True
                    return
                if len(shapes) == 1:
                    self.build(next(iter(shapes.values())))
                self.built = True
                return
            self.build(**_fit_build(type(self).build, shapes, self.name))

    @contextmanager
    def _name_scope(self) -> Iterator[None]:
        with naming.root_scope(*self._scope_path()):
            yield

    def _scope_path(self) -> tuple[str, ...]:
        return self._path or (*naming.scope_path(), self.name)

    def _check_initialized(self) -> None:
        if "_inbound_nodes" not in self.__dict__:
            raise RuntimeError(
                f"In layer {type(self).__name__}, you forgot to call `super().__init__()` as the "
                "first statement in the `__init__()` method."
            )

    # Symbolic inputs and outputs.

    @property
    def input(self) -> Any:
        """The symbolic input, for a layer called exactly once."""
        return self._only_node("input").arguments[0]

    @property
    def output(self) -> Any:
        """The symbolic output, for a layer called exactly once."""
        return self._only_node("output").outputs

    def _only_node(self, what: str) -> graph.Node:
        if len(self._inbound_nodes) != 1:
            raise AttributeError(
                f"The layer {self.name} was called on symbolic tensors "
                f"{len(self._inbound_nodes)} times and so has no single {what}."
            )
        return self._inbound_nodes[0]

    # Configuration.

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments: captured, with what the layer made of them."""
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": policy_config(self.dtype_policy),
        }
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = _config_value(self.activity_regularizer)
        if self._input_shape_arg is not None:
            config["batch_input_shape"] = self._input_shape_arg
        for name, value in self._captured.items():
            if name not in ("name", "trainable", "dtype", "activity_regularizer", "autocast"):
                config[name] = _config_value(self.__dict__.get(name, value))
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from what `get_config` returned."""
        values = {
            name: serialization.deserialize_keras_object(value)
            if isinstance(value, dict) and "class_name" in value
            else value
            for name, value in config.items()
        }
        return cls(**values)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _building(build: Any) -> Any:
    """Wrap a `build`: name scope, shapes remembered, `built` set."""
    if getattr(build, "_is_wrapped", False):
        return build

    @functools.wraps(build)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_initialized()
        bound = inspect.signature(build).bind(self, *args, **kwargs)
        shapes = dict(list(bound.arguments.items())[1:])
        outermost = not self._path
        if outermost:
            self._path = (*naming.scope_path(), self.name)
        with naming.root_scope(*self._path), autocast_scope(None):
            result = build(self, *args, **kwargs)
        if self._build_shapes is None:
            self._build_shapes = shapes.get("kwargs", shapes)
        self.built = True
        return result

    wrapper._is_wrapped = True  # type: ignore[attr-defined]
    return wrapper


def _capture(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The constructor's arguments by name, defaults included."""
    signature = inspect.signature(cls.__init__)
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError:
        return {}  # the constructor itself raises the error, with a better message
    bound.apply_defaults()
    captured = dict(list(bound.arguments.items())[1:])
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            captured.update(captured.pop(parameter.name, {}))
        elif parameter.kind is parameter.VAR_POSITIONAL:
            captured.pop(parameter.name, None)
    return captured


def _input_shape_argument(kwargs: dict[str, Any]) -> Any:
    """The legacy arguments `input_shape`, `batch_input_shape` and `input_dim` of a first layer."""
    if "input_shape" in kwargs:
        return (None, *kwargs.pop("input_shape"))
    if "batch_input_shape" in kwargs:
        return tuple(kwargs.pop("batch_input_shape"))
    if "input_dim" in kwargs:
        return (None, kwargs.pop("input_dim"))
    return None


def policy_config(policy: Any) -> dict[str, Any]:
    """A dtype policy as configuration."""
    return {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": policy.get_config(),
        "registered_name": None,
    }


def _config_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _config_value(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_config_value(one) for one in value)
    return serialization.serialize_keras_object(value)


def _is_numbers(values: Any) -> bool:
    return all(isinstance(one, (int, float)) for one in values)


def _is_tensors(value: Any) -> bool:
    leaves = tree.flatten(value)
    return (
        bool(leaves)
        and all(isinstance(leaf, (Tensor, KerasTensor)) or leaf is None for leaf in leaves)
        and any(leaf is not None for leaf in leaves)
    )


def _shapes_of(value: Any) -> Any:
    """Shapes of a structure of tensors; sizes that are unknown in a trace are None."""
    return tree.map_structure(lambda leaf: None if leaf is None else graph.known_shape(leaf), value)


def is_shape(value: Any) -> bool:
    """Whether a value is a shape rather than a structure of shapes."""
    return isinstance(value, (list, tuple)) and all(
        one is None or isinstance(one, (int, np.integer)) for one in value
    )


def _map_shapes(function: Any, shapes: Any) -> Any:
    if shapes is None:
        return None
    if is_shape(shapes):
        return function(tuple(shapes))
    if isinstance(shapes, dict):
        return {key: _map_shapes(function, one) for key, one in shapes.items()}
    return [_map_shapes(function, one) for one in shapes]


def _as_shapes(shapes: Any) -> Any:
    return _map_shapes(lambda shape: shape, shapes)


def _fit_build(build: Any, shapes: dict[str, Any], name: str) -> dict[str, Any]:
    """Arguments for `build`: one shape under whatever name, or `<argument>_shape` each."""
    parameters = list(inspect.signature(build).parameters.values())[1:]
    named = {p.name for p in parameters}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return {f"{key}_shape": shape for key, shape in shapes.items()}
    if len(parameters) == 1:
        return {parameters[0].name: next(iter(shapes.values()), None)}
    fitting = {f"{key}_shape": shape for key, shape in shapes.items() if f"{key}_shape" in named}
    missing = [p.name for p in parameters if p.default is p.empty and p.name not in fitting]
    if missing:
        raise ValueError(
            f"Layer {name!r}: build() has the arguments {sorted(named)}, but the call has tensors "
            f"for {sorted(shapes)}. An argument `x` of call() becomes `x_shape` of build()."
        )
    return fitting
