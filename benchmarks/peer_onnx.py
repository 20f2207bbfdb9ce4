"""The models of `peer_models` as ONNX graphs, run by ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnxruntime
import peer_models
from onnx import TensorProto, helper, numpy_helper

_OPSET, _IR_VERSION = 17, 8


class _Graph:
    """Nodes and their weights, channels first."""

    def __init__(self, name: str) -> None:
        self.model = peer_models.MODELS[name]
        self.left: Iterator[np.ndarray] = iter(peer_models.weights(self.model))
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.flattened: tuple[int, ...] | None = None

    def serialized(self) -> bytes:
        """The whole model."""
        shape = self.model.input_shape
        sizes = [shape[-1], *shape[:-1]] if len(shape) > 1 else [*shape]
        result = self.chain(self.model.layers, "x", shape)
        kind = TensorProto.INT32 if self.model.words else TensorProto.FLOAT
        inputs = helper.make_tensor_value_info("x", kind, ["batch", *sizes])
        outputs = [self.model.classes]
        output = helper.make_tensor_value_info(result, TensorProto.FLOAT, ["batch", *outputs])
        graph = helper.make_graph(self.nodes, "model", [inputs], [output], self.initializers)
        opset = helper.make_opsetid("", _OPSET)
        made = helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)
        return made.SerializeToString()

    def chain(self, layers: peer_models.Layers, x: str, shape: tuple[int, ...]) -> str:
        """Layers in a row; the name of what comes out."""
        for kind, *numbers in layers:
            x = self._layer(kind, numbers, x, shape)
            shape = peer_models.output_shape((kind, *numbers), shape)
        return x

    def _node(self, kind: str, *inputs: str, **attributes: object) -> str:
        output = f"y{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [*inputs], [output], **attributes))
        return output

    def _constant(self, array: np.ndarray) -> str:
        name = f"w{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _weight(self, *order: int) -> str:
        array = next(self.left)
        return self._constant(array.transpose(order) if order else array)

    def _layer(self, kind: str, numbers: list[Any], x: str, shape: tuple[int, ...]) -> str:
        if kind == "conv":
            _, size, strides, padding, activation, bias = numbers
            order = (2, 1, 0) if len(shape) == 2 else (3, 2, 0, 1)
            weights = [self._weight(*order)] + ([self._weight()] if bias else [])
            sizes, steps = [[value] * (len(shape) - 1) for value in (size, strides)]
            return self._activation(activation, self._conv(x, weights, sizes, steps, padding, 1))
        if kind == "depthwise":
            size, strides = numbers
            sizes, steps = [size] * 2, [strides] * 2
            return self._conv(x, [self._weight(2, 3, 0, 1)], sizes, steps, "same", shape[-1])
        if kind == "dense":
            return self._dense(x, *numbers)
        if kind == "norm":
            weights = [self._weight() for _ in range(4)]
            return self._node("BatchNormalization", x, *weights, epsilon=peer_models.EPSILON)
        if kind == "add":
            branch, shortcut = (self.chain(part, x, shape) for part in numbers)
            return self._node("Add", branch, shortcut)
        if kind == "relu":
            if numbers[0] is None:
                return self._node("Relu", x)
            limits = [self._constant(np.array(v, np.float32)) for v in (0.0, numbers[0])]
            return self._node("Clip", x, *limits)
        if kind == "max":
            sizes = [numbers[0]] * 2
            return self._node("MaxPool", x, kernel_shape=sizes, strides=sizes)
        if kind == "flatten":
            self.flattened = shape
            return self._node("Flatten", x)
        if kind == "embedding":
            return self._node("Gather", self._weight(), x)
        if kind in peer_models.RECURRENT:
            return self._recurrent(kind, numbers[0], x)
        if kind == "transformer":
            return self._transformer(x, shape[-1], *numbers)
        if kind == "average" and self.model.words:  # channels are last
            return self._node("ReduceMean", x, axes=[1], keepdims=0)
        if kind == "average":
            return self._node("Flatten", self._node("GlobalAveragePool", x))
        return x  # dropout does nothing

    def _conv(
        self,
        x: str,
        weights: list[str],
        sizes: list[int],
        strides: list[int],
        padding: str,
        groups: int,
    ) -> str:
        pad = "SAME_UPPER" if padding == "same" else "VALID"
        return self._node(
            "Conv", x, *weights, auto_pad=pad, group=groups, kernel_shape=sizes, strides=strides
        )

    def _recurrent(self, kind: str, units: int, x: str) -> str:
        """The last state of a recurrent layer, of both directions side by side."""
        both = kind.startswith("both")
        gates = peer_models.RECURRENT[kind][0]
        # Of LSTM input, output, forget, candidate; those of GRU stand in Keras' order.
        order = [0, 3, 1, 2] if gates == 4 else [0, 1, 2]

        def gate_first(array: np.ndarray) -> np.ndarray:
            parts = np.split(array, gates, -1)
            return np.concatenate([parts[i] for i in order], -1).T

        parts: list[list[np.ndarray]] = [[], [], []]
        for _ in range(2 if both else 1):
            kernel, recurrent, bias = (gate_first(next(self.left)) for _ in range(3))
            bias = bias.T if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
            for part, array in zip(parts, (kernel, recurrent, bias.reshape(-1)), strict=True):
                part.append(array)
        weights = [self._constant(np.stack(part)) for part in parts]
        named = {"hidden_size": units, "direction": "bidirectional" if both else "forward"}
        if gates == 3:
            named["linear_before_reset"] = 1
        x = self._node("Transpose", x, perm=[1, 0, 2])
        state = f"state{len(self.nodes)}"
        operation = "LSTM" if gates == 4 else "GRU"
        self.nodes.append(helper.make_node(operation, [x, *weights], ["", state], **named))
        rows = self._node("Transpose", state, perm=[1, 0, 2])
        return self._node("Flatten", rows)

    def _transformer(self, x: str, width: int, heads: int, size: int, hidden: int) -> str:
        parts = []
        shape = self._constant(np.array([0, 0, heads, size], np.int64))
        for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):
            part = self._rows(x, next(self.left).reshape(width, -1), next(self.left).reshape(-1))
            parts.append(self._node("Transpose", self._node("Reshape", part, shape), perm=order))
        scale = self._constant(np.array(size**-0.5, np.float32))
        scores = self._node("MatMul", self._node("Mul", parts[0], scale), parts[1])
        seen = self._node("MatMul", self._node("Softmax", scores, axis=-1), parts[2])
        seen = self._node("Transpose", seen, perm=[0, 2, 1, 3])
        flat = self._constant(np.array([0, 0, heads * size], np.int64))
        seen = self._node("Reshape", seen, flat)
        seen = self._rows(seen, next(self.left).reshape(-1, width), next(self.left))
        x = self._normalized(self._node("Add", x, seen))
        inside = self._node("Relu", self._rows(x, next(self.left), next(self.left)))
        return self._normalized(
            self._node("Add", x, self._rows(inside, next(self.left), next(self.left)))
        )

    def _rows(self, x: str, kernel: np.ndarray, bias: np.ndarray) -> str:
        product = self._node("MatMul", x, self._constant(kernel))
        return self._node("Add", product, self._constant(bias))

    def _normalized(self, x: str) -> str:
        return self._node(
            "LayerNormalization", x, self._weight(), self._weight(), axis=-1, epsilon=1e-6
        )

    def _dense(self, x: str, units: int, activation: str | None) -> str:
        kernel = next(self.left)
        if self.flattened:  # ONNX flattens with channels first
            kernel = kernel.reshape(*self.flattened, units).transpose(2, 0, 1, 3)
            kernel, self.flattened = kernel.reshape(-1, units), None
        y = self._node("Gemm", x, self._constant(kernel), self._weight())
        return self._activation(activation, y)

    def _activation(self, name: str | None, x: str) -> str:
        if name == "softmax":
            return self._node("Softmax", x, axis=-1)
        return self._node("Relu", x) if name == "relu" else x


def predict(name: str, samples: int, batch: int) -> Callable[[], np.ndarray]:
    """Probabilities of samples as NumPy array, batch by batch."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(_Graph(name).serialized(), options, providers)
    x = peer_models.channels_first(peer_models.data(name, samples)[0])

    def run() -> np.ndarray:
        parts = [
            session.run(None, {"x": x[start : start + batch]})[0]
            for start in range(0, samples, batch)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    return run
