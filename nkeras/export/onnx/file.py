"""The graph as an ONNX model, in a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

import nkeras
from nkeras.core import dtypes
from nkeras.core.files import replacing
from nkeras.export.onnx.graph import Body, ExportError, Graph, Node, Value
from nkeras.export.onnx.versions import require_onnx

LIMIT = 2**31 - 2**20  # bytes of a protocol buffer, less what is not weights
_OPTIONAL = frozenset(("LayerNormalization", "LSTM", "GRU", "RNN"))  # results may be left out

Sizes = Sequence["int | str | None"]


def write(
    graph: Graph,
    path: str | os.PathLike[str],
    name: str,
    inputs: Sequence[Sizes],
    outputs: Sequence[Sizes],
) -> None:
    """Write the model in one piece.

    Args:
        graph: what it computes.
        path: the file.
        name: of the graph.
        inputs: for each input its sizes, names of those that are not known.
        outputs: the same for the outputs.

    Raises:
        ValueError: it would be larger than 2 GB.
        OSError: the file cannot be written; an old one is as before.
    """
    text = _Writer(graph).model(name, inputs, outputs).SerializeToString(deterministic=True)
    with replacing(path) as file:
        file.write(text)


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self._onnx = require_onnx()
        self._graph = graph
        self._names: dict[int, str] = {}
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._initializers: list[Any] = []
        self._used: set[int] = set()
        self._bytes = 0
        for value in (*graph.inputs, *graph.outputs):
            assert value.name is not None
            self._names[id(value)] = value.name
            self._taken.add(value.name)

    def model(self, name: str, inputs: Sequence[Sizes], outputs: Sequence[Sizes]) -> Any:
        helper, graph = self._onnx.helper, self._graph
        nodes = self._nodes(graph)
        made = helper.make_graph(
            nodes,
            name,
            [
                self._described(value, sizes)
                for value, sizes in zip(graph.inputs, inputs, strict=True)
            ],
            [
                self._described(value, sizes)
                for value, sizes in zip(graph.outputs, outputs, strict=True)
            ],
            self._initializers,
        )
        opsets = [helper.make_opsetid("", graph.opset)]
        return helper.make_model(
            made,
            opset_imports=opsets,
            ir_version=helper.find_min_ir_version_for(opsets),
            producer_name="nkeras",
            producer_version=nkeras.__version__,
        )

    def _described(self, value: Value, sizes: Sizes) -> Any:
        kind = self._type(value.dtype)
        return self._onnx.helper.make_tensor_value_info(value.name, kind, list(sizes))

    def _type(self, dtype: np.dtype[Any] | None) -> int:
        assert dtype is not None
        return getattr(self._onnx.TensorProto, _TYPES[dtypes.name_of(dtype)])

    def _nodes(self, graph: Graph) -> list[Any]:
        def note(graph: Graph) -> None:
            for node in graph.nodes:
                self._used.update(id(value) for value in node.inputs if value is not None)
                for attribute in node.attributes.values():
                    if isinstance(attribute, Body):
                        self._used.update(id(value) for value in attribute.outputs)
                        note(attribute.graph)

        if graph is self._graph:
            self._used.update(id(value) for value in graph.outputs)
            note(graph)
        return [self._node(node) for node in graph.nodes]

    def _node(self, node: Node) -> Any:
        inputs = ["" if value is None else self._name(value, node) for value in node.inputs]
        while inputs and not inputs[-1]:
            inputs.pop()
        attributes: dict[str, Any] = {}
        for key, value in node.attributes.items():
            if isinstance(value, Body):
                attributes[key] = self._body(value)
            else:
                attributes[key] = self._type(value) if isinstance(value, np.dtype) else value
        outputs = [
            ""
            if node.operator in _OPTIONAL and id(value) not in self._used
            else self._name(value, node)
            for value in node.outputs
        ]
        while not outputs[-1]:
            outputs.pop()
        return self._onnx.helper.make_node(
            node.operator, inputs, outputs, name=outputs[0] or outputs[-1], **attributes
        )

    def _body(self, body: Body) -> Any:
        helper = self._onnx.helper
        inputs = [
            helper.make_tensor_value_info(
                self._new(value, "step_input"), self._type(value.dtype), None
            )
            for value in body.inputs
        ]
        nodes = self._nodes(body.graph)
        outputs = [
            helper.make_tensor_value_info(self._names[id(value)], self._type(value.dtype), None)
            for value in body.outputs
        ]
        return helper.make_graph(nodes, self._free("step"), inputs, outputs)

    def _name(self, value: Value, owner: Node) -> str:
        known = self._names.get(id(value))
        if known is not None:
            return known
        if value.data is None:
            return self._new(value, f"{owner.scope}/{owner.operator}".lstrip("/"))
        return self._initializer(value)

    def _new(self, value: Value, base: str) -> str:
        name = self._names[id(value)] = self._free(base)
        return name

    def _free(self, base: str) -> str:
        while True:
            count = self._counts[base] = self._counts.get(base, -1) + 1
            name = f"{base}_{count}"
            if name not in self._taken:
                self._taken.add(name)
                return name

    def _initializer(self, value: Value) -> str:
        data = value.data
        assert data is not None
        if data.dtype.kind == "c":
            data = np.stack([np.real(data), np.imag(data)], -1)
        kind, raw = _TYPES[dtypes.name_of(data.dtype)], b""
        if value.path is None:
            raw = _raw(data)
            key = kind, data.shape, raw
            if key in self._constants:
                self._names[id(value)] = self._constants[key]
                return self._constants[key]
            name = self._constants[key] = self._new(value, "constant")
        elif value.path in self._taken:
            name = self._new(value, value.path)
        else:
            name = self._names[id(value)] = value.path
            self._taken.add(name)
        self._bytes += data.nbytes
        if self._bytes > LIMIT:
            raise ExportError(
                "Model.export: the weights take more than 2 GB, which one ONNX file cannot hold. "
                'Make it smaller by `model.quantize("int8")` or the dtype policy "float16", or '
                "export its parts as models of their own."
            )
        self._initializers.append(
            self._onnx.TensorProto(
                name=name,
                dims=list(data.shape),
                data_type=getattr(self._onnx.TensorProto, kind),
                raw_data=raw or _raw(data),
            )
        )
        return name


def _raw(data: np.ndarray) -> bytes:
    """The numbers as ONNX stores them: in order, least byte first."""
    if data.dtype.byteorder == ">" or (data.dtype.byteorder == "=" and not np.little_endian):
        data = data.byteswap()
    return np.ascontiguousarray(data).tobytes()


_TYPES = {
    "bool": "BOOL",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    **{name: name.upper() for name in (*dtypes.INTEGERS, *dtypes.HALVES)},
}
