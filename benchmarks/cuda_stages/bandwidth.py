"""Stage 6: what moves memory, as a share of the bandwidth that a plain copy reaches.

Bytes are those that must move: each argument is read once and each result written once, but for the
input of a batch normalization, whose statistics must be known before it is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import nkeras
import nkeras.backend.scalars
from benchmarks.cuda_stages.device import backend, normal, pick, times
from benchmarks.cuda_stages.rows import Row, bar, failed
from nkeras.backend.scalar import SCALARS

LEAST = 0.85
_ADAM = {"alpha": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
_POOL = {"pool_size": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))}

assert nkeras.backend.scalars.__all__  # they register


def rows(part: int, parts: int) -> Iterator[Row]:
    """The copy, then a row for each kernel."""
    backend()
    speed = _copy_speed()
    yield Row("copy", {"GB/s": speed / 1e9})
    for name, make in _cases().items():
        try:
            function, moved = make()
            taken = times({name: function})[name]
        except Exception as error:  # the others are still worth their time
            yield failed(name, error)
            continue
        share = moved / taken / speed
        numbers = {"s": taken, "GB/s": moved / taken / 1e9, "of copy ratio": share}
        yield Row(name, numbers, pick(bar(share, LEAST), "ok"))


def _copy_speed() -> float:
    """Bytes a second, read and written, of a large copy."""
    size = pick(1 << 28, 16)
    source, target = normal(size), normal(size, seed=1)

    def copy() -> None:
        target[...] = source

    return 2.0 * source.nbytes / times({"copy": copy})["copy"]


_Case = Callable[[], tuple[Callable[[], object], float]]


def _cases() -> dict[str, _Case]:
    return {
        "relu": partial(_elementwise, "relu", 1),
        "gelu": partial(_elementwise, "gelu", 1),
        "gelu bfloat16": partial(_elementwise, "gelu", 1, "bfloat16"),
        "add": partial(_elementwise, "add", 2),
        "max_pool 2x2": partial(_pool, "max", False),
        "max_pool_grad 2x2": partial(_pool, "max", True),
        "average_pool 2x2": partial(_pool, "average", False),
        "average_pool_grad 2x2": partial(_pool, "average", True),
        "batch_norm": partial(_norm, "batch_norm", 2),
        "layer_norm": partial(_norm, "layer_norm", 1),
        "layer_norm_grad": _layer_norm_grad,
        "softmax": _softmax,
        "softmax_grad": _softmax_grad,
        "reduce_sum, last axis": partial(_sum, 1),
        "reduce_sum, first axis": partial(_sum, 0),
        "adam_update": _adam,
        "Adam of 64 variables": _adam_of_many,
        "dropout": _dropout,
    }


def _table() -> Any:
    return normal(*pick((65536, 1024), (3, 8)))


def _elementwise(name: str, count: int, dtype: str = "float32") -> Any:
    kernel = backend().elementwise(SCALARS[name])
    arrays = [normal(pick(1 << 26, 16), dtype=dtype, seed=n) for n in range(count)]
    return lambda: kernel(*arrays), (count + 1.0) * arrays[0].nbytes


def _pool(kind: str, backward: bool) -> Any:
    kernels = backend().kernels
    x = normal(*pick((64, 112, 112, 64), (1, 4, 4, 2)))
    y = kernels[f"{kind}_pool"](x, **_POOL)
    y, winner = y if isinstance(y, tuple) else (y, None)
    moved = float(x.nbytes + y.nbytes + (0 if winner is None else winner.nbytes))
    if not backward:
        return lambda: kernels[f"{kind}_pool"](x, **_POOL), moved
    given = (y,) if winner is None else (y, winner)
    gradient = kernels[f"{kind}_pool_grad"]
    return lambda: gradient(*given, input_shape=x.shape, **_POOL), moved


def _norm(name: str, reads: int) -> Any:
    x = _table()
    gamma, beta = normal(x.shape[-1]), normal(x.shape[-1], seed=1)
    kernel = backend().kernels[name]
    return lambda: kernel(x, gamma, beta, epsilon=1e-3), (reads + 1.0) * x.nbytes


def _layer_norm_grad() -> Any:
    x = _table()
    gamma = normal(x.shape[-1])
    kernels = backend().kernels
    _, mean, inverse = kernels["layer_norm"](x, gamma, gamma, epsilon=1e-3)
    gradient = kernels["layer_norm_grad"]
    return lambda: gradient(x, x, gamma, mean, inverse), 3.0 * x.nbytes


def _softmax() -> Any:
    x = _table()
    return lambda: backend().kernels["softmax"](x, axis=1), 2.0 * x.nbytes


def _softmax_grad() -> Any:
    x = _table()
    y = backend().kernels["softmax"](x, axis=1)
    return lambda: backend().kernels["softmax_grad"](x, y, axis=1), 3.0 * x.nbytes


def _sum(axis: int) -> Any:
    x = _table()
    kernel = backend().kernels["reduce_sum"]
    return lambda: kernel(x, axis=(axis,), keepdims=False), float(x.nbytes)


def _adam() -> Any:
    w, grad, m, v = (normal(pick(1 << 26, 16), seed=n) for n in range(4))
    v = v * v
    kernel = backend().kernels["adam_update"]
    return lambda: kernel(w, grad, m, v, **_ADAM), 7.0 * w.nbytes


def _adam_of_many() -> Any:
    """What a step of training does, Python included."""
    count, size = pick((64, 1 << 20), (3, 4))
    optimizer = nkeras.optimizers.Adam()
    variables = [nkeras.Variable(np.zeros(size, "float32")) for _ in range(count)]
    grads = [nkeras.ops.ones(size) for _ in variables]
    optimizer.build(variables)
    return lambda: optimizer.apply(grads, variables), 7.0 * 4 * size * count


def _dropout() -> Any:
    x = normal(pick(1 << 26, 16))
    kernel = backend().kernels["dropout"]
    return lambda: kernel(x, key=(1, 2), rate=np.float32(0.5)), 2.0 * x.nbytes
