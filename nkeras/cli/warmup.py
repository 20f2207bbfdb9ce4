"""`python -m nkeras warmup`: compile the kernels of a model ahead of its first use."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from nkeras.cli import bench

if TYPE_CHECKING:
    from nkeras.models import Model

DESCRIPTION = "compile the kernels that a model predicts and trains with, and keep them on disk"

_BUILT_IN = ("mlp", "convnet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The models, the batch size, and whether they will be trained."""
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="mlp, convnet, or path.py:function, where the function returns a model; "
        "both built-in ones by default",
    )
    parser.add_argument("--batch", type=int, default=32, help="batch size, 32 by default")
    parser.add_argument(
        "--predict-only", action="store_true", help="leave out the kernels of training"
    )


def run(options: argparse.Namespace) -> int:
    """Use each model once on random data; what is compiled stays in the cache."""
    from nkeras.backend import registry
    from nkeras.core.errors import BackendError

    started = time.perf_counter()
    try:
        for name in options.models or _BUILT_IN:
            model_started = time.perf_counter()
            warm_up(bench.model_of(name), options.batch, train=not options.predict_only)
            print(f"{name}: {time.perf_counter() - model_started:.1f} s")
    except (ValueError, OSError, BackendError) as error:
        print(f"nkeras warmup: {error}", file=sys.stderr)
        return 1
    backend = registry.active()
    kept = backend.describe().get("kernel cache")
    print(f"{backend.name}: {time.perf_counter() - started:.1f} s in all", end="")
    print(f"; kernels are kept in {kept}" if kept else "; this backend compiles nothing ahead")
    return 0


def warm_up(model: Model, batch: int = 32, train: bool = True) -> None:
    """Predict one sample and a batch, and train for two steps, on random data.

    The weights are put back afterwards.

    Args:
        model: a built model with one input and one output.
        batch: batch size; kernels may differ between small and large ones.
        train: whether to train too; a model that is not compiled is compiled with Adam and mean
            squared error.

    Raises:
        ValueError: the batch size is not positive.
    """
    if batch < 1:
        raise ValueError(f"warmup: argument `batch` must be positive. Received: {batch}")
    generator = np.random.default_rng(0)
    x = generator.random((2 * batch, *bench.sample_shape(model.input_shape)), dtype=np.float32)
    outputs = model.predict(x, batch_size=batch, verbose=0)
    for _ in range(2):  # the second call replays what the first recorded
        model.predict(x[:1], verbose=0)
    if not train:
        return
    weights = model.get_weights()
    if not model.compiled:
        model.compile(optimizer="adam", loss="mean_squared_error")
    y = np.zeros_like(outputs)
    y[..., 0] = 1  # as good for a regression as for classes
    if str(model.loss).startswith("sparse_"):
        y = np.zeros(outputs.shape[:-1], np.int64)
    model.fit(x, y, batch_size=batch, epochs=2, verbose=0)
    model.set_weights(weights)
