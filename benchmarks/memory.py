"""The peak resident memory of a process that trains a model for one epoch.

    python benchmarks/memory.py --peers-python .peers/bin/python

The MNIST convnet on 60,000 synthetic images (188 MB as float32), batch 128, and models of text,
series and aligned images on fewer samples; Adam; each framework in a process of its own, which
holds nothing else. The bar: nobody needs less.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from measuring import FOLDER, Question, options

from nkeras.cli.peers import Bar, Measured, Row, environment

FRAMEWORKS = ("nkeras", "keras-jax", "keras-tensorflow", "torch")
CHILD = FOLDER / "memory_worker.py"


# Model: samples, batch size; of the convnet as many samples as are asked for.
MODELS = {
    "lstm": (3200, 32),
    "gru": (3200, 32),
    "transformer": (3200, 32),
    "series": (640, 32),
    "local": (6400, 64),
}


def peak(python: str, framework: str, case: Mapping[str, Any], threads: int) -> float:
    """Bytes at the end of a process of its own."""
    numbers = (str(case[name]) for name in ("model", "samples", "batch"))
    command = [python, str(CHILD), framework, *numbers]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(threads)
    )
    if done.returncode != 0:
        errors = done.stderr.strip().splitlines()
        raise RuntimeError(errors[-1][:200] if errors else f"it ended with {done.returncode}")
    return float(json.loads(done.stdout.splitlines()[-1]))


def measure(question: Question) -> Iterator[Measured]:
    """One process after the other."""
    for row in question.rows:
        measured = Measured(row)
        for _ in range(question.options.rounds):
            for name in question.names:
                if name in measured.failed:
                    continue
                try:
                    value = peak(question.python(name), name, row.case, question.options.threads)
                except RuntimeError as error:
                    measured.failed[name] = str(error)
                    measured.rounds.pop(name, None)
                    continue
                measured.rounds.setdefault(name, []).append(value)
        yield measured


def megabytes(_: Row, value: float) -> str:
    """A cell of the table."""
    return f"{value / 1e6:.0f} MB"


def main() -> None:
    parser: argparse.ArgumentParser = options(__doc__, rounds=1)
    parser.add_argument("--samples", type=int, default=60_000)
    chosen = parser.parse_args()
    models = {"convnet": (chosen.samples, 128), **MODELS}
    rows = [
        Row(
            f"{model}, {samples:,} samples",
            {"model": model, "batch": batch, "samples": samples},
            (Bar(1.0),),
        )
        for model, (samples, batch) in models.items()
    ]
    question = Question("memory", rows, FRAMEWORKS, chosen, megabytes)
    question.answer(measure(question), unit="bytes")


if __name__ == "__main__":
    main()
