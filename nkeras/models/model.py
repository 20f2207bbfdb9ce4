"""Model: a layer that can be trained. `Model(inputs, outputs)` is a functional one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nkeras.core import tree
from nkeras.core.errors import nearest, short
from nkeras.core.graph import KerasTensor
from nkeras.core.serialization import (
    custom_object_scope,
    deserialize_keras_object,
    serialize_keras_object,
)
from nkeras.core.tracebacks import cut
from nkeras.core.typing import Config, Self, Shapes, Structure
from nkeras.layers.base import Layer
from nkeras.models.configuration import graph_config, graph_from_config, is_graph_config
from nkeras.models.functional import Graph, from_inputs
from nkeras.models.inspected import Inspected
from nkeras.models.quantize import quantize
from nkeras.models.state_tree import read as read_state_tree
from nkeras.models.state_tree import write as write_state_tree
from nkeras.training.trainer import Trainer

if TYPE_CHECKING:
    from nkeras.core.graph import Node
    from nkeras.core.operation import Operation


class Model(Inspected, Trainer, Layer):
    """A layer with `compile`, `fit`, `evaluate` and `predict`.

    Three ways to make one: `Model(inputs, outputs)` from symbolic tensors, a subclass with `call`,
    or `Sequential`.

    Args:
        inputs: symbolic tensor from `Input`, or a list, tuple or dict of them.
        outputs: symbolic tensor or structure of them, computed from the inputs.
        name: name.
        **kwargs: as `Layer`.

    Raises:
        ValueError: the outputs are no symbolic tensors or do not depend on the inputs.

    Example:
        >>> import nkeras
        >>> x = nkeras.Input((3,))
        >>> model = nkeras.Model(x, nkeras.layers.Dense(2)(x))
        >>> model.count_params()
        8

    Source: https://keras.io/api/models/model/
    """

    _graph: Graph | None = None
    deserializes_itself = True
    can_rematerialize = False  # its layers can

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """`Model(inputs, outputs)` makes a `Functional`."""
        chosen: Any = Functional if cls is Model and _is_functional(args, kwargs) else cls
        return super().__new__(chosen, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        functional = _is_functional(args, kwargs)
        inputs = outputs = None
        if functional:
            inputs, outputs, args, kwargs = _split(args, kwargs)
        Layer.__init__(self, *args, **kwargs)
        Trainer.__init__(self)
        self.__dict__["_graph"] = Graph(*from_inputs(inputs, outputs)) if functional else None
        if functional:
            if not self.trainable:
                self.trainable = False  # nor are its layers
            self.input_spec = self.need_graph().input_specs()
            self.built = True

    @property
    def _layers(self) -> list[Layer]:
        tracked = super()._layers
        if self._graph is None:
            return tracked
        own = self._graph.layers
        return own + [layer for layer in tracked if not any(layer is known for known in own)]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As `Layer.__call__`; outside of steps and tapes, models of nkeras' layers have plans."""
        try:
            if len(args) == 1 and self.built and self._may_be_planned():
                if not kwargs or (len(kwargs) == 1 and "training" in kwargs):
                    return self._call_planned(args[0], kwargs, super().__call__)
            return super().__call__(*args, **kwargs)
        except Exception as error:
            cut(error)
            raise

    def call(self, inputs: Structure, training: bool | None = None, mask: Structure = None) -> Any:
        """Compute the outputs; a subclass that is not functional defines its own."""
        if self._graph is None:
            raise NotImplementedError(
                f"Model {type(self).__name__} does not have a `call()` method implemented."
            )
        outputs = self._graph.run(self._graph.standardize(inputs, mask, self.name))
        is_one = isinstance(outputs, (list, tuple)) and len(outputs) == 1
        return outputs[0] if is_one else outputs  # as in Keras

    @property
    def layers(self) -> list[Layer]:
        """The direct sublayers; of a functional model in order of depth, inputs first."""
        return self._layers

    def get_state_tree(self, value_format: str = "backend_tensor") -> Config:
        """The values of all variables, as dicts in dicts by the parts of their paths.

        Args:
            value_format: `"backend_tensor"` or `"numpy_array"`.

        Returns:
            dict with `trainable_variables`, `non_trainable_variables`, `optimizer_variables` and
            `metrics_variables`.

        Raises:
            ValueError: two variables have one path, or the format is another one.

        Example:
            >>> import nkeras
            >>> layer = nkeras.layers.Dense(2, use_bias=False, kernel_initializer="ones", name="a")
            >>> model = nkeras.Sequential([nkeras.Input((1,)), layer], name="m")
            >>> model.get_state_tree("numpy_array")["trainable_variables"]
            {'m': {'a': {'kernel': array([[1., 1.]], dtype=float32)}}}
        """
        return read_state_tree(self, value_format)

    def set_state_tree(self, state_tree: Config) -> None:
        """Give variables the values that are in dicts, as `get_state_tree` returns them.

        Args:
            state_tree: values by kind and path; variables that are not in it stay as they are, and
                what belongs to no variable is passed over, with a warning.

        Raises:
            ValueError: a kind of variables is unknown, or a value has another shape.

        Example:
            >>> import nkeras
            >>> model = nkeras.Sequential([nkeras.Input((1,)), nkeras.layers.Dense(2)])
            >>> state = model.get_state_tree()
            >>> model.set_state_tree(state)
        """
        write_state_tree(self, state_tree)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or by index.

        Raises:
            ValueError: neither or both are given, or there is none.
        """
        if (name is None) == (index is None):
            raise ValueError("Provide either a layer `name` or a layer `index` at get_layer().")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has "
                    f"{len(self.layers)} layers."
                )
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        raise ValueError(
            f"No such layer: {short(name)}. Existing layers are: {short(names)}."
            f"{nearest(name, names)}"
        )

    def build(self, input_shape: Shapes) -> None:
        """Make the weights for an input shape, with the batch axis."""
        if self._graph is None and not self.built:
            super().build(input_shape)

    def _is_built_by_call(self) -> bool:
        return type(self).build is Model.build and self._graph is None and bool(self._layers)

    # The symbolic ends of a functional model.

    @property
    def inputs(self) -> list[KerasTensor]:
        """Symbolic inputs, flat."""
        return self.need_graph().inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        """Symbolic outputs, flat."""
        return self.need_graph().outputs

    @property
    def input(self) -> Structure:
        """Symbolic input or structure of them."""
        return self.need_graph().inputs_structure

    @property
    def output(self) -> Structure:
        """Symbolic output or structure of them."""
        return self.need_graph().outputs_structure

    @property
    def input_shape(self) -> Shapes:
        """Shape of the input, or a structure of shapes."""
        return tree.map_structure(lambda tensor: tensor.shape, self.input)

    @property
    def output_shape(self) -> Shapes:
        """Shape of the output, or a structure of shapes."""
        return tree.map_structure(lambda tensor: tensor.shape, self.output)

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return self.need_graph().input_names()

    @property
    def output_names(self) -> list[str]:
        """Names of the layers that make the outputs."""
        return self.need_graph().output_names()

    @property
    def operations(self) -> list[Operation | Node]:
        """Layers and op calls in order of depth."""
        return self.need_graph().operations

    def has_graph(self) -> bool:
        """Whether it is functional, or Sequential with a known shape of the input."""
        return self._graph is not None

    def _needs_call(self) -> bool:
        if self._graph is not None:
            return True
        if self._overrides("train_step"):  # it may hand batches on that `call` does not take
            inner = self._flatten_layers(include_self=False)
            if inner and all(layer.built for layer in inner):
                return False
        return type(self).call is not Model.call

    @property
    def saves_layers_first(self) -> bool:
        """Whether files have its layers by their order, before what attributes hold."""
        return self._graph is not None

    @property
    def shown_graph(self) -> Graph | None:
        """The graph whose operations `summary` lists, beside layers its calls of ops."""
        return self._graph

    def need_graph(self) -> Graph:
        """The graph of a functional or built Sequential model.

        Raises:
            AttributeError: it is another model.
        """
        if self._graph is None:
            raise AttributeError(
                f"Model {short(self.name)} is not functional (or not built yet), so it has no "
                "symbolic inputs and outputs."
            )
        return self._graph

    def quantize(  # pyright: ignore[reportIncompatibleMethodOverride]  these are Keras' arguments
        self,
        mode: str | None = None,
        config: Any = None,
        filters: str | Sequence[str] | Callable[[Layer], bool] | None = None,
        *,
        type_check: bool = True,
    ) -> None:
        """Make integers of the weights of `Dense`, `EinsumDense` and embeddings, for inference.

        Args:
            mode: `"int8"`, or None with a configuration.
            config: `nkeras.quantizers.Int8QuantizationConfig`; the usual one for None.
            filters: which layers: a regular expression that their name contains, a list of such,
                or a function of the layer; all for None. The others stay as they are.
            type_check: whether to leave out layers of classes that are derived from these.

        Raises:
            ValueError: nkeras has no such mode, or a layer is not built or is quantized already.

        Example:
            >>> import nkeras
            >>> model = nkeras.Sequential([nkeras.Input((4,)), nkeras.layers.Dense(2)])
            >>> model.quantize("int8", filters="dense")
            >>> model.layers[0].kernel.dtype
            'int8'

        Source: https://keras.io/api/quantizers/
        """
        leaves = [layer for layer in self._flatten_layers() if not layer._layers]
        quantize(leaves, mode, config, filters, type_check)

    def export(
        self,
        filepath: str | os.PathLike[str],
        format: str = "onnx",
        verbose: bool | None = None,
        input_signature: Structure = None,
        **kwargs: Any,
    ) -> None:
        """Write the model for inference, as a file that other programs run.

        The file has the forward pass with `training=False` and the weights; neither nkeras nor the
        code of own layers is needed to run it. Sizes that are None stay open, first of all that of
        the batch. Half types are stored and computed as nkeras does: in float32, rounded once.

        Args:
            filepath: the file to write.
            format: `"onnx"`, which needs `pip install 'nkeras[onnx]'`. Keras' default is
                `"tf_saved_model"`, which TensorFlow alone can write.
            verbose: whether to say what was written; None says it.
            input_signature: InputSpecs, KerasTensors or arrays whose shapes and dtypes the inputs
                have: a list of the arguments of the call. Needed for a subclassed model that was
                never called, or to give sizes that are None.
            **kwargs: `opset_version`, the version of ONNX' operators; for None the newest that
                nkeras and the installed onnx and onnxruntime know.

        Raises:
            ImportError: the package onnx is not installed.
            ValueError: the format is another, or the model has what ONNX has no operators for: the
                message names all such primitives.
            OSError: the file cannot be written; an old one is as before.

        Example:
            >>> import os, tempfile
            >>> import nkeras
            >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2)])
            >>> path = os.path.join(tempfile.mkdtemp(), "model.onnx")
            >>> model.export(path, format="onnx", verbose=False)
            >>> os.path.exists(path)
            True

        Source: https://keras.io/api/models/model_saving_apis/export/
        """
        from nkeras.export.exporting import export_model

        export_model(self, filepath, format, verbose, input_signature, **kwargs)

    def save(
        self,
        filepath: Any,
        overwrite: bool = True,
        zipped: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Write the model into a file: its configuration, weights, and state of training.

        Args:
            filepath: path that ends in `.keras`, or an open file.
            overwrite: whether to replace a file; otherwise ask on the terminal.
            zipped: False for a folder instead of an archive.
            **kwargs: as `nkeras.saving.save_model`.

        Source: https://keras.io/api/models/model_saving_apis/model_saving_and_loading/
        """
        from nkeras.saving.models import save_model

        save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(
        self, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None
    ) -> None:
        """Write the weights into a file.

        Args:
            filepath: path that ends in `.weights.h5` or `.safetensors`, or with `max_shard_size` in
                `.weights.json`.
            overwrite: whether to replace a file; otherwise ask on the terminal.
            max_shard_size: gigabytes that a file may have; more go into further files.

        Source: https://keras.io/api/models/model_saving_apis/weights_saving_and_loading/
        """
        from nkeras.saving.models import save_weights

        save_weights(self, filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Read the weights from a file: all, or none.

        Args:
            filepath: path of a `.weights.h5`, `.safetensors` or `.keras` file.
            skip_mismatch: leave layers that do not fit as they are, and warn.
            **kwargs: as `nkeras.saving.load_weights`.

        Source: https://keras.io/api/models/model_saving_apis/weights_saving_and_loading/
        """
        from nkeras.saving.models import load_weights

        load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def to_json(self, **kwargs: Any) -> str:
        """The configuration as text, for `nkeras.models.model_from_json`.

        Args:
            **kwargs: passed on to `json.dumps`.

        Returns:
            JSON; weights are not in it.

        Source: https://keras.io/api/models/model_saving_apis/model_config_serialization/
        """
        return json.dumps(serialize_keras_object(self), **kwargs)

    def get_config(self) -> Config:
        """Constructor arguments, or for functional models the graph."""
        if self._graph is None:
            return super().get_config()
        return graph_config(self)

    @classmethod
    def from_config(cls, config: Config, custom_objects: Config | None = None) -> Self:
        """A model from what `get_config` returned."""
        with custom_object_scope(custom_objects):
            if is_graph_config(config):
                target: Any = Functional if cls is Model else cls
                return graph_from_config(target, config)
            return super().from_config(config)


def model_from_json(json_string: str, custom_objects: Config | None = None) -> Any:
    """A model from what `model.to_json()` returned, with new weights.

    Args:
        json_string: the text.
        custom_objects: classes and functions by name.

    Returns:
        Model.

    Raises:
        ValueError, TypeError: the text names something unknown.

    Example:
        >>> import nkeras
        >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2)])
        >>> nkeras.models.model_from_json(model.to_json()).output_shape
        (None, 2)

    Source: https://keras.io/api/models/model_saving_apis/model_config_serialization/
    """
    return deserialize_keras_object(json.loads(json_string), custom_objects)


class Functional(Model):
    """A model made by `Model(inputs, outputs)`.

    Args:
        inputs: symbolic tensor from `Input`, or a structure of them.
        outputs: symbolic tensor or structure of them.
        name: name.
        **kwargs: as `Layer`.
    """

    def __init__(
        self, inputs: Structure, outputs: Structure, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)


def _is_functional(args: tuple[object, ...], kwargs: dict[str, object]) -> bool:
    return (
        len(args) == 2
        or (len(args) == 1 and "outputs" in kwargs)
        or ("inputs" in kwargs and "outputs" in kwargs)
    )


def _split(
    args: tuple[object, ...], kwargs: dict[str, object]
) -> tuple[Structure, Structure, tuple[object, ...], Config]:
    kwargs = dict(kwargs)
    given = list(args)
    inputs = given.pop(0) if given else kwargs.pop("inputs")
    outputs = given.pop(0) if given else kwargs.pop("outputs")
    return inputs, outputs, tuple(given), kwargs
