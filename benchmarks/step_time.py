"""The time of a training step of a tiny MLP (4-16-3, batch 16), in nkeras and in Keras with JAX.

    python step_time.py                              nkeras alone
    python step_time.py --keras-python .venv/bin/python     and Keras in that interpreter

The two take turns, a few hundred steps each, so that what else the machine does hits both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BATCH, STEPS, WARM_UP = 16, 100, 200


def serve(framework: str) -> None:
    """Train; for each line on standard input, answer with the seconds of some steps."""
    import numpy as np

    if framework == "nkeras":
        import nkeras as keras
    else:
        os.environ["KERAS_BACKEND"] = "jax"
        import keras  # type: ignore[no-redef]
    keras.utils.set_random_seed(0)
    model: Any = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    generator = np.random.default_rng(0)
    x = generator.random((BATCH, 4), dtype=np.float32)
    y = generator.integers(0, 3, BATCH)
    many_x, many_y = np.tile(x, (STEPS, 1)), np.tile(y, STEPS)
    for _ in range(WARM_UP):
        model.train_on_batch(x, y)
    model.fit(many_x, many_y, batch_size=BATCH, verbose=0)
    answers = os.fdopen(os.dup(1), "w")
    print("ready", file=answers, flush=True)
    for _ in sys.stdin:
        times = []
        for _ in range(STEPS):
            started = time.perf_counter()
            model.train_on_batch(x, y)
            times.append(time.perf_counter() - started)
        started = time.perf_counter()
        model.fit(many_x, many_y, batch_size=BATCH, verbose=0)
        in_fit = (time.perf_counter() - started) / STEPS
        print(statistics.median(times), in_fit, file=answers, flush=True)


class Worker:
    """A process that trains when it is told to."""

    def __init__(self, python: str, framework: str) -> None:
        self.process = subprocess.Popen(
            [python, str(Path(__file__).resolve()), "--serve", framework],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.requests, self.answers = self.process.stdin, self.process.stdout
        while (line := self.answers.readline().strip()) != "ready":
            if self.process.poll() is not None:
                raise RuntimeError(f"{framework} ended: {line}")
        self.times: list[tuple[float, float]] = []

    def step(self) -> None:
        """Measure one round."""
        print(file=self.requests, flush=True)
        by_batch, in_fit = self.answers.readline().split()
        self.times.append((float(by_batch), float(in_fit)))

    def close(self) -> None:
        """End the process."""
        self.requests.close()
        self.process.wait(timeout=30)
        self.answers.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keras-python", help="an interpreter that has Keras and JAX")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--serve", choices=("nkeras", "keras"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    from measuring import save

    workers = {"nkeras": Worker(sys.executable, "nkeras")}
    if options.keras_python:
        workers["keras"] = Worker(options.keras_python, "keras")
    for _ in range(options.rounds):
        for worker in workers.values():
            worker.step()
    numbers: dict[str, Any] = {"rounds": options.rounds, "steps in a round": STEPS}
    for name, worker in workers.items():
        worker.close()
        for way, times in zip(
            ("train_on_batch", "fit"), zip(*worker.times, strict=True), strict=True
        ):
            numbers[f"{name} {way}, us"] = 1e6 * statistics.median(times)
    if "keras" in workers:
        for way in ("train_on_batch", "fit"):
            ratio = numbers[f"keras {way}, us"] / numbers[f"nkeras {way}, us"]
            numbers[f"{way}: Keras' time divided by nkeras'"] = ratio
    save("step_time", numbers)


if __name__ == "__main__":
    main()
