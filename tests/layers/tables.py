"""Which layers are tested with which arguments and inputs: short tables, and long ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """A layer, its arguments, and what it is called on.

    Attributes:
        layer: class name.
        options: constructor's arguments.
        shapes: input shapes; several are given as a list.
        mask: an input mask `(batch, size of axis 1)` is attached.
        random: training gives other numbers than Keras'.
        in_keras: Keras has such a layer.
    """

    layer: str
    options: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = ((2, 3),)
    mask: bool = False
    random: bool = False
    in_keras: bool = True

    def __str__(self) -> str:
        options = ",".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.layer}({options}){'+mask' if self.mask else ''}{self.shapes}"

    def arrays(self) -> list[np.ndarray]:
        """The inputs: distinct numbers of both signs, so that no maximum is ambiguous."""
        random = np.random.default_rng(7)
        return [
            (random.permutation(np.prod(shape)) / np.prod(shape) * 3.0 - 1.4 + number * 0.01)
            .reshape(shape)
            .astype("float32")
            for number, shape in enumerate(self.shapes)
        ]

    def masks(self) -> list[np.ndarray] | None:
        """Masks of the inputs, different ones; each row keeps something."""
        if not self.mask:
            return None
        masks = []
        for number, shape in enumerate(self.shapes):
            mask = np.ones(shape[:2], "bool")
            mask[0, -1 - number :] = False
            mask[-1, :1] = False
            masks.append(mask)
        return masks


def case(layer: str, *shapes: tuple[int, ...], **options: Any) -> Case:
    """A case without mask."""
    return Case(layer, options, shapes or ((2, 3),))


def _core() -> Iterator[Case]:
    yield case("Dense", units=4)
    yield case("Dense", (2, 5, 3), units=4, activation="relu", use_bias=False)
    yield case(
        "Dense",
        units=4,
        kernel_regularizer="l2",
        bias_regularizer="l1",
        activity_regularizer="l2",
        kernel_constraint="max_norm",
        bias_constraint="non_neg",
        kernel_initializer="he_normal",
        bias_initializer="ones",
        name="named",
        trainable=True,
    )
    yield case("Identity")
    yield Case("Identity", shapes=((2, 4, 3),), mask=True)


def _activations() -> Iterator[Case]:
    for activation in ("relu", "softmax", "gelu", "tanh"):
        yield case("Activation", activation=activation)
    yield case("ReLU")
    yield case("ReLU", max_value=1.0, negative_slope=0.2, threshold=0.3)
    yield case("LeakyReLU")
    yield case("LeakyReLU", negative_slope=0.1)
    yield case("ELU")
    yield case("ELU", alpha=0.5)
    yield case("PReLU")
    yield case("PReLU", (2, 3, 4, 2), shared_axes=[1, 2], alpha_initializer="ones")
    yield case("Softmax")
    yield case("Softmax", (2, 3, 4), axis=1)
    yield case("Softmax", (2, 3, 4), axis=(1, 2))
    yield Case("ThresholdedReLU", {"theta": 0.5}, in_keras=False)


def _windows(rank: int) -> tuple[int, ...]:
    return {1: (9,), 2: (7, 6), 3: (5, 4, 6)}[rank]


def _shape(rank: int, channels: int, data_format: str) -> tuple[int, ...]:
    sizes = _windows(rank)
    return (2, *sizes, channels) if data_format == "channels_last" else (2, channels, *sizes)


def _convolutions(long: bool) -> Iterator[Case]:
    for rank in (1, 2, 3):
        yield case(f"Conv{rank}D", _shape(rank, 3, "channels_last"), filters=4, kernel_size=3)
        if rank == 3 and not long:
            continue
        yield case(
            f"Conv{rank}D",
            _shape(rank, 4, "channels_first"),
            filters=4,
            kernel_size=2,
            strides=2,
            padding="same",
            data_format="channels_first",
            groups=2,
            activation="relu",
            kernel_regularizer="l2",
        )
    yield case("Conv1D", (2, 9, 2), filters=3, kernel_size=3, padding="causal", dilation_rate=2)
    yield case(
        "Conv2D", (2, 7, 6, 2), filters=3, kernel_size=(3, 2), dilation_rate=2, use_bias=False
    )
    for rank in (1, 2):
        for multiplier, padding in ((1, "same"), (2, "valid")):
            yield case(
                f"DepthwiseConv{rank}D",
                _shape(rank, 3, "channels_last"),
                kernel_size=3,
                padding=padding,
                depth_multiplier=multiplier,
                strides=multiplier,
            )
            yield case(
                f"SeparableConv{rank}D",
                _shape(rank, 3, "channels_last"),
                filters=4,
                kernel_size=2,
                padding=padding,
                depth_multiplier=multiplier,
                activation="tanh",
            )
        yield case(
            f"DepthwiseConv{rank}D",
            _shape(rank, 3, "channels_first"),
            kernel_size=2,
            data_format="channels_first",
        )
    for rank in (1, 2, 3):
        yield case(
            f"Conv{rank}DTranspose",
            _shape(rank, 2, "channels_last"),
            filters=3,
            kernel_size=3,
            strides=2,
            padding="same",
        )
    yield case("Conv2DTranspose", (2, 3, 4, 2), filters=3, kernel_size=2, strides=(2, 3))
    yield case(
        "Conv2DTranspose",
        (2, 2, 4, 3),
        filters=3,
        kernel_size=3,
        strides=2,
        output_padding=1,
        padding="same",
        data_format="channels_first",
    )
    if not long:
        return
    paddings = ("valid", "same")
    for rank, kernel, stride, dilation, padding, groups, data_format in product(
        (1, 2, 3),
        (1, 2, 3),
        (1, 2, 3),
        (1, 2),
        paddings,
        (1, 2),
        ("channels_last", "channels_first"),
    ):
        fits = padding == "same" or (kernel - 1) * dilation < min(_windows(rank))
        if not fits or (stride > 1 and dilation > 1):
            continue
        yield case(
            f"Conv{rank}D",
            _shape(rank, 4, data_format),
            filters=4,
            kernel_size=kernel,
            strides=stride,
            dilation_rate=dilation,
            padding=padding,
            groups=groups,
            data_format=data_format,
        )
    for rank, kernel, stride, padding, extra in product(
        (1, 2, 3), (1, 2, 3, 4), (1, 2, 3), paddings, (None, 0, 1)
    ):
        if extra is not None and extra >= stride:
            continue
        yield case(
            f"Conv{rank}DTranspose",
            _shape(rank, 2, "channels_last"),
            filters=3,
            kernel_size=kernel,
            strides=stride,
            padding=padding,
            output_padding=extra,
        )


def _poolings(long: bool) -> Iterator[Case]:
    for rank, kind in product((1, 2, 3), ("Max", "Average")):
        name = f"{kind}Pooling{rank}D"
        yield case(name, _shape(rank, 3, "channels_last"), pool_size=2)
        yield case(f"Global{name}", _shape(rank, 3, "channels_last"))
        if rank != 2 and not long:
            continue
        yield case(
            name,
            _shape(rank, 3, "channels_first"),
            pool_size=3,
            strides=2,
            padding="same",
            data_format="channels_first",
        )
        yield case(
            f"Global{name}",
            _shape(rank, 3, "channels_first"),
            data_format="channels_first",
            keepdims=True,
        )
        if long:
            for size, stride, padding, data_format in product(
                (1, 2, 3), (None, 1, 2, 3), ("valid", "same"), ("channels_last", "channels_first")
            ):
                yield case(
                    name,
                    _shape(rank, 2, data_format),
                    pool_size=size,
                    strides=stride,
                    padding=padding,
                    data_format=data_format,
                )
    for data_format in ("channels_last", "channels_first"):
        shape = (2, 4, 3) if data_format == "channels_last" else (2, 4, 4)
        options = {"data_format": data_format}
        yield Case("GlobalAveragePooling1D", options, (shape,), mask=True)


def _normalizations(long: bool) -> Iterator[Case]:
    yield case("BatchNormalization", (6, 3))
    yield case("BatchNormalization", (2, 3, 4, 2), momentum=0.8, epsilon=0.01)
    yield case("BatchNormalization", (2, 3, 4, 2), axis=1, scale=False, beta_regularizer="l2")
    yield case("BatchNormalization", (4, 3), center=False, gamma_constraint="non_neg")
    yield case("BatchNormalization", (4, 3), trainable=False)
    yield Case("BatchNormalization", {}, ((2, 4, 3),), mask=True)
    yield case(
        "BatchNormalization",
        (4, 3),
        renorm=True,
        renorm_clipping={"rmax": 1.2, "rmin": 0.9, "dmax": 0.3},
        renorm_momentum=0.9,
    )
    if long:
        for axis, center, scale, renorm in product((-1, 1, 2), *[(False, True)] * 3):
            options = {"axis": axis, "center": center, "scale": scale, "renorm": renorm}
            yield Case("BatchNormalization", options, ((2, 3, 4, 5),))


def _reshapings() -> Iterator[Case]:
    yield case("Flatten")
    yield case("Flatten", (2, 3, 4, 2), data_format="channels_first")
    yield case("Reshape", (2, 6), target_shape=(3, 2))
    yield case("Reshape", (2, 6, 4), target_shape=(-1, 8))
    yield case("Permute", (2, 3, 4), dims=(2, 1))
    yield case("RepeatVector", n=3)
    yield case("ZeroPadding1D", (2, 3, 2), padding=(1, 2))
    yield case("ZeroPadding2D", (2, 3, 4, 2))
    yield case(
        "ZeroPadding2D", (2, 3, 4, 2), padding=((0, 1), (2, 3)), data_format="channels_first"
    )
    yield case("ZeroPadding3D", (2, 3, 2, 2, 2), padding=(1, 0, 2))
    yield case("Cropping1D", (2, 5, 2))
    yield case("Cropping2D", (2, 5, 4, 2), cropping=((1, 2), (0, 1)))
    yield case("Cropping3D", (2, 2, 5, 4, 4), cropping=1, data_format="channels_first")
    yield case("UpSampling1D", (2, 3, 2))
    yield case("UpSampling2D", (2, 3, 2, 2), size=(2, 3))
    yield case("UpSampling3D", (2, 3, 2, 2, 2), data_format="channels_first")


def _mergings(long: bool) -> Iterator[Case]:
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
        yield case(name, (2, 3), (2, 3))
        if long or name in ("Add", "Multiply", "Maximum"):
            yield Case(name, {}, ((2, 4, 3), (2, 4, 3)), mask=True)
    yield case("Add", (2, 3, 4), (2, 1, 4), (2, 4))
    yield case("Concatenate", (2, 3, 4), (2, 2, 4), axis=1)
    yield Case("Concatenate", {"axis": 1}, ((2, 3, 4), (2, 2, 4)), mask=True)
    yield case("Dot", (2, 3), (2, 3), axes=1)
    yield case("Dot", (2, 3, 4), (2, 5, 4), axes=-1, normalize=True)
    yield case("Dot", (2, 3, 4), (2, 5, 3), axes=(1, 2))
    yield case("Dot", (2, 3), (2, 5, 3), axes=(1, 2))


def _regularizations() -> Iterator[Case]:
    for name, options, shape in (
        ("Dropout", {"rate": 0.4}, (2, 3)),
        ("Dropout", {"rate": 0.4, "noise_shape": (None, 1, 3), "seed": 3}, (2, 4, 3)),
        ("SpatialDropout1D", {"rate": 0.4}, (2, 4, 3)),
        ("SpatialDropout2D", {"rate": 0.4, "data_format": "channels_first"}, (2, 4, 3, 3)),
        ("SpatialDropout3D", {"rate": 0.4}, (2, 4, 3, 3, 2)),
        ("GaussianNoise", {"stddev": 0.4}, (2, 3)),
        ("GaussianDropout", {"rate": 0.4}, (2, 3)),
    ):
        yield Case(name, options, (shape,), random=True)
    yield case("Dropout", rate=0.0)
    yield case("Dropout", rate=1.0)
    yield case("ActivityRegularization", l1=0.1, l2=0.2)


def cases(long: bool = False) -> list[Case]:
    """All cases; with `long`, the long tables instead of nothing behind the short ones."""
    return [
        *_core(),
        *_activations(),
        *_convolutions(long),
        *_poolings(long),
        *_normalizations(long),
        *_reshapings(),
        *_mergings(long),
        *_regularizations(),
    ]


SHORT = cases()
LONG = [one for one in cases(long=True) if one not in SHORT]
