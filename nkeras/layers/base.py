"""Layer: parameters, and a `call` made of ops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from nkeras import regularizers
from nkeras.core import dtypes, graph, in_tensorflow, observer, policies, tracebacks, tree
from nkeras.core.compile_ahead import compile_ahead
from nkeras.core.configurable import ANY, argument_names
from nkeras.core.errors import as_bool, nearest, refuse_ragged, short, warn
from nkeras.core.graph import KerasTensor
from nkeras.core.operation import Operation
from nkeras.core.primitive import has_symbolic, to_tensor
from nkeras.core.python_values import is_of_users
from nkeras.core.remat import current_scope
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    Config,
    InputOptions,
    Masks,
    PartialShape,
    PolicyLike,
    RegularizerLike,
    Shapes,
    Structure,
    Unpack,
)
from nkeras.core.variable import Variable, autocast_scope
from nkeras.layers import calling
from nkeras.layers.building import Buildable
from nkeras.layers.input_spec import InputSpec, assert_input_compatibility
from nkeras.layers.rematerializing import rematerialized
from nkeras.layers.shapes import map_shapes, shapes_of
from nkeras.layers.stateless import CallsStateless


class Layer(Operation, Buildable, CallsStateless):
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

    config_reads: ClassVar[Mapping[str, str]] = {
        "name": "name",
        "trainable": "trainable",
        "dtype": "dtype_policy",
    }
    config_first: ClassVar[tuple[str, ...]] = ("name", "trainable", "dtype")
    config_omits: ClassVar[Mapping[str, object]] = {
        "activity_regularizer": None,
        "autocast": ANY,
    }
    config_takes_more: ClassVar[bool] = True
    can_rematerialize = True  # in a `RematScope`

    def __init__(
        self,
        *,
        activity_regularizer: RegularizerLike = None,
        trainable: bool = True,
        dtype: PolicyLike = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Unpack[InputOptions],
    ) -> None:
        super().__init__(name=name)
        input_shape = _input_shape_argument(kwargs)
        if kwargs:
            unknown, known = next(iter(kwargs)), argument_names(type(self))
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {short(kwargs)}."
                f"{nearest(unknown, known)}"
            )
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.dtype_policy = policies.get(dtype)
        self.autocast = autocast
        # A layer of the user's without `build` may hold layers, to be built in its first call.
        self.built = type(self).build is Buildable.build and not is_of_users(type(self))
        self.input_spec: InputSpec | Sequence[InputSpec] | None = None
        self.supports_masking = type(self).compute_mask is not Layer.compute_mask
        self._trainable = as_bool(trainable, "trainable", type(self).__name__)
        self._settled = self._has_run = False
        self._build_shapes: dict[str, object] | None = None
        self._path: tuple[str, ...] = ()
        self._input_shape_arg = input_shape
        self._remat_scope = current_scope()

    def _arguments(self) -> dict[str, object]:
        """Without the shape of the inputs, which an `Input` of the model around holds."""
        arguments = super()._arguments()
        if arguments.keys() & _INPUT_OPTIONS:
            own = argument_names(type(self))  # one of the user's may be called so
            for name in _INPUT_OPTIONS.difference(own):
                arguments.pop(name, None)
        return arguments

    def __getstate__(self) -> Config:
        """A copy holds no losses of the last call."""
        state = super().__getstate__()
        if "_own_losses" in state:
            state["_own_losses"] = {}
        return state

    def _repr_html_(self) -> str:
        from nkeras.utils.html import layer_html

        return layer_html(self)

    # Calling.

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Build if needed, then `call`, with dtypes, masks and `training` taken care of."""
        if in_tensorflow.meets(args, kwargs):
            return graph.call_traced(self, args, kwargs)
        outer = calling.context.get()
        token, given, recorder, outputs = None, dict[str, object](), None, None
        previous = None if outer is None else outer.training
        try:
            self._check_initialized()
            info = calling.signature_of(type(self).call)
            args = tuple([self._convert(argument) for argument in args])
            told = None  # `training` for a `call` without it still reaches the layers inside
            if kwargs:
                kwargs = {name: self._convert(value) for name, value in kwargs.items()}
                if "training" in kwargs and not info.has_training and not info.accepts_any:
                    told = kwargs.pop("training")
            given = info.bind(self, args, kwargs)
            first = given.get(info.first)
            if not isinstance(first, Tensor):
                self._check_tensors(first)
            if self.input_spec is not None:
                assert_input_compatibility(self.input_spec, first, self.name)
            recorder = observer.active()
            if recorder is not None:
                recorder.enter(self)
            if outer is None:
                outer = calling.CallContext(self)
                token = calling.context.set(outer)
                self._clear_losses()
            if told is not None:
                outer.training = told
            # When a model runs the node, masks travel with the tensors again, and `training` comes
            # from the call around.
            own_kwargs = kwargs
            kwargs = self._with_training(info, given, kwargs, outer)
            if info.mask_names:
                kwargs = self._with_masks(info, given, kwargs)
            if not self.built:
                self._build_for(given, args, kwargs)
            if not has_symbolic(args) and not (kwargs and has_symbolic(kwargs.values())):
                if token is None or self._has_run:
                    outputs = self._run(*args, **kwargs)
                else:
                    self.__dict__["_has_run"] = True  # nothing that a plan depends on
                    with compile_ahead():
                        outputs = self._run(*args, **kwargs)
            elif graph.tracing():
                outputs = self._spec(*args, **kwargs)
            else:
                outputs = graph.infer_outputs(self._spec_of_cast, args, kwargs)
                graph.Node(self, args, own_kwargs, outputs)
        except Exception as error:
            tracebacks.pass_layer(error, self, given, outer is None or token is not None)
            raise
        finally:
            if recorder is not None:
                recorder.leave(self, outputs)
            if outer is not None:
                outer.training = previous
            if token is not None:
                calling.context.reset(token)
        return outputs

    def _run(self, *args: object, **kwargs: object) -> Structure:
        """`call` in the layer's dtype scope, then activity regularizer and masks."""
        with autocast_scope(self.compute_dtype if self.autocast else None):
            call = self.call if self._settled else self._call_first
            if self._remat_scope is not None:
                call = rematerialized(self, self._remat_scope, call, args, kwargs)
            outputs = call(*args, **kwargs)
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
            warn(
                f"Layer {short(self.name)} (of type {type(self).__name__}) was passed "
                "an input with a "
                "mask attached to it. It does not support masking, so the mask is destroyed here.",
            )
        return outputs

    def _call_first(self, *args: object, **kwargs: object) -> Structure:
        """`call`, until all layers inside are built: they get this layer's path."""
        with self._name_scope():
            outputs = self.call(*args, **kwargs)
        self._settled = all(getattr(layer, "built", True) for layer in self._flatten_layers())
        self._is_locked = True
        return outputs

    def _spec_of_cast(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for inputs of a graph: casting them is no call in the graph."""
        args = tuple([self._convert(argument) for argument in args])
        return self._spec(*args, **{name: self._convert(value) for name, value in kwargs.items()})

    def _spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs: by the user's own shape rule where there is one, else by `_run`."""
        if type(self).compute_output_spec is not Layer.compute_output_spec:
            return self.compute_output_spec(*args, **kwargs)
        if type(self).compute_output_shape is not Layer.compute_output_shape and args:
            shapes = shapes_of(args[0])
            return map_shapes(
                lambda shape: KerasTensor(shape, self.compute_dtype),
                self.compute_output_shape(shapes),
            )
        return self._run(*args, **kwargs)

    def quantize(
        self, mode: str | None = None, type_check: bool = True, config: object = None
    ) -> None:
        """Make integers of the weights: layers that can do so override this.

        Args:
            mode: `"int8"`, or None with a configuration.
            type_check: whether to refuse layers of derived classes.
            config: `Int8QuantizationConfig`, or None.

        Raises:
            NotImplementedError: the layer cannot.
        """
        raise NotImplementedError(
            f"Layer {type(self).__name__} does not have a `quantize` method implemented."
        )

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """KerasTensors of the outputs for KerasTensors of the inputs."""
        return graph.infer_outputs(self._run, args, kwargs)

    def compute_output_shape(self, input_shape: Shapes) -> Shapes:
        """The output shape for an input shape (or structures of them), by tracing `call`."""

        def symbolic(shape: PartialShape) -> KerasTensor:
            return KerasTensor(shape, self.input_dtype)

        inputs = map_shapes(symbolic, input_shape)
        if not self.built:
            self.build(input_shape)
        own_rule = type(self).compute_output_spec is not Layer.compute_output_spec
        rule = self.compute_output_spec if own_rule else self._run
        return shapes_of(graph.infer_outputs(rule, (inputs,), {}))

    def compute_mask(self, inputs: Structure, previous_mask: Masks) -> Masks:
        """The mask of the output; the input's by default."""
        return previous_mask

    def _set_masks(self, inputs: Structure, outputs: Structure) -> None:
        if not calling.has_mask(inputs) and type(self).compute_mask is Layer.compute_mask:
            return
        flat = tree.flatten(outputs)
        if all(graph.get_mask(leaf) is not None for leaf in flat):
            return
        masks = self.compute_mask(inputs, calling.masks_of(inputs))
        if masks is None:
            return
        masks = [masks] if hasattr(masks, "shape") else tree.flatten(masks)
        for output, mask in zip(flat, masks, strict=False):
            if mask is not None and isinstance(output, (Tensor, KerasTensor)):
                graph.set_mask(output, mask)

    def _convert(self, value: Structure) -> Structure:
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

    def _cast_input(self, tensor: Tensor | KerasTensor) -> Tensor | KerasTensor:
        dtype = self.input_dtype
        if self.autocast and tensor.dtype != dtype and dtypes.is_floating(tensor.dtype):
            if dtypes.is_floating(dtype) and (type(tensor) is Tensor or graph.tracing()):
                mask = graph.get_mask(tensor)
                tensor = tensor.operators["cast"](tensor, dtype)
                if mask is not None:
                    graph.set_mask(tensor, mask)
        return tensor

    def _check_tensors(self, value: object) -> None:
        for leaf in tree.flatten(value):
            if leaf is not None and not isinstance(leaf, (Tensor, KerasTensor)):
                if not getattr(self, "_allow_non_tensor_positional_args", False):
                    refuse_ragged(leaf, f"Layer {short(self.name)}")
                    raise ValueError(
                        "Only input tensors may be passed as positional arguments. The argument "
                        f"{short(leaf)} (of type {type(leaf).__name__}) was passed to the "
                        f"`__call__()` method of layer {short(self.name)}."
                    )

    def _with_training(
        self,
        info: calling.CallSignature,
        given: dict[str, object],
        kwargs: dict[str, object],
        outer: calling.CallContext,
    ) -> Config:
        """`training` from the argument, else from the call around, else from the signature."""
        training: Any = given.get("training")
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
        self, info: calling.CallSignature, given: dict[str, object], kwargs: dict[str, object]
    ) -> Config:
        """Masks that travel with the inputs fill mask arguments that were not given."""
        for name in info.mask_names:
            source = info.first if name == "mask" else name.removesuffix("_mask")
            value = given.get(source) if source else None
            if given.get(name) is None and value is not None and calling.has_mask(value):
                kwargs = {**kwargs, name: calling.masks_of(value)}
        return kwargs


in_tensorflow.leave_as_it_is(Layer)


def _is_numbers(values: Iterable[object]) -> bool:
    return all(isinstance(value, (int, float)) for value in values)


def _input_shape_argument(kwargs: InputOptions) -> PartialShape | None:
    """The legacy arguments `input_shape`, `batch_input_shape` and `input_dim` of a first layer."""
    if "input_shape" in kwargs:
        return (None, *kwargs.pop("input_shape"))
    if "batch_input_shape" in kwargs:
        return tuple(kwargs.pop("batch_input_shape"))
    if "input_dim" in kwargs:
        return (None, kwargs.pop("input_dim"))
    return None


_INPUT_OPTIONS = frozenset(InputOptions.__annotations__)
