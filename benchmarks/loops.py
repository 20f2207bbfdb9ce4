"""How long loops take in plans, against a jitted JAX in the same process, turn by turn.

    NKERAS_NUM_THREADS=1 python benchmarks/loops.py

Processor time of one thread, so that a machine with other work gives the same ratios: the median of
each, and of the ratios of neighbours; besides, how long the third call takes, in which nkeras makes
the plan, and the first of JAX, in which it compiles.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import jax
import keras
import numpy as np

import nkeras
from nkeras import ops

Run = Callable[[], Any]
STEPS, TURNS = 1000, 21


def arrays() -> tuple[np.ndarray, ...]:
    """Weights, sequences and the first state of the scans."""
    generator = np.random.default_rng(0)
    w = generator.standard_normal((16, 16)).astype("float32") * 0.1
    x = generator.standard_normal((STEPS, 8, 16)).astype("float32")
    return w, x, np.zeros((8, 16), "float32")


def scanning() -> tuple[Run, Run]:
    """`tanh(carry @ w + x)` over the steps."""
    w, x, h = arrays()
    weight, given, first = (ops.convert_to_tensor(array) for array in (w, x, h))

    def step(carry: Any, row: Any) -> Any:
        carry = ops.tanh(ops.matmul(carry, weight) + row)
        return carry, carry

    ours = nkeras.function(lambda x, h: ops.scan(step, h, x))
    theirs = jax.jit(_jax_scan)
    return lambda: ours(given, first), lambda: jax.block_until_ready(theirs(w, x, h))


def _jax_scan(w: Any, x: Any, h: Any) -> Any:
    def step(carry: Any, row: Any) -> Any:
        carry = jax.numpy.tanh(carry @ w + row)
        return carry, carry

    return jax.lax.scan(step, h, x)


def differentiating() -> tuple[Run, Run]:
    """The gradient of the sum of squares of all its results by `w`."""
    w, x, h = arrays()
    weight = nkeras.Variable(w)
    given, first = ops.convert_to_tensor(x), ops.convert_to_tensor(h)

    @nkeras.function
    def ours(x: Any, h: Any) -> Any:
        def step(carry: Any, row: Any) -> Any:
            carry = ops.tanh(ops.matmul(carry, weight) + row)
            return carry, carry

        with nkeras.GradientTape() as tape:
            loss = ops.sum(ops.square(ops.scan(step, h, x)[1]))
        return tape.gradient(loss, weight)

    theirs = jax.jit(jax.grad(lambda w, x, h: (_jax_scan(w, x, h)[1] ** 2).sum()))
    return lambda: ours(given, first), lambda: jax.block_until_ready(theirs(w, x, h))


def training(layer: Callable[[Any], Any], shape: tuple[int, ...]) -> tuple[Run, Run]:
    """A step of `fit` of a recurrent layer and a dense one."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((32, *shape)).astype("float32")
    runs = []
    for package in (nkeras, keras):
        package.utils.set_random_seed(0)
        inner = [package.Input(shape), layer(package.layers), package.layers.Dense(1)]
        model = package.Sequential(inner)
        model.compile("adam", "mse")
        y = np.zeros(model.compute_output_shape(x.shape), "float32")
        runs.append(lambda model=model, y=y: model.train_on_batch(x, y))
    return runs[0], runs[1]


def lstm(layers: Any) -> Any:
    return layers.LSTM(64, activation="relu", return_sequences=True)


def convolutional(layers: Any) -> Any:
    return layers.ConvLSTM1D(8, 3)


CASES: dict[str, Callable[[], tuple[Run, Run]]] = {
    f"scan of {STEPS} steps": scanning,
    "its gradient": differentiating,
    "LSTM(64, relu), (32, 128, 16)": lambda: training(lstm, (128, 16)),
    "ConvLSTM1D(8, 3), (32, 64, 16, 4)": lambda: training(convolutional, (64, 16, 4)),
}


def timed(run: Run) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    for name, make in CASES.items():
        ours, theirs = make()
        made = [timed(ours) for _ in range(4)][2]
        compiled = timed(theirs)
        pairs = [(timed(ours), timed(theirs)) for _ in range(TURNS)]
        mine, other = (statistics.median(times) * 1000 for times in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{name}: {mine:.2f} ms, JAX {other:.2f} ms, {ratio:.2f} times; ", end="")
        print(f"plan made in {made:.3f} s, JAX compiles in {compiled:.2f} s")


if __name__ == "__main__":
    main()
