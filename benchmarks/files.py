"""Seconds and memory of saving and loading ResNet50, against the bare write or read of its bytes.

    python benchmarks/files.py --peers-python .peers/bin/python
    python benchmarks/files.py --peers-python .peers/bin/python --memory

102 MB in 267 arrays. `numpy` stands for writing so many bytes to the disk (with fsync), or reading
them into fresh memory. nkeras writes its files through to the disk; Keras and torch leave them in
the system's memory, and replace the old file before the new one is whole. Files are read from the
system's memory; "from disk" it was told to forget them. `.keras` loads a model, which is built
first; the others put weights into a model that is there. torch has `torch.save` for all rows.

`--memory`: peak memory of a process above what it had before, in bytes; a loaded model's weights
are in it, those of a model that is saved are not.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from typing import Any

from measuring import FOLDER, Question, options

from nkeras.cli.peer_table import speed
from nkeras.cli.peers import Bar, Measured, Row, environment

FRAMEWORKS = ("nkeras", "numpy", "keras-jax", "torch")
CASES = FOLDER / "files_cases.py"
FORMATS = (".keras", ".weights.h5", ".safetensors")
WEIGHTS = 102_440_608
BARE = Bar(0.67, ("numpy",))  # 1.5 times as long


def rows() -> list[Row]:
    """What is timed."""
    return [
        Row(f"{format} {do}", {"format": format, "do": do}, (BARE,))
        for format in FORMATS
        for do in ("save", "load", "load from disk")
    ]


def memory_rows() -> list[Row]:
    """Whose memory is measured: 1.3 times the weights, of which 1.0 are there while one saves."""
    most = {"save": 0.3, "load": 1.3}
    return [
        Row(
            f"{format} {do}, peak memory",
            {"format": format, "do": do},
            (Bar(at_most=share * WEIGHTS, name=f"<= {share * WEIGHTS / 1e6:.0f} MB"),),
        )
        for format in FORMATS
        for do, share in most.items()
    ]


def peaks(question: Question) -> Iterator[Measured]:
    """One process after the other."""
    for row in question.rows:
        measured = Measured(row)
        for name in question.names:
            for _ in range(question.options.rounds):
                command = [question.python(name), str(CASES), name, json.dumps(row.case)]
                done: subprocess.CompletedProcess[str] = subprocess.run(
                    command,
                    capture_output=True,
                    text=True,
                    check=False,
                    env=environment(question.options.threads),
                )
                if done.returncode != 0:
                    errors = done.stderr.strip().splitlines()
                    measured.failed[name] = errors[-1][:200] if errors else str(done.returncode)
                    break
                found: Any = json.loads(done.stdout.splitlines()[-1])
                if found is None:
                    break
                measured.rounds.setdefault(name, []).append(found)
        yield measured


def megabytes(_: Row, value: float) -> str:
    """A cell of the table."""
    return f"{value / 1e6:.0f} MB"


def main() -> None:
    parser = options(__doc__, rounds=7)
    parser.add_argument("--memory", action="store_true", help="measure memory instead of time")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NKERAS_BENCHMARK_FOLDER"] = folder  # for the processes that measure
        if chosen.memory:
            names = [name for name in FRAMEWORKS if name != "numpy"]
            chosen.rounds = min(chosen.rounds, 3)
            question = Question("files_memory", memory_rows(), names, chosen, megabytes)
            question.answer(peaks(question), unit="bytes", weights=WEIGHTS)
        else:
            question = Question("files", rows(), FRAMEWORKS, chosen, speed)
            question.take_turns(CASES, seconds=0.05, weights=WEIGHTS)


if __name__ == "__main__":
    main()
