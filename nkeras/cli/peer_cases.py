"""The two models that `nkeras bench --against` times, in each framework; run by `peer_worker`.

All have the same weights, which are made here in Keras' order and layouts. It needs no nkeras.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

_Function = TypeVar("_Function", bound=Callable[[], object])

SHAPES: dict[str, tuple[int, ...]] = {"mlp": (784,), "convnet": (28, 28, 1)}
_CLASSES = 10
# Of the kernels; each has a bias behind it. The last one's rows are 5 x 5 positions of 64 channels.
_KERNELS = {"mlp": [(784, 128), (128, 10)], "convnet": [(3, 3, 1, 32), (3, 3, 32, 64), (1600, 10)]}
_FLATTENED = (5, 5, 64)


def make(framework: str, case: dict[str, Any]) -> Callable[[], object] | None:
    """The function to time: `predict` or `train step`, of one batch; None where there is none."""
    name, training = case["model"], case["do"] == "train step"
    x, y = _data(name, case["batch"])
    if framework == "onnxruntime":
        return None if training else _onnx_prediction(name, x)
    if framework == "torch":
        return _torch_training(name, x, y) if training else _torch_prediction(name, x)
    os.environ["KERAS_BACKEND"] = framework.removeprefix("keras-")
    model = keras_model(import_module("nkeras" if framework == "nkeras" else "keras"), name)
    model.set_weights(list(_weights(name)))
    if not training:
        return lambda: model.predict(x, batch_size=case["batch"], verbose=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    def step() -> None:  # with dropout, losses are not to be compared
        model.train_on_batch(x, y)

    return step


def keras_model(keras: ModuleType, name: str) -> Any:
    """A model, as users of Keras write it: `"mlp"`, or keras.io's convnet for MNIST."""
    layers = keras.layers
    sequence = [layers.Dense(128, activation="relu")]
    if name == "convnet":
        sequence = [
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
        ]
    output = layers.Dense(_CLASSES, activation="softmax")
    return keras.Sequential([keras.Input(SHAPES[name]), *sequence, output], name=name)


def _weights(name: str) -> Iterator[np.ndarray]:
    """Kernels and biases, always the same."""
    generator = np.random.default_rng(0)
    for shape in _KERNELS[name]:
        deviation = np.float32((2.0 / np.prod(shape[:-1])) ** 0.5)
        yield generator.standard_normal(shape, np.float32) * deviation
        yield np.zeros(shape[-1], np.float32)


def _data(name: str, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples and int32 labels, always the same."""
    generator = np.random.default_rng(0)
    x = generator.random((samples, *SHAPES[name]), np.float32)
    return x, generator.integers(0, _CLASSES, samples, np.int32)


# Channels first


def _images_first(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x


def _weights_first(name: str) -> Iterator[np.ndarray]:
    """The weights for channels first; a dense kernel stays (inputs, outputs)."""
    for array in _weights(name):
        if array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        elif len(array) == np.prod(_FLATTENED):
            array = array.reshape(*_FLATTENED, -1).transpose(2, 0, 1, 3).reshape(array.shape)
        yield np.ascontiguousarray(array)


def _torch_model(name: str, memory_format: object) -> Any:
    """A module that gives logits."""
    torch = import_module("torch")
    nn = torch.nn
    modules = [nn.Linear(784, 128), nn.ReLU(True), nn.Linear(128, _CLASSES)]
    if name == "convnet":
        first = [nn.Conv2d(1, 32, 3), nn.ReLU(True), nn.MaxPool2d(2)]
        second = [nn.Conv2d(32, 64, 3), nn.ReLU(True), nn.MaxPool2d(2)]
        modules = [*first, *second, nn.Flatten(), nn.Dropout(0.5), nn.Linear(1600, _CLASSES)]
    model = nn.Sequential(*modules)
    with torch.no_grad():
        for parameter, array in zip(model.parameters(), _weights_first(name), strict=True):
            parameter.copy_(torch.from_numpy(array.T if array.ndim == 2 else array))
    return model.to(memory_format=memory_format)


def _torch_prediction(name: str, x: np.ndarray) -> Callable[[], np.ndarray]:
    torch = import_module("torch")
    images = torch.from_numpy(_images_first(x))

    def prediction(memory_format: object) -> Callable[[], np.ndarray]:
        model = _torch_model(name, memory_format).eval()

        @torch.inference_mode()
        def run() -> np.ndarray:
            logits = model(images.contiguous(memory_format=memory_format))
            return torch.nn.functional.softmax(logits, -1).numpy()

        return run

    return _in_the_faster_format(prediction, name)


def _torch_training(name: str, x: np.ndarray, y: np.ndarray) -> Callable[[], None]:
    torch = import_module("torch")
    labels = torch.from_numpy(y).long()

    def training(memory_format: object) -> Callable[[], None]:
        images = torch.from_numpy(_images_first(x)).contiguous(memory_format=memory_format)
        model = _torch_model(name, memory_format).train()
        optimizer = torch.optim.Adam(model.parameters(), fused=True)

        def step() -> None:
            logits = model(images)
            loss = torch.nn.functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            _ = loss.item(), (logits.argmax(-1) == labels).sum().item()

        return step

    return _in_the_faster_format(training, name)


def _in_the_faster_format(way: Callable[[object], _Function], name: str) -> _Function:
    """A way of torch in the memory format in which it takes less time."""
    torch = import_module("torch")
    if len(SHAPES[name]) == 1:
        return way(torch.contiguous_format)
    functions = [way(torch.contiguous_format), way(torch.channels_last)]
    return min(functions, key=_least_time)


def _least_time(function: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def _onnx_prediction(name: str, x: np.ndarray) -> Callable[[], np.ndarray]:
    runtime = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    options.inter_op_num_threads = 1
    session = runtime.InferenceSession(_onnx_model(name), options, ["CPUExecutionProvider"])
    images = {"x": _images_first(x)}
    return lambda: session.run(None, images)[0]


def _onnx_model(name: str) -> bytes:
    """The model as a graph: its nodes have one input, one output and perhaps two weights."""
    onnx = import_module("onnx")
    helper, tensor = onnx.helper, onnx.TensorProto.FLOAT
    kinds = [("Gemm", {}), ("Relu", {})]
    if name == "convnet":
        pool = ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]})
        kinds = [("Conv", {}), ("Relu", {}), pool] * 2 + [("Flatten", {})]
    nodes, names = [], iter([f"w{i}" for i in range(2 * len(_KERNELS[name]))])
    for number, (kind, attributes) in enumerate([*kinds, ("Gemm", {}), ("Softmax", {"axis": -1})]):
        given = [next(names), next(names)] if kind in ("Gemm", "Conv") else []
        inputs = [f"y{number - 1}" if number else "x", *given]
        nodes.append(helper.make_node(kind, inputs, [f"y{number}"], **attributes))
    weights = [
        onnx.numpy_helper.from_array(array, f"w{i}") for i, array in enumerate(_weights_first(name))
    ]
    *sizes, channels = SHAPES[name]
    images = helper.make_tensor_value_info("x", tensor, ["batch", channels, *sizes])
    output = helper.make_tensor_value_info(nodes[-1].output[0], tensor, ["batch", _CLASSES])
    graph = helper.make_graph(nodes, name, [images], [output], weights)
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
