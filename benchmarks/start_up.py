"""Seconds from the start of a process until it has done something for the first time.

    python benchmarks/start_up.py --peers-python .peers/bin/python

The MNIST convnet's first training step and its first prediction, with nkeras' kernels on disk (warm
cache) and with an empty cache; and the import. Peers keep no kernels: both rows show the same.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measuring import FOLDER, Question, options

from nkeras.cli.peer_table import duration
from nkeras.cli.peers import Bar, Measured, Row, environment

FRAMEWORKS = ("nkeras", "keras-jax", "keras-tensorflow", "torch")
CHILD = FOLDER / "start_up_worker.py"

ROWS = [
    Row("first training step, warm cache", {"do": "train", "cache": "warm"},
        (Bar(at_most=1.0, name="<= 1 s"),)),
    Row("first training step, empty cache", {"do": "train", "cache": "empty"},
        (Bar(1.0, ("keras-jax",)),)),
    Row("first predict, warm cache", {"do": "predict", "cache": "warm"}),
    Row("first predict, empty cache", {"do": "predict", "cache": "empty"}),
    Row("import and a layer's name", {"do": "import", "cache": "warm"}),
]  # fmt: skip


def seconds(python: str, framework: str, do: str, threads: int, cache: str) -> float:
    """The time from the start of a process until it says that it is done."""
    command = [python, str(CHILD), framework, do]
    changed = environment(threads) | {"NUMBA_CACHE_DIR": cache}
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=changed
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = process.stdout.readline().strip()
        elapsed = time.perf_counter() - started
        errors = process.stderr.read().strip().splitlines()
        process.wait()
    if said != "done":
        raise RuntimeError(errors[-1][:200] if errors else f"it said {said!r}")
    return elapsed


def measure(question: Question, folder: Path) -> Iterator[Measured]:
    """Each row's processes, the frameworks in turn; what does not change is taken once."""
    known: dict[tuple[str, str], list[float]] = {}
    threads = question.options.threads
    warm = folder / "warm"
    for row in question.rows:
        measured = Measured(row)
        do, cache = row.case["do"], row.case["cache"]
        for count in range(question.options.rounds):
            for name in question.names:
                times = known.setdefault((name, do), []) if name != "nkeras" else []
                if len(times) > count or name in measured.failed:
                    continue
                own = warm if cache == "warm" else folder / f"{do} {count}"
                own.mkdir(exist_ok=True)
                python = question.python(name)
                try:
                    if name == "nkeras" and cache == "warm" and count == 0:
                        seconds(python, name, do, threads, str(own))
                    times.append(seconds(python, name, do, threads, str(own)))
                except RuntimeError as error:
                    measured.failed[name] = str(error)
                    continue
                if name == "nkeras":
                    measured.rounds.setdefault(name, []).extend(times)
        for name in question.names:
            if name != "nkeras" and name not in measured.failed and known.get((name, do)):
                measured.rounds[name] = known[name, do]
        for name in measured.failed:
            measured.rounds.pop(name, None)
        yield measured


def main() -> None:
    chosen = options(__doc__, rounds=3).parse_args()
    question = Question("start_up", ROWS, FRAMEWORKS, chosen, lambda _, value: duration(value))
    # Bytecode is there after the first process; what is on disk in memory, too.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        question.answer(measure(question, Path(folder)))


if __name__ == "__main__":
    main()
