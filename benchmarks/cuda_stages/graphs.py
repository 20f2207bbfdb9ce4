"""Stage 7: replayed steps (CUDA graphs) against steps that run as they come, bit by bit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import nkeras
from benchmarks.cuda_stages.device import DRY, backend, pick, wait
from benchmarks.cuda_stages.rows import Row
from nkeras_numba_cuda.replay import graphs

WARM = 6
"""Steps that run as they come, are recorded, compile or capture: the others are timed."""


def rows(part: int, parts: int) -> Iterator[Row]:
    """One for each model; the last one says what the device refused, if it did."""
    backend()
    for name, make in MODELS.items():
        yield _compared(name, make)
    refused = "; ".join(graphs.refusals())
    yield Row("capture as CUDA graphs", verdict="FAILED" if refused else "ok", note=refused)


def _compared(name: str, make: Callable[[], tuple[Any, np.ndarray]]) -> Row:
    eager, slow, _ = _trained(make, run_eagerly=True)
    replayed, fast, model = _trained(make, run_eagerly=False)
    same = all((one == other).all() for one, other in zip(eager, replayed, strict=True))
    plans = [entry.plan for entry in model._plans._entries.values() if entry.plan]
    steps = [step for plan in plans for step, _ in plan.steps]
    found = [step for step in steps if isinstance(step, graphs.Graph)]
    numbers: dict[str, float] = {"eager s": slow, "replayed s": fast, "ratio": slow / fast}
    numbers |= {"graphs": len(found), "launches": sum(len(one.works) for one in found)}
    reasons = "; ".join(model._plans.refusals().values())
    verdict = "WRONG" if not same else "FAILED" if not found else "ok"
    if verdict == "ok" and fast > slow and not DRY:
        verdict = "below"
    return Row(f"step of {name}", numbers, verdict, reasons)


def _trained(
    make: Callable[[], tuple[Any, np.ndarray]], run_eagerly: bool
) -> tuple[list[np.ndarray], float, Any]:
    """Weights and state after some steps, the time of one, and the model."""
    nkeras.utils.set_random_seed(1)
    model, x = make()
    loss = nkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], run_eagerly=run_eagerly)
    y = np.arange(len(x)) % 3
    batch = nkeras.ops.convert_to_tensor(x), nkeras.ops.convert_to_tensor(y)
    for _ in range(WARM):
        model._run_step("train", batch)
    wait()
    steps = pick(50, 1)
    started = time.perf_counter()
    for _ in range(steps):
        model._run_step("train", batch)
    wait()
    elapsed = (time.perf_counter() - started) / steps
    variables = [*model.weights, *model.optimizer.variables]
    return [variable.numpy() for variable in variables], elapsed, model


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, "float32")


def _mlp() -> tuple[Any, np.ndarray]:
    """Random keys, a learning rate, and updates of all variables in one launch."""
    layers: Any = nkeras.layers
    units = pick(256, 4)
    hidden = [layers.Dense(units, activation="relu"), layers.Dropout(0.2)]
    return nkeras.Sequential([*hidden, layers.Dense(10)]), _random(pick(128, 4), units)


def _convnet() -> tuple[Any, np.ndarray]:
    """Statistics of batches are written over the variables that they replace."""
    layers: Any = nkeras.layers
    filters = pick(32, 2)
    model = nkeras.Sequential(
        [
            layers.Conv2D(filters, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(2 * filters, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )
    size = pick(28, 8)
    return model, _random(pick(128, 4), size, size, 1)


def _lstm() -> tuple[Any, np.ndarray]:
    """CuPy sorts more than 1,024 indices, between two graphs."""
    layers: Any = nkeras.layers
    units = pick(128, 3)
    words = layers.Embedding(20, units)
    model = nkeras.Sequential([words, layers.LSTM(units), layers.Dense(10)])
    return model, np.arange(pick(64 * 50, 4 * 3)).reshape(pick((64, 50), (4, 3))) % 20


MODELS = {"an MLP": _mlp, "a convnet": _convnet, "an LSTM": _lstm}
