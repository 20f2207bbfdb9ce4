"""All kernels of this backend by name. A topic is imported when its first kernel is called."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

_TOPICS = {
    "linalg": "matmul dense",
    "dense_gradients": "dense_grad",
    "convolution": "conv conv_bias conv_grad_input conv_grad_kernel",
    "pooling": "max_pool max_pool_grad max_pool_take average_pool average_pool_grad",
    "reduction": (
        "reduce_sum reduce_prod reduce_max reduce_min reduce_mean reduce_any reduce_all "
        "argmax argmin cumsum cumprod sort argsort"
    ),
    "shape": "reshape transpose broadcast_to concatenate slice slice_grad pad flip cast",
    "indexing": (
        "take take_grad take_along_axis take_along_axis_grad gather_nd scatter_nd scatter_update"
    ),
    "batch_norm": "batch_norm batch_norm_grad batch_norm_inference",
    "layer_norm": "layer_norm layer_norm_grad rms_norm rms_norm_grad",
    "recurrent": "lstm lstm_grad",
    "normalization": "softmax log_softmax softmax_grad log_softmax_grad",
    "loss": (
        "sparse_softmax_cross_entropy sparse_softmax_cross_entropy_grad "
        "softmax_cross_entropy softmax_cross_entropy_grad "
        "sparse_cross_entropy sparse_cross_entropy_grad cross_entropy cross_entropy_grad"
    ),
    "optimizers": "sgd_update adam_update amsgrad_update rmsprop_update",
    "random": "random_bits dropout",
}


def _first_call(topic: str, name: str, *arrays: Any, **static: Any) -> Any:
    """Stand in for a kernel until it is called: import it, put it into the table, call it."""
    kernel = getattr(importlib.import_module(f"nkeras_numba_cpu.{topic}"), name)
    KERNELS[name] = kernel
    return kernel(*arrays, **static)


KERNELS: dict[str, Callable[..., Any]] = {
    name: partial(_first_call, topic, name)
    for topic, names in _TOPICS.items()
    for name in names.split()
}
