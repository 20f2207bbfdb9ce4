"""Operations: functions of tensors with a name, which can stand in a graph of symbolic tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nkeras.core import graph, naming, tracebacks
from nkeras.core.configurable import Configurable
from nkeras.core.errors import cut_text, is_a, short
from nkeras.core.primitive import has_symbolic
from nkeras.core.typing import Config, Structure


class Operation(Configurable):
    """A function of tensors without variables, as an object; layers are operations too.

    A subclass defines `call`, made of `nkeras.ops`. On symbolic tensors the operation becomes a
    node of their graph: its result is inferred by a trace of `call`, or is what
    `compute_output_spec` returns where a subclass defines it. The configuration is captured.

    Args:
        name: name; made from the class name for None.

    Raises:
        ValueError: `name` is no string, or has a slash.

    Example:
        >>> import nkeras
        >>> class Scaled(nkeras.Operation):
        ...     def __init__(self, factor, **kwargs):
        ...         super().__init__(**kwargs)
        ...         self.factor = factor
        ...     def call(self, x):
        ...         return x * self.factor
        >>> Scaled(3.0)(nkeras.KerasTensor((None, 2))).shape
        (None, 2)

    Source: https://github.com/keras-team/keras/blob/v3.15.0/keras/src/ops/operation.py
    """

    config_reads: ClassVar[Mapping[str, str]] = {"name": "name"}
    config_first: ClassVar[tuple[str, ...]] = ("name",)

    def __init__(self, name: str | None = None) -> None:
        super().__init__()
        if name is not None and (not is_a(name, str) or "/" in name):
            raise ValueError(
                f"{type(self).__name__}: argument `name` must be a string without '/'. "
                f"Received: name={short(name)}"
            )
        self.name = name or naming.auto_name(type(self).__name__)
        self._inbound_nodes: list[graph.Node] = []

    def __getstate__(self) -> Config:
        """A copy's calls come with the graph that has them: a layer's copy brings no others along.

        The graph comes first, which is written from its inputs on: following the tensors back from
        any other attribute is a recursion as deep as the graph.
        """
        state = {name: value for name, value in vars(self).items() if name != "_inbound_nodes"}
        return {"_graph": state.pop("_graph"), **state} if "_graph" in state else state

    def __setstate__(self, state: Config) -> None:
        self.__dict__.update(state)
        self.__dict__.setdefault("_inbound_nodes", [])  # a graph may have been here before

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`call`; on symbolic tensors a node that stands for it."""
        try:
            if not (has_symbolic(args) or has_symbolic(kwargs.values())):
                return self.call(*args, **kwargs)
            if type(self).compute_output_spec is Operation.compute_output_spec:
                return graph.call_symbolic(self, self.call, args, kwargs)
            if graph.tracing():
                return self.compute_output_spec(*args, **kwargs)
            outputs = self.compute_output_spec(*args, **kwargs)
            graph.Node(self, args, kwargs, outputs)
            return outputs
        except Exception as error:
            tracebacks.cut(error)
            raise

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs for tensors; a subclass defines it."""
        raise NotImplementedError(
            f"{type(self).__name__} has no method `call`, which computes the outputs: define it."
        )

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """As `__call__` on symbolic tensors."""
        return self(*args, **kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic tensors with the shapes and dtypes of the outputs, without a node in the graph.

        Args:
            *args: what `call` takes, with `KerasTensor`s for tensors.
            **kwargs: likewise.

        Returns:
            A KerasTensor, or a structure of them.
        """
        return graph.infer_outputs(self.call, args, kwargs)

    @property
    def input(self) -> Structure:
        """The symbolic input of the first call, or the list of them."""
        return _one_or_list(self._first_node("input").input_tensors)

    @property
    def output(self) -> Structure:
        """The symbolic output of the first call, or the list of them."""
        return _one_or_list(self._first_node("output").output_tensors)

    def _first_node(self, wanted: str) -> graph.Node:
        if not self._inbound_nodes:
            raise AttributeError(
                f"The operation {cut_text(self.name)} has never been called on symbolic tensors "
                f"and thus has no defined {wanted}."
            )
        return self._inbound_nodes[0]


def _one_or_list(tensors: list[graph.KerasTensor]) -> Structure:
    return tensors[0] if len(tensors) == 1 else tensors
