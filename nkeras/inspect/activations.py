"""What layers give for some inputs, and how the loss changes with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nkeras.core import observer, tree
from nkeras.core.errors import is_a, nearest, short
from nkeras.core.graph import Node
from nkeras.core.operation import Operation
from nkeras.core.primitive import to_tensor
from nkeras.core.tape import GradientTape
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Structure
from nkeras.models.configuration import operation_names
from nkeras.models.functional import Graph

if TYPE_CHECKING:
    from nkeras.models.model import Model


class Gradients(NamedTuple):
    """How the loss changes.

    Attributes:
        outputs: with each layer's output: arrays by the layer's name, None where it does not.
        weights: with each trainable weight: arrays by the weight's path.
        loss: the loss.
    """

    outputs: dict[str, Structure]
    weights: dict[str, np.ndarray | None]
    loss: float


def activations(
    model: Model,
    x: Structure,
    layers: Sequence[str] | str | Callable[[str], bool] | None = None,
    training: bool = False,
) -> dict[str, Structure]:
    """See `Model.activations`."""
    recorded = Recorder(model, _wanted(layers))
    with recorded.observing():
        model(tensors_of(x), training=training)
    recorded.check(layers)
    return {name: tree.map_structure(_to_numpy, found) for name, found in recorded.found.items()}


def gradients(
    model: Model,
    x: Structure,
    y: Structure,
    sample_weight: Structure = None,
    layers: Sequence[str] | str | Callable[[str], bool] | None = None,
    training: bool = False,
) -> Gradients:
    """See `Model.gradients`."""
    if not model.compiled:
        raise ValueError(
            f"Model.gradients: model {short(model.name)} has no loss. Call `compile(loss=...)`."
        )
    recorded = Recorder(model, _wanted(layers))
    inputs, targets, weights = tensors_of(x), tensors_of(y), tensors_of(sample_weight)
    variables = model.trainable_variables
    with GradientTape() as tape, recorded.observing():
        for leaf in tree.flatten(inputs):  # outputs of layers without weights are recorded too
            if isinstance(leaf, Tensor) and "float" in leaf.dtype:
                tape.watch(leaf)
        predicted = model(inputs, training=training)
        loss = model.compute_loss(inputs, targets, predicted, weights, training=training)
    recorded.check(layers)
    sources = [leaf for found in recorded.found.values() for leaf in tree.flatten(found)]
    by_source: list[Any] = tape.gradient(loss, [*sources, *variables])
    of_outputs = iter(by_source[: len(sources)])
    of_weights = by_source[len(sources) :]
    return Gradients(
        {
            name: tree.map_structure(lambda _: _to_numpy(next(of_outputs)), found)
            for name, found in recorded.found.items()
        },
        {
            variable.path: _to_numpy(gradient)
            for variable, gradient in zip(variables, of_weights, strict=True)
        },
        float(loss),
    )


class Recorder(observer.Observer):
    """Keeps what layers and a graph's ops give, by names with those of the layers around.

    Args:
        model: the outermost layer, whose name is in no name.
        wanted: whether to keep what has a name.
    """

    def __init__(self, model: Model, wanted: Callable[[str], bool]) -> None:
        super().__init__()
        self.found: dict[str, Structure] = {}
        self.names: list[str] = []
        self._model = model
        self._wanted = wanted
        self._around: list[str] = []
        self._counts: Counter[str] = Counter()
        self._op_names: dict[int, str] = {}

    @contextmanager
    def observing(self) -> Generator[None, None, None]:
        """Record what this thread does inside."""
        self._name_ops(self._model)
        token = observer.begin(self)
        try:
            yield
        finally:
            observer.end(token)

    def _name_ops(self, model: Model) -> None:
        for layer in model._flatten_layers():  # pyright: ignore[reportPrivateUsage]  Keras' name
            graph: Graph | None = getattr(layer, "_graph", None)
            if graph is not None:
                self._op_names |= operation_names(graph.operations)

    def enter(self, layer: Operation) -> None:
        """A layer is called."""
        self._around.append(layer.name)

    def leave(self, layer: Operation, outputs: Structure) -> None:
        """The call is over."""
        if len(self._around) > 1 and outputs is not None:
            self._number("/".join(self._around[1:]), outputs)
        self._around.pop()

    def operation(self, node: Node, outputs: Structure) -> None:
        """A functional model has called an op of its graph."""
        name = self._op_names.get(id(node))
        if name is not None:
            self._number("/".join([*self._around[1:], name]), outputs)

    def keep(self, name: str, outputs: Structure) -> None:
        """A layer or an op has given its outputs."""
        self.found[name] = outputs

    def _number(self, name: str, outputs: Structure) -> None:
        self._counts[name] += 1
        count = self._counts[name]
        name = name if count == 1 else f"{name}#{count}"
        self.names.append(name)
        if self._wanted(name):
            self.keep(name, outputs)

    def check(self, layers: Any) -> None:
        """Refuse names of layers that are not there."""
        asked = [layers] if is_a(layers, str) else layers
        if not is_a(asked, (list, tuple)):
            return
        for name in asked:
            if name not in self.names:
                raise ValueError(
                    f"Argument `layers`: model {short(self._model.name)} has called no layer "
                    f"{short(name)}.{nearest(str(name), self.names)}"
                )


def _wanted(layers: Any) -> Callable[[str], bool]:
    if layers is None:
        return lambda name: True
    if callable(layers):
        return lambda name: bool(layers(name))
    if is_a(layers, str):
        return lambda name: name == layers
    if not is_a(layers, (list, tuple)):
        raise TypeError(
            "Argument `layers` must be None, a name, a list of names or a function of a name. "
            f"Received: layers={short(layers)}"
        )
    return set(layers).__contains__


def tensors_of(x: Structure) -> Structure:
    """Arrays as tensors; None stays None."""
    return tree.map_structure(lambda leaf: None if leaf is None else to_tensor(leaf), x)


def _to_numpy(tensor: Any) -> Any:
    return np.array(tensor.numpy()) if isinstance(tensor, Tensor) else tensor
