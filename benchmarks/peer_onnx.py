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
        sizes = [shape[-1], *shape[:-1]] if len(shape) == 3 else [*shape]
        result = self.chain(self.model.layers, "x", shape)
        inputs = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *sizes])
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
            weights = [self._weight(3, 2, 0, 1)] + ([self._weight()] if bias else [])
            return self._activation(activation, self._conv(x, weights, size, strides, padding, 1))
        if kind == "depthwise":
            size, strides = numbers
            return self._conv(x, [self._weight(2, 3, 0, 1)], size, strides, "same", shape[-1])
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
        if kind == "average":
            return self._node("Flatten", self._node("GlobalAveragePool", x))
        return x  # dropout does nothing

    def _conv(
        self, x: str, weights: list[str], size: int, strides: int, padding: str, groups: int
    ) -> str:
        pad = "SAME_UPPER" if padding == "same" else "VALID"
        return self._node(
            "Conv", x, *weights, auto_pad=pad, group=groups, kernel_shape=[size] * 2,
            strides=[strides] * 2,
        )  # fmt: skip

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
