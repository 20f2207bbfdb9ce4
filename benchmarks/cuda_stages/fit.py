"""Stage 8: `fit` beside torch and Keras on JAX, and the first step of a process and of a second."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cuda_stages.device import DRY, pick
from benchmarks.cuda_stages.rows import Row, bar, failed
from nkeras.cli import peers

CASES = Path(__file__).with_name("fit_cases.py")
FIRST_STEP = [sys.executable, "-m", "benchmarks.cuda_stages.first_step"]
FRAMEWORKS = ("nkeras", "torch", "keras-jax")
THREADS = 8
MOST = 2.0  # seconds of a second process to its first step

# Name: model, batch size, samples in an epoch.
FITS = {
    "fit MLP 784-512-512-10": ("wide", 128, 12800),
    "fit MNIST convnet": ("convnet", 128, 12800),
}
TINY = {"fit tiny MLP": ("tiny", 2, 4)}


def rows(part: int, parts: int) -> Iterator[Row]:
    """First steps, then a row for each model."""
    for which in pick(("first", "second"), ("first",)):
        yield _first_step(which)
    os.environ["NKERAS_BACKEND"] = "cuda"
    found = peers.versions(sys.executable, FRAMEWORKS[: pick(None, 1)])
    workers = [peers.Peer(name, sys.executable, str(CASES), THREADS, gpu=True) for name in found]
    fits = [
        peers.Row(name, {"model": model, "do": "fit", "batch": batch, "samples": samples})
        for name, (model, batch, samples) in pick(FITS, TINY).items()
    ]
    try:
        for measured in peers.take_turns(fits, workers, rounds=pick(3, 1), seconds=0.0):
            yield _row(measured)
    finally:
        for worker in workers:
            worker.close()


def _row(measured: peers.Measured) -> Row:
    name = measured.row.name
    if "nkeras" in measured.failed:
        return failed(name, measured.failed["nkeras"])
    samples = float(str(measured.row.case["samples"]))
    numbers = {"samples/s": samples / measured.median("nkeras")}
    ratios = {one: measured.ratio(one) for one in measured.rounds if one != "nkeras"}
    numbers |= {f"of {one} ratio": ratio for one, ratio in ratios.items()}
    note = "; ".join(f"{one}: {why}" for one, why in measured.failed.items())
    return Row(name, numbers, bar(min(ratios.values(), default=1.0), 1.0), note)


def _first_step(which: str) -> Row:
    """Seconds from the start of a process until its first step is done."""
    started = time.perf_counter()
    command = [*FIRST_STEP, pick("convnet", "tiny"), pick("128", "2")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - started
    name = f"first step, {which} process"
    if done.returncode != 0:
        return failed(name, done.stderr.strip().splitlines()[-1])
    slow = which == "second" and elapsed > MOST and not DRY
    return Row(name, {"s": elapsed}, "below" if slow else "ok")
