"""The worker's side of layers.py: one layer with the same weights in each framework."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import peer_models


def make(framework: str, case: dict[str, Any]) -> Callable[[], Any] | None:
    """A call of the layer."""
    x = np.random.default_rng(0).standard_normal(case["shape"], np.float32)
    if framework == "torch":
        return import_module("layers_torch").make(case, x)
    keras = peer_models.keras_of(framework)
    layer = getattr(keras.layers, case["layer"])(**case["arguments"])
    layer.build(x.shape)
    layer.set_weights(weights([tuple(weight.shape) for weight in layer.weights]))
    tensor, arguments = keras.ops.convert_to_tensor(x), case["call"]
    if framework == "keras-jax":
        wait = import_module("jax").block_until_ready
        call: Callable[[], Any] = lambda: wait(layer(tensor, **arguments))  # noqa: E731
    else:
        call = lambda: layer(tensor, **arguments)  # noqa: E731
    return _uncompared(call) if case["layer"] == "Dropout" else call


def weights(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """The same in every framework, positive since one may be a variance."""
    generator = np.random.default_rng(1)
    return [generator.random(shape, np.float32) * np.float32(0.1) + 0.5 for shape in shapes]


def _uncompared(call: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> None:
        call()

    return run
