"""Locally connected layers, which Keras 3 lacks: test_locally_connected.py has the numbers."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case, image


def cases(long: bool) -> Iterator[Case]:
    for rank in (1, 2, 3):
        name = f"LocallyConnected{rank}D"
        options = {"filters": 4, "kernel_size": 2}
        yield Case(name, options, (image(rank, 3, "channels_last"),), in_keras=False)
        options |= {"strides": 2, "padding": "same", "implementation": 3, "activation": "relu"}
        options |= {"data_format": "channels_first", "kernel_regularizer": "l2"}
        yield Case(name, options, (image(rank, 3, "channels_first"),), in_keras=False)
    options = {
        "filters": 3,
        "kernel_size": (3, 1),
        "strides": (1, 2),
        "use_bias": False,
        "kernel_initializer": "he_normal",
        "kernel_constraint": "max_norm",
        "activity_regularizer": "l1",
        "implementation": 2,
    }
    yield Case("LocallyConnected2D", options, ((2, 5, 6, 1),), in_keras=False)
