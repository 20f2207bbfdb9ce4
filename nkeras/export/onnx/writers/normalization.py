"""Writers of normalization and softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.export.onnx.graph import Value, constant, node, nodes
from nkeras.export.onnx.writers.convolution import channels_first, channels_last
from nkeras.export.onnx.writers.shape import rank, sizes, squeezed
from nkeras.export.onnx.writers.table import computes


def _filled(number: float, size: int, dtype: np.dtype[Any] | None) -> Value:
    return constant(np.full(size, number), dtype)


@computes("batch_norm_inference")
def _batch_norm_inference(
    x: Value,
    mean: Value,
    variance: Value,
    gamma: Value | None,
    beta: Value | None,
    *,
    epsilon: float,
) -> Any:
    if x.dtype == np.float64:  # epsilon would be of float32
        return NotImplemented
    channels = sizes(x)[-1]
    gamma = gamma or _filled(1.0, channels, x.dtype)
    beta = beta or _filled(0.0, channels, x.dtype)
    source = channels_first(x) if rank(x) > 2 else x
    y = node("BatchNormalization", source, gamma, beta, mean, variance, epsilon=epsilon)
    return channels_last(y, rank(x)) if rank(x) > 2 else y


@computes("layer_norm")
def _layer_norm(x: Value, gamma: Value | None, beta: Value | None, *, epsilon: float) -> Any:
    if x.dtype == np.float64:  # epsilon and the mean would be of float32
        return NotImplemented
    gamma = gamma or _filled(1.0, sizes(x)[-1], x.dtype)
    given = [x, gamma] if beta is None else [x, gamma, beta]
    y, mean, inverse = nodes("LayerNormalization", given, 3, axis=-1, epsilon=epsilon)
    last = rank(x) - 1
    return y, squeezed(mean, last), squeezed(inverse, last)


@computes("softmax")
def _softmax(x: Value, *, axis: int) -> Value:
    return node("Softmax", x, axis=axis)


@computes("log_softmax")
def _log_softmax(x: Value, *, axis: int) -> Value:
    return node("LogSoftmax", x, axis=axis)
