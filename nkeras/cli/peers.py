"""nkeras and its peers side by side: a process for each framework, and they take turns.

Each process computes only when it is asked to, so that what else the machine does hits all alike
and no framework's waiting threads disturb another's. `python -m nkeras bench --against` and the
scripts in `benchmarks/` measure with this.
"""

from __future__ import annotations

import json
import math
import os
import queue
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

WORKER = Path(__file__).with_name("peer_worker.py")
CASES = Path(__file__).with_name("peer_cases.py")

# The modules that a framework is made of; the first gives the version.
MODULES = {
    "nkeras": ("nkeras", "numba", "numpy"),
    "numpy": ("numpy",),
    "torch": ("torch",),
    "jax": ("jax", "jaxlib"),
    "tensorflow": ("tensorflow",),
    "keras-jax": ("keras", "jax", "jaxlib"),
    "keras-tensorflow": ("keras", "tensorflow"),
    "keras-torch": ("keras", "torch"),
    "onnxruntime": ("onnxruntime", "onnx"),
}
KERAS = ("keras-jax", "keras-tensorflow")

# OpenMP's and the others' threads spin for some milliseconds after work.
_PAUSE = 0.012
_START_LIMIT = 120.0
_CASE_LIMIT = 300.0

_VERSIONS = """
import importlib.metadata as metadata, importlib.util as util, json, sys
distributions = metadata.packages_distributions()
found = {}
for name in sys.argv[1:]:
    if util.find_spec(name) is not None:
        owners = distributions.get(name, [name])
        try:
            found[name] = metadata.version(owners[0])
        except metadata.PackageNotFoundError:
            found[name] = "unknown"
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Bar:
    """What is wanted: a ratio to the fastest of some peers, or a value at most (with a name).

    With both, one of them is enough: the value is what cannot be done any better.
    """

    ratio: float | None = None
    against: tuple[str, ...] = ()
    at_most: float | None = None
    name: str = ""


@dataclass(frozen=True)
class Row:
    """One thing to measure in every framework; rows of a group differ in their sizes only."""

    name: str
    case: dict[str, object]
    bars: tuple[Bar, ...] = ()
    samples: int | None = None
    flops: float | None = None
    group: str = ""


@dataclass
class Measured:
    """What came of a row; values are seconds unless the question says otherwise."""

    row: Row
    rounds: dict[str, list[float]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    magnitudes: dict[str, float | None] = field(default_factory=dict)

    def median(self, name: str) -> float:
        """The median over the rounds."""
        return statistics.median(self.rounds[name])

    def ratio(self, name: str) -> float:
        """How many times longer a peer takes than nkeras."""
        own = self.median("nkeras")
        return self.median(name) / own if own else math.inf  # a peak may be no more than before

    def fastest(self, among: Iterable[str] = ()) -> str | None:
        """The fastest of the peers, or of some of them."""
        peers = [n for n in self.rounds if n != "nkeras" and (n in among or not among)]
        return min(peers, key=self.median, default=None)

    def met(self, bar: Bar) -> bool | None:
        """Whether a bar is met; None where there is nothing to compare."""
        if "nkeras" not in self.rounds:
            return None
        if bar.at_most is not None:
            enough = self.median("nkeras") <= bar.at_most
            if enough or bar.ratio is None:
                return enough
        peer = self.fastest(bar.against)
        return None if peer is None or bar.ratio is None else self.ratio(peer) >= bar.ratio

    def differing(self) -> list[str]:
        """Peers whose results are of another size: they computed something else."""
        own = self.magnitudes.get("nkeras")
        if own is None:
            return []
        sizes = [(name, size) for name, size in self.magnitudes.items() if size is not None]
        return [name for name, size in sizes if not abs(size - own) <= 0.01 * abs(own)]

    def as_json(self) -> dict[str, object]:
        """Everything, with medians and ratios."""
        compared = "nkeras" in self.rounds
        fastest = self.fastest()
        return {
            "name": self.row.name,
            "group": self.row.group or self.row.name,
            "case": self.row.case,
            "median": {name: self.median(name) for name in self.rounds},
            "rounds": self.rounds,
            "ratio": {n: self.ratio(n) for n in self.rounds if compared and n != "nkeras"},
            "fastest peer": fastest,
            "bars": [_bar_as_json(self, bar) for bar in self.row.bars],
            "failed": self.failed,
            "differs": self.differing(),
        }


def _bar_as_json(measured: Measured, bar: Bar) -> dict[str, object]:
    told: dict[str, object] = {"met": measured.met(bar)}
    if bar.at_most is not None:
        told |= {"name": bar.name, "at most": bar.at_most}
    if bar.ratio is not None:
        told |= {"ratio": bar.ratio, "against": list(bar.against)}
    return told


def versions(python: str, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """The frameworks that an interpreter has, with the versions of their parts.

    Args:
        python: path of the interpreter.
        names: keys of `MODULES`.

    Returns:
        By name; frameworks that lack a part are left out.

    Raises:
        ValueError: there is no such interpreter, or it does not work.
    """
    wanted = {name: MODULES[name] for name in names}
    modules = sorted({module for parts in wanted.values() for module in parts})
    command = [python, "-c", _VERSIONS, *modules]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(f"the interpreter {python!r} does not work: {error}") from error
    found = json.loads(done.stdout)
    return {
        name: {part: found[part] for part in parts}
        for name, parts in wanted.items()
        if all(part in found for part in parts)
    }


def environment(threads: int, gpu: bool = False) -> dict[str, str]:
    """Variables that give every framework the same number of threads, and silence.

    Args:
        threads: how many.
        gpu: whether frameworks see the GPU, of whose memory JAX then takes no more than it needs.
    """
    names = "NUMBA NKERAS OMP MKL OPENBLAS".split()
    wanted = {f"{name}_NUM_THREADS": str(threads) for name in names}
    wanted |= dict.fromkeys(("NPROC", "PJRT_NPROC"), str(threads))  # XLA's pool of threads
    wanted |= {"TF_CPP_MIN_LOG_LEVEL": "3"}
    if gpu:
        wanted |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    else:
        wanted |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    if threads == 1:
        wanted["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return dict(os.environ) | wanted


class Peer:
    """A framework's process; it starts anew where it died or hung."""

    def __init__(self, name: str, python: str, file: str, threads: int, gpu: bool = False) -> None:
        self.name = name
        self.command = [python, str(WORKER), name, file, str(threads)]
        self.environment = environment(threads, gpu)
        self.process: subprocess.Popen[str] | None = None
        self.errors: IO[str]  # since it was started
        self.lines: queue.Queue[str] = queue.Queue()

    def start(self) -> None:
        """Start the process, unless it runs.

        Raises:
            RuntimeError: it ended at once.
        """
        if self.process is not None:
            return
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=self.environment,
        )
        # A thread reads, because not every system can wait for a pipe with a time limit.
        self.lines = queue.Queue()
        reader = threading.Thread(target=_read, args=(self.process.stdout, self.lines), daemon=True)
        reader.start()
        answer = self._answer(_START_LIMIT)
        if "error" in answer:
            self.close()
            raise RuntimeError(answer["error"])

    def ask(self, **request: object) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            RuntimeError: the process failed, died or took too long.
        """
        self.start()
        assert self.process is not None
        assert self.process.stdin is not None
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            self._lost("ended")
        answer = self._answer(_CASE_LIMIT)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def _answer(self, limit: float) -> dict[str, Any]:
        try:
            line = self.lines.get(timeout=limit)
        except queue.Empty:
            self._lost(f"gave no answer in {limit:.0f} s")
        if not line:
            self._lost("ended")
        return json.loads(line)

    def _lost(self, how: str) -> NoReturn:
        self.errors.seek(0)
        said = [line for line in self.errors.read().splitlines() if line.strip()]
        self.close(kill=True)
        raise RuntimeError(f"the process {how}. {said[-1][:200] if said else ''}".strip())

    def close(self, kill: bool = False) -> None:
        """End the process."""
        process, self.process = self.process, None
        if process is None:
            return
        if kill:
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.errors.close()


def _read(stream: IO[str], lines: queue.Queue[str]) -> None:
    """Pass on lines until the stream ends, then an empty one."""
    with stream:
        for line in stream:
            lines.put(line)
    lines.put("")


def take_turns(
    rows: Iterable[Row], peers: Sequence[Peer], rounds: int, seconds: float = 0.03
) -> Iterator[Measured]:
    """Measure rows, round by round, one framework after the other.

    Args:
        rows: what to measure.
        peers: the frameworks, nkeras among them.
        rounds: turns of each framework.
        seconds: about how long a turn is; at least one call is made.

    Yields:
        Each row's values as soon as it is done; a framework that fails is named in it.
    """
    for row in rows:
        measured = Measured(row)
        ready = []
        for peer in peers:
            try:
                answer = peer.ask(case=row.case, seconds=seconds)
            except RuntimeError as error:
                measured.failed[peer.name] = str(error)
                continue
            if "absent" not in answer:
                measured.magnitudes[peer.name] = answer["magnitude"]
                ready.append(peer)
        for _ in range(rounds):
            for peer in list(ready):
                time.sleep(_PAUSE)
                try:
                    value = peer.ask()["seconds"]
                except RuntimeError as error:
                    measured.failed[peer.name] = str(error)
                    measured.rounds.pop(peer.name, None)
                    ready.remove(peer)
                    continue
                measured.rounds.setdefault(peer.name, []).append(value)
        yield measured
