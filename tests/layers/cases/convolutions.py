"""Convolutions: plain, depthwise, separable, transposed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.layers.case import Case, case, image, sizes


def cases(long: bool) -> Iterator[Case]:
    yield from _dilated_strides()
    for rank in (1, 2, 3):
        yield case(f"Conv{rank}D", image(rank, 3, "channels_last"), filters=4, kernel_size=3)
        if rank == 3 and not long:
            continue
        yield case(
            f"Conv{rank}D",
            image(rank, 4, "channels_first"),
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
                image(rank, 3, "channels_last"),
                kernel_size=3,
                padding=padding,
                depth_multiplier=multiplier,
                strides=multiplier,
            )
            yield case(
                f"SeparableConv{rank}D",
                image(rank, 3, "channels_last"),
                filters=4,
                kernel_size=2,
                padding=padding,
                depth_multiplier=multiplier,
                activation="tanh",
            )
        yield case(
            f"DepthwiseConv{rank}D",
            image(rank, 3, "channels_first"),
            kernel_size=2,
            data_format="channels_first",
        )
    for rank in (1, 2, 3):
        yield case(
            f"Conv{rank}DTranspose",
            image(rank, 2, "channels_last"),
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
    for rank in (1, 2, 3):
        yield case(
            f"Conv{rank}DTranspose",
            image(rank, 2, "channels_first"),
            filters=3,
            kernel_size=2,
            dilation_rate=2,
            activation="tanh",
            data_format="channels_first",
        )
    for rank in (1, 2):
        yield case(
            f"DepthwiseConv{rank}D",
            image(rank, 3, "channels_last"),
            kernel_size=2,
            dilation_rate=2,
            activation="tanh",
        )
        for options in ({"strides": 2, "data_format": "channels_first"}, {"dilation_rate": 2}):
            yield case(
                f"SeparableConv{rank}D",
                image(rank, 3, options.get("data_format", "channels_last")),
                filters=2,
                kernel_size=2,
                **options,
            )
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
        fits = padding == "same" or (kernel - 1) * dilation < min(sizes(rank))
        if not fits or (stride > 1 and dilation > 1):
            continue
        yield case(
            f"Conv{rank}D",
            image(rank, 4, data_format),
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
            image(rank, 2, "channels_last"),
            filters=3,
            kernel_size=kernel,
            strides=stride,
            padding=padding,
            output_padding=extra,
        )


def _dilated_strides() -> Iterator[Case]:
    """Strides beside dilation: test_dilated_strides.py has the numbers where Keras 3.15 refuses."""
    both = {"kernel_size": (2, 3), "strides": 2, "dilation_rate": (3, 2)}
    shape = (2, 9, 8, 3)
    yield case("DepthwiseConv2D", shape, **both)
    yield Case("Conv2D", {"filters": 4, **both}, (shape,), in_keras=False)
    yield Case("Conv2DTranspose", {"filters": 4, **both}, (shape,), in_keras=False)
    options = {"filters": 4, "kernel_size": 3, "strides": 2, "dilation_rate": 2}
    yield Case("SeparableConv1D", options, ((2, 9, 3),), in_keras=False)
