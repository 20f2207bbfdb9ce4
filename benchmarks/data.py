"""How fast `fit` is on data in files and in streams, against the same rows in an array.

    python benchmarks/data.py
    python benchmarks/data.py --rows 200000 --model tiny

An MLP 784-512-512-10 (or, `tiny`, 784-128-10), batches of 128, shuffled where the source can. One
epoch of each source, turn by turn in one process: the median, and the median of the ratios to the
array's epoch in the same turn; above 1 is faster. Files are in the system's memory after the first
turn, which is not counted: the disk is not what is measured. With `--cpu-time` the processor's time
of all threads counts, also on a machine with other work; reading beside the model then costs as
much as reading in between. The last row is a memmap of 20 GB (a
sparse file) of which an epoch takes as many batches; what it costs in memory stands behind.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import nkeras
from nkeras import layers

WIDTH, BATCH = 784, 128
LARGE = 20 * 2**30
Fit = Callable[[], Any]


def model(kind: str) -> Any:
    """A compiled MLP that does not learn: numbers that become tiny would make steps slower."""
    nkeras.utils.set_random_seed(0)
    hidden = [128] if kind == "tiny" else [512, 512]
    inner = [layers.Dense(units, activation="relu") for units in hidden]
    found = nkeras.Sequential([nkeras.Input((WIDTH,)), *inner, layers.Dense(10, "softmax")])
    found.compile(nkeras.optimizers.Adam(0.0), "sparse_categorical_crossentropy")
    return found


class Stream:
    """Batches that are cut from an array."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self._data = x, y

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        x, y = self._data
        for start in range(0, len(x), BATCH):
            yield x[start : start + BATCH], y[start : start + BATCH]


def sources(folder: Path, rows: int, kind: str) -> dict[str, Fit]:
    """One epoch of each."""
    generator = np.random.default_rng(0)
    x = generator.random((rows, WIDTH), "float32")
    y = generator.integers(0, 10, rows)
    x.tofile(folder / "x.bin")
    x.astype("float64").tofile(folder / "x64.bin")
    with h5py.File(folder / "x.h5", "w") as file:
        file.create_dataset("plain", data=x)
        file.create_dataset("chunks", data=x, chunks=(256, WIDTH))
    file = h5py.File(folder / "x.h5", "r")
    with open(folder / "large.bin", "wb") as large:
        large.truncate(LARGE)
    many = LARGE // (4 * WIDTH)
    mapped = {
        name: np.memmap(folder / f"{name}.bin", dtype, "r", shape=(count, WIDTH))
        for name, dtype, count in (
            ("x", "float32", rows),
            ("x64", "float64", rows),
            ("large", "float32", many),
        )
    }
    steps = -(-rows // BATCH)

    def fitted(x: Any, y: Any = None, **options: Any) -> Fit:
        trained = model(kind)
        return lambda: trained.fit(x, y, batch_size=BATCH, verbose=0, **options)

    return {
        "array": fitted(x, y),
        "memmap": fitted(mapped["x"], y),
        "memmap, not shuffled": fitted(mapped["x"], y, shuffle=False),
        "memmap of float64": fitted(mapped["x64"], y),
        "HDF5": fitted(file["plain"], y),
        "HDF5, chunks of 256 rows": fitted(file["chunks"], y),
        "iterable of batches": fitted(Stream(x, y)),
        "memmap of 20 GB": fitted(mapped["large"], np.zeros(many, "uint8"), steps_per_epoch=steps),
    }


def anonymous() -> float:
    """MB of this process' memory that no file stands behind."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("RssAnon:")[2].split()[0]) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--model", choices=("mlp", "tiny"), default="mlp")
    parser.add_argument("--cpu-time", action="store_true", help="of all threads together")
    parser.add_argument("--only", default="", help="sources with this in their name, and the array")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("NKERAS_BENCHMARK_FOLDER")) as folder:
        fits = sources(Path(folder), chosen.rows, chosen.model)
        fits = {name: fit for name, fit in fits.items() if name == "array" or chosen.only in name}
        memory: dict[str, float] = {}
        for name, fit in fits.items():
            before = anonymous()
            fit()
            memory[name] = anonymous() - before
        clock = time.process_time if chosen.cpu_time else time.perf_counter
        seconds: dict[str, list[float]] = {name: [] for name in fits}
        for _ in range(chosen.turns):
            for name, fit in fits.items():
                start = clock()
                fit()
                seconds[name].append(clock() - start)
    print("| source | rows a second | times the array's speed | MB more after the first epoch |")
    print("|---|---:|---:|---:|")
    for name, taken in seconds.items():
        ratios = [one / other for one, other in zip(seconds["array"], taken, strict=True)]
        speed = chosen.rows / statistics.median(taken)
        print(f"| {name} | {speed:,.0f} | {statistics.median(ratios):.2f} | {memory[name]:.0f} |")


if __name__ == "__main__":
    main()
