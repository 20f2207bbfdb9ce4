"""Models as one writes them with Keras: each function runs in Keras and in nkeras.

Keras gets this file as text, so it must import nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_random = np.random.default_rng(5)


def numbers(*shape: int) -> np.ndarray:
    return _random.normal(size=shape).astype("float32")


def integers(below: int, *shape: int) -> np.ndarray:
    return _random.integers(0, below, shape).astype("int32")


IMAGES, MAPS = numbers(8, 12, 12, 3), numbers(8, 12, 12, 1)
SERIES, TEXT, ROWS = numbers(8, 6, 4), integers(20, 8, 6), numbers(8, 5)
CLASSES, TARGETS = integers(3, 8), numbers(8, 2)


def cnn(keras: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, IMAGES, CLASSES


def resnet(keras: Any) -> Any:
    layers = keras.layers
    inputs = x = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    for filters, strides in ((4, 1), (8, 2)):
        short = x
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
        x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        if strides > 1:
            short = layers.Conv2D(filters, 1, strides, name="shortcut")(short)
        x = layers.Add()([x, short])
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(3)(x))
    schedule = keras.optimizers.schedules.ExponentialDecay(0.05, 2, 0.9)
    model.compile(
        keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model, IMAGES, CLASSES


def lstm(keras: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 4)),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.LSTM(4),
            layers.Dense(2),
        ]
    )
    model.compile(keras.optimizers.RMSprop(1e-2, clipnorm=1.0), "mse")
    return model, SERIES, TARGETS


def gru(keras: Any) -> Any:
    layers = keras.layers
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 4, mask_zero=True)(inputs)
    x = layers.GRU(3, return_sequences=True)(x)
    x = layers.GRU(3, reset_after=False)(x)
    model = keras.Model(inputs, layers.Dense(3)(x))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model, TEXT, CLASSES


def transformer(keras: Any) -> Any:
    layers, ops = keras.layers, keras.ops
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(20, 8)(inputs) + layers.Embedding(6, 8)(ops.arange(6))
    attended = layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
    x = layers.LayerNormalization()(layers.Add()([x, attended]))
    x = layers.Dense(16, activation="gelu")(x)
    x = ops.mean(x, axis=1)
    model = keras.Model(inputs, layers.Dense(3)(x))
    model.compile(
        keras.optimizers.AdamW(1e-2, weight_decay=1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model, TEXT, CLASSES


def several_inputs(keras: Any) -> Any:
    layers = keras.layers
    rows, series = keras.Input((5,), name="rows"), keras.Input((6, 4), name="series")
    x = layers.Concatenate()([rows, layers.Flatten()(series)])
    first = layers.Dense(2, name="first")(x)
    second = layers.Dense(1, activation="sigmoid", name="second")(x)
    model = keras.Model({"rows": rows, "series": series}, {"first": first, "second": second})
    model.compile(
        "adam",
        {"first": "mse", "second": "binary_crossentropy"},
        loss_weights={"first": 0.5, "second": 2.0},
        metrics={"first": ["mae"]},
    )
    given = {"rows": ROWS, "series": SERIES}
    return model, given, {"first": TARGETS, "second": (TARGETS[:, :1] > 0).astype("float32")}


def nested(keras: Any) -> Any:
    layers = keras.layers
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(4, "tanh")], name="inner")
    x = keras.Input((5,))
    middle = keras.Model(x, layers.Dense(3)(inner(x)), name="middle")
    inputs = keras.Input((5,))
    model = keras.Model(inputs, layers.Dense(2)(middle(inputs)))
    model.compile("sgd", "mse")
    return model, ROWS, TARGETS


def shared(keras: Any) -> Any:
    layers = keras.layers
    one, other = keras.Input((5,)), keras.Input((5,))
    dense = layers.Dense(3, "relu", name="both")
    x = layers.Subtract()([dense(one), dense(other)])
    model = keras.Model([one, other], layers.Dense(2)(x))
    model.compile("nadam", "mae")
    return model, [ROWS, ROWS[::-1].copy()], TARGETS


def subclassed(keras: Any) -> Any:
    @keras.saving.register_keras_serializable(package="tests")
    class Mlp(keras.Model):
        def __init__(self, units: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units
            self.blocks = [keras.layers.Dense(units, "relu") for _ in range(2)]
            self.last = keras.layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            for block in self.blocks:
                inputs = block(inputs)
            return self.last(inputs)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

    model = Mlp(4)
    model.compile("adam", "mse")
    model(ROWS)
    return model, ROWS, TARGETS


def custom_objects(keras: Any) -> Any:
    @keras.saving.register_keras_serializable(package="tests")
    class Scale(keras.layers.Layer):
        def __init__(self, start: float = 1.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.start = start

        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight(
                shape=(input_shape[-1],), initializer=keras.initializers.Constant(self.start)
            )

        def call(self, inputs: Any) -> Any:
            return inputs * self.scale

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "start": self.start}

    @keras.saving.register_keras_serializable(package="tests")
    def squared(x: Any) -> Any:
        return x * x

    @keras.saving.register_keras_serializable(package="tests")
    def loss(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    model = keras.Sequential(
        [keras.Input((5,)), keras.layers.Dense(2, activation=squared), Scale(0.5)]
    )
    model.compile("adam", loss)
    return model, ROWS, TARGETS


def mixed_precision(keras: Any) -> Any:
    layers = keras.layers
    inputs = keras.Input((5,))
    x = layers.Dense(4, "relu", dtype="mixed_bfloat16")(inputs)
    model = keras.Model(inputs, layers.Dense(2, dtype="float32")(x))
    model.compile("adam", "mse")
    return model, ROWS, TARGETS


def operations(keras: Any) -> Any:
    layers, ops = keras.layers, keras.ops
    inputs = keras.Input((6, 4))
    x = layers.Dense(4)(inputs)
    x = ops.concatenate([x[:, ::2], -x[:, 1::2]], axis=1) * 0.5 + 1.0
    x = ops.where(x > 0, x, 0.1 * x) ** 2 / (1.0 + ops.max(x, axis=1, keepdims=True))
    x = ops.reshape(ops.transpose(x, (0, 2, 1)), (-1, 24))
    model = keras.Model(inputs, layers.Dense(2)(x))
    model.compile("adam", "mse")
    return model, SERIES, TARGETS


def autoencoder(keras: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(3, 3, strides=2, padding="same", activation="swish"),
            layers.LayerNormalization(),
            layers.Conv2DTranspose(2, 3, strides=2, padding="same"),
            layers.UpSampling2D(1),
            layers.Conv2D(1, 1),
        ]
    )
    model.compile("adamax", "mse")
    return model, MAPS, MAPS


def separable(keras: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.ZeroPadding2D(1),
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.SeparableConv2D(4, 3, activation="relu6"),
            layers.GroupNormalization(2),
            layers.PReLU(shared_axes=[1, 2]),
            layers.GlobalMaxPooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adagrad", "sparse_categorical_crossentropy")
    return model, IMAGES, CLASSES


def regularized(keras: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(
                4,
                kernel_initializer=keras.initializers.HeNormal(3),
                kernel_regularizer=keras.regularizers.L1L2(1e-3, 1e-2),
                bias_constraint=keras.constraints.MaxNorm(0.5),
                activity_regularizer="l2",
            ),
            layers.Dense(2, trainable=False),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2, amsgrad=True), "huber")
    return model, ROWS, TARGETS


def convolutions_1d(keras: Any) -> Any:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 4)),
            layers.Conv1D(3, 2, padding="causal", dilation_rate=2, activation="elu"),
            layers.AveragePooling1D(2),
            layers.TimeDistributed(layers.Dense(3)),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    model.compile("ftrl", "log_cosh")
    return model, SERIES, TARGETS


def unbuilt_until_fit(keras: Any) -> Any:
    model = keras.Sequential([keras.layers.Dense(3, "relu"), keras.layers.Dense(2)])
    model.compile("lion", "mse")
    return model, ROWS, TARGETS


def recurrent_cells(keras: Any) -> Any:
    layers = keras.layers
    inputs = keras.Input((6, 4))
    x = layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_sequences=True)(inputs)
    x = layers.SimpleRNN(3, activation="relu", go_backwards=True)(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    model.compile("adam", "mse")
    return model, SERIES, TARGETS


def conv_lstm(keras: Any) -> Any:
    layers = keras.layers
    inputs = keras.Input((3, 6, 8, 3))
    x = layers.ConvLSTM2D(2, 3, padding="same")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    model.compile("adam", "mse")
    return model, IMAGES.reshape(8, 3, 6, 8, 3), TARGETS


MODELS = {
    function.__name__: function
    for function in (
        cnn, resnet, lstm, gru, transformer, several_inputs, nested, shared, subclassed,
        custom_objects, mixed_precision, operations, autoencoder, separable, regularized,
        convolutions_1d, unbuilt_until_fit, recurrent_cells, conv_lstm,
    )
}  # fmt: skip
