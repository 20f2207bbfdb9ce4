"""A process that computes with one framework when it is told to; run by path, needs no nkeras.

    python peer_worker.py FRAMEWORK FILE THREADS

FILE defines `make(framework, case)`, which returns a function without arguments, or None where the
framework has no such thing. Requests and answers are lines of JSON; see `nkeras.cli.peers`.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

_MOST_CALLS = 2000
# On a machine with other work: the processor's time, which is that of one thread alone.
_clock = (
    time.process_time if os.environ.get("NKERAS_BENCH_CLOCK") == "process" else time.perf_counter
)
_LONG = 0.2  # seconds, beside which the time to wake threads is nothing


def limit_threads(framework: str, threads: int) -> None:
    """What environment variables do not reach; they are set by the parent process."""
    if framework.endswith("torch"):
        import torch

        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
    elif framework.endswith("tensorflow"):
        threading = import_module("tensorflow").config.threading
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(threads)


class Timer:
    """Makes the function of a case, and times it in bursts."""

    def __init__(
        self, framework: str, make: Callable[[str, Any], Callable[[], object] | None]
    ) -> None:
        self.framework = framework
        self.make = make
        self.function: Callable[[], object] | None = None
        self.calls = 1
        self.wakes = True

    def answer(self, request: dict[str, Any]) -> dict[str, object]:
        """Prepare a case, or measure a burst of what was prepared last."""
        return self.prepare(**request) if "case" in request else {"seconds": self.burst()}

    def prepare(self, case: dict[str, object], seconds: float) -> dict[str, object]:
        """Make the function, compile and warm it, choose the calls of a burst of some seconds."""
        self.function = None
        gc.collect()
        self.function = self.make(self.framework, case)
        if self.function is None:
            return {"absent": True}
        size = magnitude(self.function())
        # The second call may compile, too (JAX: other layouts; TensorFlow: other shapes).
        (shortest,) = self._times(1)
        if shortest < seconds:
            shortest = min(self._times(3))
        self.wakes = shortest < _LONG
        self.calls = max(1, min(_MOST_CALLS, int(seconds / max(shortest, 1e-7))))
        return {"magnitude": size}

    def burst(self) -> float:
        """The median time of a call, after one call that wakes threads up, unless it is long."""
        if self.wakes:
            self._times(1)
        return statistics.median(self._times(self.calls))

    def _times(self, calls: int) -> list[float]:
        function = self.function
        assert function is not None
        times = []
        for _ in range(calls):
            started = _clock()
            function()
            times.append(_clock() - started)
        return times


def magnitude(result: object) -> float | None:
    """The root mean square of the arrays in a result, the same in every memory layout."""
    import numpy as np

    arrays = [np.asarray(leaf, np.float64) for leaf in _leaves(result)]
    count = sum(array.size for array in arrays)
    return float(sum(np.square(a).sum() for a in arrays) / count) ** 0.5 if count else None


def _leaves(result: Any) -> Iterator[Any]:
    if isinstance(result, (list, tuple)):
        for part in result:
            yield from _leaves(part)
    elif result is not None:
        yield result.detach() if hasattr(result, "detach") else result


def main() -> None:
    """Answer the lines of standard input."""
    framework, file, threads = sys.argv[1:]
    # What frameworks print goes to standard error, so that answers stand alone.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path.insert(0, str(Path(file).resolve().parent))

    def reply(answer: dict[str, object]) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    try:
        limit_threads(framework, int(threads))
        timer = Timer(framework, runpy.run_path(file)["make"])
    except Exception as error:
        reply({"error": describe(error)})
        return
    reply({"ready": True})
    for line in sys.stdin:
        try:
            reply(timer.answer(json.loads(line)))
        except Exception as error:
            reply({"error": describe(error)})


def describe(error: Exception) -> str:
    """Kind and first line of an error."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else ''}"


if __name__ == "__main__":
    main()
