"""What changes beside a step cost: each time divided by that of the same steps without the change.

    python benchmarks/changes.py

A generator and a discriminator with `trainable` toggled around their steps, two models in turn, and
a layer elsewhere that counts its calls. Both ways take turns, round by round; medians. The bar: no
more than 1.2. The figures are in benchmarks/results/changes.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from measuring import RESULTS, machine

import nkeras
from nkeras import layers

BAR = 1.2
STEPS = 100
Steps = Callable[[], None]


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def mlp(*sizes: int, inputs: int = 16) -> nkeras.Sequential:
    hidden = [layers.Dense(size, activation="relu") for size in sizes[:-1]]
    model = nkeras.Sequential([nkeras.Input((inputs,)), *hidden, layers.Dense(sizes[-1])])
    model.compile("adam", "mse")
    return model


def adversaries(toggles: bool) -> Steps:
    """A step of the discriminator, then one of the generator in front of it, frozen or not."""
    generator, discriminator = mlp(64, 32), mlp(64, 1, inputs=32)
    both = nkeras.Sequential([generator, discriminator])
    both.compile("adam", "mse")
    images, noise, labels = numbers(32, 32), numbers(32, 16), np.ones((32, 1), "float32")

    def step() -> None:
        if toggles:
            discriminator.trainable = True
        discriminator.train_on_batch(images, labels)
        if toggles:
            discriminator.trainable = False
        both.train_on_batch(noise, labels)

    return step


def in_turn(alternating: bool) -> Steps:
    """Two models, each step of one followed by one of the other, or each on its own."""
    models = mlp(64, 32), mlp(64, 32)
    x, y = numbers(32, 16), numbers(32, 32)

    def alternate() -> None:
        for model in models:
            model.train_on_batch(x, y)

    def one_by_one() -> None:
        models[0].train_on_batch(x, y)
        models[0].train_on_batch(x, y)

    return alternate if alternating else one_by_one


class Counter(nkeras.Layer):
    """Counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def call(self, inputs: object) -> object:
        self.calls += 1
        return inputs


def counting(counts: bool) -> Steps:
    """Predictions of a model, and a layer elsewhere whose counter goes up, or is set as it is."""
    model, counter, x = mlp(64, 32), Counter(), numbers(1, 16)

    def step() -> None:
        counter.calls += 1 if counts else 0
        model.predict(x, verbose=0)

    return step


CASES = {
    "GAN step with toggles of trainable": adversaries,
    "two models in turn": in_turn,
    "prediction beside a layer that counts": counting,
}


def timed(step: Steps) -> float:
    started = time.perf_counter()
    for _ in range(STEPS):
        step()
    return (time.perf_counter() - started) / STEPS


def measure(case: Callable[[bool], Steps], rounds: int) -> tuple[float, float]:
    """Median seconds of a step with and without the change."""
    ways = case(True), case(False)
    for step in ways:
        for _ in range(20):
            step()
    times = [[timed(step) for step in ways] for _ in range(rounds)]
    changing, plain = zip(*times, strict=True)
    return median(changing), median(plain)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, help="9 by default")
    parser.add_argument("--no-json", action="store_true", help="write no file")
    chosen = parser.parse_args()
    rows = []
    for name, case in CASES.items():
        changing, plain = measure(case, chosen.rounds)
        ratio = changing / plain
        met = "met" if ratio <= BAR else "missed"
        print(f"{name:40} {changing * 1e6:8.1f} us {plain * 1e6:8.1f} us {ratio:6.2f}  {met}")
        rows.append({"name": name, "changing": changing, "plain": plain, "ratio": ratio})
    if not chosen.no_json:
        date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        answer = {"question": "changes", "date": date, "machine": machine(), "rows": rows}
        (RESULTS / "changes.json").write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
