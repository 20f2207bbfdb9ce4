"""Sequential: layers one behind the other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from nkeras.core import guards, tree
from nkeras.core.errors import short
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import to_tensor
from nkeras.core.tracebacks import entry
from nkeras.core.typing import Config, Self, Shapes, Structure
from nkeras.layers.base import Layer
from nkeras.layers.core import InputLayer
from nkeras.layers.shapes import is_shape
from nkeras.models.functional import Graph
from nkeras.models.model import Model


class Sequential(Model):
    """A stack of layers, each with one input and one output.

    Args:
        layers: layers, in order; an `Input` may come first.
        trainable: whether training may update the weights.
        name: name.

    Raises:
        ValueError: something that is no layer, or a layer that is in the stack already.

    Example:
        >>> import nkeras
        >>> model = nkeras.Sequential([nkeras.Input((4,)), nkeras.layers.Dense(2)])
        >>> model.output_shape
        (None, 2)

    Source: https://keras.io/api/models/sequential/
    """

    @property
    def saves_layers_first(self) -> bool:
        """Always."""
        return True

    def __init__(
        self,
        layers: Iterable[Layer | KerasTensor | Callable[..., Structure]] | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(trainable=trainable, name=name)
        self._stack: list[Layer] = []
        self._is_deferred = False  # built from data: no Input was given
        for layer in layers or []:
            self.add(layer, rebuild=False)
        self._rebuild()

    @entry
    def add(
        self, layer: Layer | KerasTensor | Callable[..., Structure], rebuild: bool = True
    ) -> None:
        """Put a layer at the end.

        Raises:
            ValueError: it is no layer, stands in the stack already or has the name of another
                one, or it is an input and not the first.
        """
        if isinstance(layer, KerasTensor):
            if layer.node is None or not isinstance(layer.node.operation, InputLayer):
                raise ValueError(
                    f"Only `Input` tensors can be added to a Sequential. Received: {short(layer)}"
                )
            layer = layer.node.operation
        if not isinstance(layer, Layer):
            if callable(layer) and not isinstance(layer, type):
                from nkeras.layers.core import Lambda

                layer = Lambda(layer)
            else:
                raise ValueError(
                    "Only instances of `nkeras.Layer` can be added to a Sequential model. "
                    f"Received: {short(layer)} (of type {type(layer)})"
                )
        if any(layer.name == other.name for other in self._stack):
            raise ValueError(
                "All layers added to a Sequential model should have unique names. Name "
                f"{short(layer.name)} is already the name of a layer in this model."
            )
        if isinstance(layer, InputLayer) and self._stack:
            raise ValueError(
                f"Sequential model {short(self.name)} has already been configured to use input "
                "shape "
                f"{self._stack[0].get_config().get('batch_shape')} or has layers; an Input must be "
                "the first."
            )
        if not self._stack and not isinstance(layer, InputLayer):
            shape = layer._input_shape_arg
            if shape is None and isinstance(layer, Model) and layer._graph is not None:
                shape = layer.input_shape
            if shape is not None and is_shape(shape):
                self._stack.append(InputLayer(batch_shape=shape))
        self._stack.append(layer)
        if rebuild:
            self._rebuild()

    @property
    def shown_graph(self) -> None:
        """None: `summary` lists the layers."""
        return

    def pop(self, rebuild: bool = True) -> Layer:
        """Remove the last layer and return it."""
        layer = self._stack.pop()
        self.built = False
        if rebuild:
            self._rebuild()
        return layer

    @property
    def _layers(self) -> list[Layer]:
        return list(self.__dict__.get("_stack", []))

    @property
    def layers(self) -> list[Layer]:
        """The layers without the input."""
        return [layer for layer in self._layers if not isinstance(layer, InputLayer)]

    def own_input(self) -> InputLayer | None:
        """The `Input` that it begins with, if it has one."""
        first = next(iter(self._stack), None)
        return first if isinstance(first, InputLayer) else None

    def _rebuild(self) -> None:
        if self.__dict__.get("_graph") is not None:
            guards.changed(self, "layers")
        self.__dict__["_graph"] = None
        self.input_spec = None
        if len(self._stack) > 1 and isinstance(self._stack[0], InputLayer):
            self.build()

    def build(self, input_shape: Shapes = None) -> None:
        """Make the weights for an input shape with the batch axis; without one, from the `Input`.

        Raises:
            ValueError: there are no layers, or no shape is known.
        """
        if not self._stack:
            raise ValueError(
                f"Sequential model {short(self.name)} cannot be built because it has no layers. "
                "Call `model.add(layer)`."
            )
        if isinstance(self._stack[0], InputLayer):
            inputs = self._stack[0].output
            known = self._stack[0].batch_shape
            if input_shape is not None and is_shape(input_shape) and tuple(input_shape) != known:
                raise ValueError(
                    f"Sequential model {short(self.name)} has already been configured to use input "
                    f"shape {known}. You cannot build it with input_shape {short(input_shape)}"
                )
        elif input_shape is None:
            raise ValueError("You must provide an `input_shape` argument.")
        elif not is_shape(input_shape):
            return  # several inputs: the first layer takes a structure, there is no graph
        else:
            first = InputLayer(batch_shape=tuple(input_shape), dtype=self.input_dtype)
            self._stack.insert(0, first)
            self._is_deferred = True
            inputs = first.output
        x = inputs
        for layer in self._stack[1:]:
            try:
                x = layer(x)
            except NotImplementedError:
                if self._is_deferred:  # a layer says no shape: then the calls are not recorded
                    del self._stack[0]
                    self._is_deferred = False
                return
            except TypeError as error:
                _check_arguments(layer, error)
                raise
        self.__dict__["_graph"] = Graph(inputs, x)
        if not self._is_deferred:  # other sizes than those of the first call may fit as well
            self.input_spec = self.need_graph().input_specs()
        self.built = True

    def call(self, inputs: Structure, training: bool | None = None, mask: Structure = None) -> Any:
        """The layers' calls, one after the other."""
        if self._graph is not None:
            return self._graph.run(self._graph.standardize(inputs, mask, self.name))
        x = tree.map_structure(to_tensor, inputs)
        for layer in self.layers:
            x = layer(x)
        return x

    @property
    def input_dtype(self) -> str:
        """The dtype of the first layer's input."""
        return self._stack[0].input_dtype if self.__dict__.get("_stack") else super().input_dtype

    def get_config(self) -> Config:
        """Name, dtype and the layers' configurations."""
        from nkeras.core.serialization import serialize_keras_object

        config: Config = {"name": self.name, "trainable": self.trainable}
        config["dtype"] = serialize_keras_object(self.dtype_policy)
        config["layers"] = [serialize_keras_object(layer) for layer in self._stack]
        if self._graph is None and self._build_shapes:
            config["build_input_shape"] = next(iter(self._build_shapes.values()))
        elif self._graph is not None:
            config["build_input_shape"] = self.input_shape
        return config

    @classmethod
    def from_config(cls, config: Config, custom_objects: Config | None = None) -> Self:
        """A model from what `get_config` returned."""
        from nkeras.core.serialization import custom_object_scope, deserialize_keras_object

        if "layers" not in config:  # Keras 1 wrote no name
            raise ValueError(
                "The config of a Sequential model is a dict with `layers`. Received one "
                f"with the keys {short(list(config))}"
            )
        with custom_object_scope(custom_objects or {}):
            layers = [deserialize_keras_object(layer) for layer in config["layers"]]
        model = cls(layers, trainable=config.get("trainable", True), name=config.get("name"))
        shape = config.get("build_input_shape")
        if not model.built and shape and is_shape(shape):
            model.build(tuple(shape))
        return model


def _check_arguments(layer: Layer, error: TypeError) -> None:
    """A layer of a stack gets one argument.

    Raises:
        ValueError: its `call` needs more, or takes none.
    """
    parameters = list(inspect.signature(layer.call).parameters.values())
    taken = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p.name for p in taken if p.default is p.empty]
    if not taken or len(needed) > 1:
        what = f"needs {short(needed)}" if taken else "has no positional argument"
        raise ValueError(
            "Layers added to a Sequential model can only have a single required positional "
            f"argument, the input tensor. The `call` of layer {short(layer.name)} {what}."
        ) from error
