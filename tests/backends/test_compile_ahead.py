"""Kernels compiled on all cores: nothing shows but how many of them a process compiles itself."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nkeras.backend.scalar import SCALARS, Scalar
from nkeras_numba_cpu.compile import workers
from nkeras_numba_cpu.compile.waiting import Batch, Launch
from nkeras_numba_cpu.kernels import elementwise, optimizers, scans
from nkeras_numba_cpu.launch.tasks import Tasks
from nkeras_numba_cpu.loops import folds
from nkeras_numba_cpu.products import depthwise, winograd, winograd_gradient

SCRIPT = Path(__file__).parent / "compile_ahead_script.py"


class Facts:
    """What a process of its own did, with an empty cache unless one is given."""

    def __init__(self, name: str, cache: Path, processes: int = 2, **changed: str) -> None:
        done = subprocess.run(
            [sys.executable, "-W", "error", str(SCRIPT), name],
            env=_environment(cache, processes) | changed,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        self.before, _, facts = done.stdout.partition("{")
        self.errors = [line for line in done.stderr.splitlines() if "(first run only)" not in line]
        self.notices = len(done.stderr.splitlines()) - len(self.errors)
        found = json.loads("{" + facts)
        self.result: Any = found["result"]
        self.started: int = found["started"]
        self.compiled: int = found["compiled"]


def _environment(cache: Path, processes: int) -> dict[str, str]:
    changed = {"NUMBA_CACHE_DIR": str(cache), "NKERAS_COMPILE_PROCESSES": str(processes)}
    temporary = cache.with_name(f"{cache.name}-temporary")
    temporary.mkdir(exist_ok=True)
    return os.environ | changed | {"TMPDIR": str(temporary)}


def _left_over(cache: Path) -> list[Path]:
    """What processes left in the temporary folder."""
    return list(cache.with_name(f"{cache.name}-temporary").glob("nkeras-*"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Any:
    """What one process does that compiles everything itself; `silent` is all that print nothing."""
    folder = tmp_path_factory.mktemp("alone")
    known: dict[str, Facts] = {}

    def facts(name: str) -> Facts:
        if name not in known:
            cache = folder / ("training" if name == "training" else "others")
            known[name] = Facts(name, cache, processes=1)
            assert known[name].started == 0
        return known[name]

    return facts


def test_training_is_the_same(alone, tmp_path):
    together = Facts("training", tmp_path / "cache")
    assert together.result == alone("training").result
    assert together.started == 1
    assert 0 < together.compiled < alone("training").compiled - 3
    assert together.notices <= 1
    assert not _left_over(tmp_path / "cache")
    again = Facts("training", tmp_path / "cache")
    assert again.result == together.result
    assert again.started == again.compiled == 0  # everything was kept


@pytest.mark.parametrize(
    "name", ["templates", "loop", "looking", "failing", "writing", "own", "threads", "forking"]
)
def test_a_step_is_the_same(name, alone, tmp_path):
    if name == "forking" and not hasattr(os, "fork"):
        pytest.skip("there is no fork here")
    together = Facts(name, tmp_path / "cache")
    assert together.started == 1
    assert together.result == alone("silent").result[name]
    assert (together.before, together.errors) == (alone("silent").before, alone("silent").errors)


@pytest.mark.parametrize("name", ["once", pytest.param("convolutions", marks=pytest.mark.long)])
def test_a_step_is_the_same_and_prints_the_same(name, alone, tmp_path):
    together = Facts(name, tmp_path / "cache")
    assert together.started == 1
    assert together.result == alone(name).result
    assert (together.before, together.errors) == (alone(name).before, alone(name).errors)


def test_another_thread_changes_nothing(alone, tmp_path):
    together = Facts("beside_threads", tmp_path / "cache")
    assert together.result == alone("training").result
    assert together.compiled < alone("training").compiled - 3


def test_workers_that_start_late(alone, tmp_path):
    together = Facts("writing_late", tmp_path / "cache")
    assert together.result == alone("silent").result["writing_late"]


@pytest.mark.parametrize("name", ["dying", "killed", "refused", "embedded"])
def test_without_workers_the_process_compiles_itself(name, alone, tmp_path):
    base = alone("training").result if name == "killed" else alone("silent").result["drawing"]
    facts = Facts(name, tmp_path / "cache")
    assert facts.result == base
    assert not _left_over(tmp_path / "cache")


def test_an_interrupt_loses_nothing(alone, tmp_path):
    facts = Facts("interrupted", tmp_path / "cache")
    assert facts.result == alone("silent").result["interrupted"]
    assert not _left_over(tmp_path / "cache")


def test_workers_help_where_nothing_is_kept(alone, tmp_path):
    together = Facts("training", tmp_path / "cache", NKERAS_CACHE_MEGABYTES="0")
    assert together.result == alone("training").result
    assert 0 < together.compiled < alone("training").compiled - 3


def test_without_a_place_for_jobs(alone, tmp_path):
    facts = Facts("drawing", tmp_path / "cache", TMPDIR=str(tmp_path / "nowhere"))
    assert facts.result == alone("silent").result["drawing"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_workers_end_with_a_process_that_is_killed(tmp_path):
    cache = tmp_path / "cache"
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), "waiting"],
        env=_environment(cache, 3),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        pids = json.loads(process.stdout.readline())
        assert len(pids) == 2
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (_alive(pids) or _left_over(cache)):
        time.sleep(0.05)
    assert not _alive(pids)
    assert not _left_over(cache)


def _alive(pids: list[int]) -> list[int]:
    """Processes that have not ended; nobody waits for orphans in some containers."""
    alive = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        alive += [pid] if state != "Z" else []
    return alive


def _kernels() -> Iterator[Tasks]:
    """Kernels that stand in modules, and one of each kind that functions make."""
    for module in list(sys.modules.values()):
        if module.__name__.startswith("nkeras_numba_cpu."):
            yield from (value for value in vars(module).values() if isinstance(value, Tasks))
    kind = np.dtype("float32")
    for scalar in ("tanh", "sin"):
        for made in (SCALARS[scalar], SCALARS[scalar].gradient("x")):
            assert made is not None
            yield elementwise._of_scalar(made, kind)
    yield elementwise._of_scalar(SCALARS["add"], kind, (False, True))
    yield folds.bound(scans._scan, "sum", kind)
    yield optimizers._kernel(optimizers._adam, 3, (1, 4))
    yield depthwise._tiled(3, 3, 1)
    for outputs in (2, 4):
        yield from winograd._kernels(outputs)
        yield from winograd_gradient._kernels(outputs)


def test_workers_can_be_told_of_every_kernel():
    kernels = list(_kernels())
    assert len(kernels) > 50
    for kernel in kernels:
        description = workers.described("symbol", kernel._emit)
        assert description is not None, kernel.name
        assert pickle.loads(description)[1].__self__.name == kernel.name


def test_workers_are_not_told_what_is_the_users():
    def square_of(x):
        return x * x

    kernel = elementwise._of_scalar(Scalar(square_of), np.dtype("float32"))
    assert workers.described("symbol", kernel._emit) is None
    assert workers.described("symbol", square_of) is None
    assert workers.described("symbol", _at_module_level) is None


def _at_module_level():
    """Could be imported by a worker, which must not."""


def test_how_many_processes(monkeypatch):
    monkeypatch.setattr(workers, "_cores", lambda: 4)
    for name in ("NKERAS_COMPILE_PROCESSES", "NKERAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert workers._processes(None) == 4
    assert workers._processes(2) == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert workers._processes(None) == 1
    monkeypatch.setenv("NKERAS_COMPILE_PROCESSES", "3")
    assert workers._processes(1) == 3
    monkeypatch.setenv("NKERAS_COMPILE_PROCESSES", "none")
    with pytest.raises(ValueError, match="NKERAS_COMPILE_PROCESSES"):
        workers._processes(None)


def test_only_python_is_started(monkeypatch):
    assert workers._can_start()
    monkeypatch.setattr(sys, "executable", "/opt/program/app")
    assert not workers._can_start()
    monkeypatch.setattr(sys, "executable", None)
    assert not workers._can_start()
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert not workers._can_start()


def test_a_worker_works_by_itself(tmp_path, monkeypatch):
    """Without a parent's help beyond the folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pool = workers.Pool(1)
    try:
        from nkeras_numba_cpu.launch.region import REGION

        description = workers.described("nkeras_region", REGION[1])
        assert description is not None
        pool.hand("nkeras_region", description)
        pool.hand("nkeras_wrong", pickle.dumps(("nkeras_wrong", len)))
        deadline = time.monotonic() + 60
        while not pool.is_at("nkeras_wrong") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert pool.made("nkeras_region")
        assert pool.made("nkeras_wrong") is None  # it failed, and lives
        assert pool.lives()
    finally:
        pool.close()
    assert not list(tmp_path.iterdir())


def test_what_memory_depends_on_goes_first():
    """Against every piece with every other one; a step may have thousands of launches."""
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 400, (60, 3))
    spans = [[(int(low), int(low) + 1 + low % 7) for low in row] for row in starts]
    for wanted in spans[:20]:
        needed, first = list(wanted), []
        for number in reversed(range(len(spans))):
            if any(a < d and c < b for a, b in spans[number] for c, d in needed):
                first.append(number)
                needed += spans[number]
        launches = [Launch(tuple, (number,), span) for number, span in enumerate(spans)]
        parts = Batch(launches).split(wanted)
        assert parts is not None
        assert [launch.arguments[0] for launch in parts[0].launches] == first[::-1]
        assert len(parts[0].launches) + len(parts[1].launches) == len(spans)
    apart = [
        Launch(tuple, (), [(8 * n, 8 * n + 4), (8 * n + 8, 8 * n + 12)]) for n in range(20_000)
    ]
    began = time.process_time()
    parts = Batch(apart).split([apart[-1].spans[1]])
    assert parts is not None
    assert len(parts[0].launches) == len(apart)
    assert time.process_time() - began < 2  # by comparing all pieces it takes minutes
