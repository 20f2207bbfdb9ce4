"""Models described once as lists, and built from them with Keras (any), torch and ONNX.

A description is a list of tuples: the kind of layer, then its numbers. All builders are given the
same weights, in this order and in Keras' layouts. It needs no nkeras: peers load it by path.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

Kind: TypeAlias = "tuple[Any, ...]"  # a layer: its kind, numbers and options
Layers: TypeAlias = "list[Kind]"
EPSILON = 1e-3  # of batch normalization, Keras' default


@dataclass(frozen=True)
class Model:
    """A description: one sample's shape, layers, number of classes, and of words if it has any."""

    input_shape: tuple[int, ...]
    layers: Layers
    classes: int
    words: int = 0


def _residual(filters: int, strides: int, changes: bool) -> Kind:
    branch: Layers = [
        ("conv", filters, 3, strides, "same", None, False),
        ("norm",),
        ("relu", None),
        ("conv", filters, 3, 1, "same", None, False),
        ("norm",),
    ]
    shortcut: Layers = [("conv", filters, 1, strides, "same", None, False), ("norm",)]
    return ("add", branch, shortcut if changes else [])


def _resnet() -> Layers:
    """Three stages of two blocks, as in https://arxiv.org/abs/1512.03385 section 4.2."""
    layers: Layers = [("conv", 16, 3, 1, "same", None, False), ("norm",), ("relu", None)]
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(2):
            first = stage > 0 and block == 0
            layers += [_residual(filters, 2 if first else 1, first), ("relu", None)]
    return [*layers, ("average",), ("dense", 10, "softmax")]


def _bottleneck(filters: int, strides: int, changes: bool) -> Kind:
    branch: Layers = [("conv", filters, 1, 1, "same", None, False), ("norm",), ("relu", None)]
    branch += [("conv", filters, 3, strides, "same", None, False), ("norm",), ("relu", None)]
    branch += [("conv", 4 * filters, 1, 1, "same", None, False), ("norm",)]
    shortcut: Layers = [("conv", 4 * filters, 1, strides, "same", None, False), ("norm",)]
    return ("add", branch, shortcut if changes else [])


def _resnet50() -> Layers:
    """Four stages of bottlenecks, https://arxiv.org/abs/1512.03385 table 1."""
    layers: Layers = [("conv", 64, 7, 2, "same", None, False), ("norm",), ("relu", None)]
    layers += [("max", 2)]
    for filters, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            strides = 2 if block == 0 and filters > 64 else 1
            layers += [_bottleneck(filters, strides, block == 0), ("relu", None)]
    return [*layers, ("average",), ("dense", 1000, "softmax")]


def _mobilenet() -> Layers:
    """MobileNetV2 of width 1, https://arxiv.org/abs/1801.04381 table 2."""
    layers: Layers = [("conv", 32, 3, 2, "same", None, False), ("norm",), ("relu", 6.0)]
    channels = 32
    for expansion, filters, blocks, strides in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
        (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for block in range(blocks):
            stride = strides if block == 0 else 1
            wide: Layers = []
            if expansion > 1:
                wide = [("conv", channels * expansion, 1, 1, "same", None, False)]
                wide += [("norm",), ("relu", 6.0)]
            branch = [*wide, ("depthwise", 3, stride), ("norm",), ("relu", 6.0)]
            branch += [("conv", filters, 1, 1, "same", None, False), ("norm",)]
            same = stride == 1 and channels == filters
            layers += [("add", branch, [])] if same else branch
            channels = filters
    layers += [("conv", 1280, 1, 1, "same", None, False), ("norm",), ("relu", 6.0)]
    return [*layers, ("average",), ("dense", 1000, "softmax")]


RECURRENT = {"lstm": (4, ()), "both gru": (3, (2,))}
"""Kinds of recurrent layers: how many gates, leading axes of the bias."""

MODELS = {
    "tiny": Model((4,), [("dense", 16, "relu"), ("dense", 3, "softmax")], 3),
    "mlp": Model((784,), [("dense", 128, "relu"), ("dense", 10, "softmax")], 10),
    "wide": Model(
        (784,), [("dense", 512, "relu"), ("dense", 512, "relu"), ("dense", 10, "softmax")], 10
    ),
    "convnet": Model(  # https://keras.io/examples/vision/mnist_convnet/
        (28, 28, 1),
        [
            ("conv", 32, 3, 1, "valid", "relu", True),
            ("max", 2),
            ("conv", 64, 3, 1, "valid", "relu", True),
            ("max", 2),
            ("flatten",),
            ("dropout", 0.5),
            ("dense", 10, "softmax"),
        ],
        10,
    ),
    "resnet": Model((32, 32, 3), _resnet(), 10),
    "resnet50": Model((224, 224, 3), _resnet50(), 1000),
    "mobilenet": Model((96, 96, 3), _mobilenet(), 1000),
    "lstm": Model(  # https://keras.io/examples/nlp/bidirectional_lstm_imdb/, one direction
        (80,), [("embedding", 20000, 128), ("lstm", 128), ("dense", 2, "softmax")], 2, 20000
    ),
    "gru": Model(
        (80,), [("embedding", 20000, 64), ("both gru", 64), ("dense", 2, "softmax")], 2, 20000
    ),
    "transformer": Model(  # https://keras.io/examples/nlp/text_classification_with_transformer/
        (200,),
        [
            ("embedding", 20000, 32),
            ("transformer", 2, 32, 32),
            ("average",),
            ("dense", 20, "relu"),
            ("dense", 2, "softmax"),
        ],
        2,
        20000,
    ),
    "series": Model(  # https://keras.io/examples/timeseries/timeseries_classification_from_scratch/
        (500, 1),
        [
            *[("conv", 64, 3, 1, "same", None, True), ("norm",), ("relu", None)] * 3,
            ("average",),
            ("dense", 2, "softmax"),
        ],
        2,
    ),
    "local": Model(
        (28, 28, 1),
        [
            ("local", 8, 5, 2, "relu"),
            ("local", 16, 3, 1, "relu"),
            ("flatten",),
            ("dense", 10, "softmax"),
        ],
        10,
    ),
}


def weights(model: Model) -> list[np.ndarray]:
    """Weights for a model, always the same, each layer's in Keras' order and layout."""
    generator = np.random.default_rng(0)
    result: list[np.ndarray] = []

    def scaled(*shape: int) -> np.ndarray:
        deviation = (2.0 / np.prod(shape[:-1])) ** 0.5
        return generator.standard_normal(shape, np.float32) * np.float32(deviation)

    def make(layers: Layers, shape: tuple[int, ...]) -> tuple[int, ...]:
        for kind, *numbers in layers:
            channels = shape[-1]
            if kind == "conv":
                filters, size, _, _, _, bias = numbers
                result.append(scaled(*[size] * (len(shape) - 1), channels, filters))
                if bias:
                    result.append(np.zeros(filters, np.float32))
            elif kind == "local":
                filters, size = numbers[:2]
                places = output_shape((kind, *numbers), shape)[:-1]
                kernel = scaled(int(np.prod(places)), size * size * channels, filters)
                result.extend([kernel * len(kernel) ** 0.5, np.zeros((*places, filters), "f4")])
            elif kind == "embedding":
                result.append(scaled(*numbers) * np.float32(numbers[0] ** 0.5))
            elif kind in RECURRENT:
                units, (gates, biases) = numbers[0], RECURRENT[kind]
                for _ in range(2 if kind.startswith("both") else 1):
                    result.extend([scaled(channels, gates * units), scaled(units, gates * units)])
                    result.append(np.zeros((*biases, gates * units), np.float32))
            elif kind == "transformer":
                heads, size, hidden = numbers
                for _ in ("query", "key", "value"):
                    result.extend([scaled(channels, heads * size), np.zeros(heads * size, "f4")])
                    result[-2:] = [one.reshape(*one.shape[:-1], heads, size) for one in result[-2:]]
                result.append(scaled(heads * size, channels).reshape(heads, size, channels))
                ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
                result.extend([zeros, ones, zeros])
                result.extend([scaled(channels, hidden), np.zeros(hidden, np.float32)])
                result.extend([scaled(hidden, channels), zeros, ones, zeros])
            elif kind == "depthwise":
                size = numbers[0]
                result.append(scaled(channels, size, size, 1).transpose(1, 2, 0, 3).copy())
            elif kind == "norm":
                ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
                result.extend([ones, zeros, zeros, ones])
            elif kind == "dense":
                result.extend([scaled(channels, numbers[0]), np.zeros(numbers[0], np.float32)])
            elif kind == "add":
                for part in numbers:
                    make(part, shape)
            shape = output_shape((kind, *numbers), shape)
        return shape

    make(model.layers, model.input_shape)
    return result


def output_shape(layer: Kind, shape: tuple[int, ...]) -> tuple[int, ...]:
    """One sample's shape behind a layer, channels last."""
    kind, *numbers = layer
    if kind == "conv":
        filters, size, strides, padding = numbers[:4]
        lost = 0 if padding == "same" else size - 1
        return (*[-(-(extent - lost) // strides) for extent in shape[:-1]], filters)
    if kind == "depthwise":
        return (*[-(-extent // numbers[1]) for extent in shape[:-1]], shape[-1])
    if kind == "local":
        filters, size, strides = numbers[:3]
        return (*[(extent - size) // strides + 1 for extent in shape[:-1]], filters)
    if kind == "embedding":
        return (*shape, numbers[1])
    if kind in RECURRENT:
        return (numbers[0] * (2 if kind.startswith("both") else 1),)
    if kind == "max":
        return (*[extent // numbers[0] for extent in shape[:-1]], shape[-1])
    if kind == "flatten":
        return (int(np.prod(shape)),)
    if kind == "average":
        return (shape[-1],)
    if kind == "dense":
        return (numbers[0],)
    if kind == "add":
        for one in numbers[0]:
            shape = output_shape(one, shape)
    return shape


# Keras


def keras_of(framework: str) -> ModuleType:
    """The module to use as `keras`: nkeras, or Keras with a backend."""
    if framework == "nkeras":
        return import_module("nkeras")
    os.environ["KERAS_BACKEND"] = framework.removeprefix("keras-")
    return import_module("keras")


def keras_model(keras: ModuleType, name: str, set_weights: bool = True) -> Any:
    """A Keras model; Sequential where its layers are a sequence, as users write it."""
    model = MODELS[name]
    made: list[Any] = []

    def make(kind: str, *numbers: Any) -> Any:
        made.append(_keras_layer(keras, kind, numbers[:-1], numbers[-1]))
        return made[-1]

    def chain(layers: Layers, x: Any) -> Any:
        for kind, *numbers in layers:
            if kind == "add":
                branch, shortcut = (chain(part, x) for part in numbers)
                x = keras.layers.Add()([branch, shortcut])
            elif kind == "transformer":
                x = transformer(x, *numbers)
            else:
                x = make(kind, *numbers, len(x.shape) - 2)(x)
        return x

    def transformer(x: Any, heads: int, size: int, hidden: int) -> Any:
        layers = keras.layers
        made.append(layers.MultiHeadAttention(heads, size))
        x = layers.Add()([x, made[-1](x, x)])
        made.append(layers.LayerNormalization(epsilon=1e-6))
        x = made[-1](x)
        wide, narrow = layers.Dense(hidden, activation="relu"), layers.Dense(x.shape[-1])
        made.extend([wide, narrow, layers.LayerNormalization(epsilon=1e-6)])
        return made[-1](layers.Add()([x, narrow(wide(x))]))

    inputs = keras.Input(model.input_shape, dtype="int32" if model.words else "float32")
    if any(layer[0] in ("add", "transformer") for layer in model.layers):
        result = keras.Model(inputs, chain(model.layers, inputs), name=name)
    else:
        rank = len(model.input_shape) - 1
        sequence = [make(*layer, rank) for layer in model.layers]
        result = keras.Sequential([inputs, *sequence], name=name)
    if set_weights:
        left = weights(model)
        for layer in made:
            count = len(layer.weights)
            layer.set_weights(left[:count])
            left = left[count:]
    return result


def _keras_layer(keras: ModuleType, kind: str, numbers: Sequence[Any], rank: int) -> Any:
    layers = keras.layers
    if kind == "conv":
        filters, size, strides, padding, activation, bias = numbers
        convolution = layers.Conv1D if rank == 1 else layers.Conv2D
        return convolution(filters, size, strides, padding, activation=activation, use_bias=bias)
    if kind == "local":
        filters, size, strides, activation = numbers
        if not hasattr(layers, "LocallyConnected2D"):
            return _local_by_einsum(keras, filters, size, strides, activation)
        return layers.LocallyConnected2D(filters, size, strides, activation=activation)
    if kind == "depthwise":
        return layers.DepthwiseConv2D(numbers[0], numbers[1], "same", use_bias=False)
    if kind == "dense":
        return layers.Dense(numbers[0], activation=numbers[1])
    makers = {
        "norm": lambda: layers.BatchNormalization(epsilon=EPSILON),
        "relu": lambda: layers.ReLU(numbers[0]),
        "max": lambda: layers.MaxPooling2D(numbers[0]),
        "average": layers.GlobalAveragePooling1D if rank == 1 else layers.GlobalAveragePooling2D,
        "embedding": lambda: layers.Embedding(*numbers),
        "lstm": lambda: layers.LSTM(numbers[0]),
        "both gru": lambda: layers.Bidirectional(layers.GRU(numbers[0])),
        "flatten": layers.Flatten,
        "dropout": lambda: layers.Dropout(numbers[0]),
    }
    return makers[kind]()


def _local_by_einsum(
    keras: ModuleType, filters: int, size: int, strides: int, activation: str
) -> Any:
    """What users of Keras 3 write, which has no such layer: patches, and one product for all."""

    class Local(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def build(self, shape: Sequence[int]) -> None:
            places = [(extent - size) // strides + 1 for extent in shape[1:-1]]
            count = int(np.prod(places))
            self.kernel = self.add_weight((count, size * size * shape[-1], filters))
            self.bias = self.add_weight((*places, filters), initializer="zeros")

        def call(self, inputs: Any) -> Any:
            ops = keras.ops
            x = ops.image.extract_patches(inputs, size, strides, padding="valid")
            x = ops.reshape(x, (-1, *self.kernel.shape[:2]))
            x = ops.einsum("bpk,pkf->bpf", x, self.kernel)
            return keras.activations.get(activation)(
                ops.reshape(x, (-1, *self.bias.shape)) + self.bias
            )

    return Local()


# Data


def data(name: str, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples and int32 labels for a model, always the same."""
    model = MODELS[name]
    generator = np.random.default_rng(0)
    if model.words:
        x = generator.integers(0, model.words, (samples, *model.input_shape), np.int32)
    else:
        x = generator.random((samples, *model.input_shape), np.float32)
    return x, generator.integers(0, model.classes, samples, np.int32)


def channels_first(x: np.ndarray) -> np.ndarray:
    """Images and series as torch and ONNX want them; other data as it is."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if x.ndim > 2 else x


def same_padding(size: int, strides: int, extent: int) -> tuple[int, int]:
    """Rows before and after that padding `same` adds."""
    total = max((-(-extent // strides) - 1) * strides + size - extent, 0)
    return total // 2, total - total // 2
