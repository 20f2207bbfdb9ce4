"""Worker processes that compile machine code beside this one.

A worker is a plain Python process that knows how kernels are described, by names of our own modules
and types, and nothing of the user's. All that it shares with this process is a folder:

    000012.SYMBOL.job       what is to be compiled; who renames or removes it first does it
    000012.SYMBOL.job.3     worker 3 is at it, or has done it
    SYMBOL.o                the code; empty where it could not be compiled

A worker ends when its standard input does, that is with this process, or when it is idle for long.
"""

from __future__ import annotations

import atexit
import importlib
import io
import itertools
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from nkeras.backend.scalar import SCALARS, Scalar
from nkeras.core.errors import short

MOST = 8  # processes, this one included
PATIENCE = 60.0  # seconds to wait for a function, for a worker may hang
_OURS = (
    "nkeras",
    "nkeras_numba_cpu",
    "numba",
    "llvmlite",
    "numpy",
    "builtins",
    "copyreg",
    "functools",
)

_pool: Pool | None = None
_refused = False  # no process could be started


def start(threads: int | None = None) -> bool:
    """Start workers, unless there are some.

    Args:
        threads: how many threads kernels use; what the environment says by default.

    Returns:
        Whether there are workers.
    """
    global _pool, _refused
    if is_running():
        return True
    count = _processes(threads) - 1
    if _refused or count < 1 or not _can_start():
        return False
    try:
        _pool = Pool(count)
    except OSError:  # no temporary folder, no more processes, no memory
        _refused = True
    return _pool is not None


def are_needed() -> bool:
    """Whether no kernels at all are on disk, which is known before Numba is imported."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    personal = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    parents = [
        Path(chosen) if chosen else Path(__file__).parents[1] / "__pycache__",
        Path(personal) / "nkeras",
    ]
    return not any(folder for parent in parents for folder in parent.glob("nkeras-*"))


def may_start(threads: int) -> bool:
    """Whether there are workers, or could be."""
    return _pool is not None or (_processes(threads) > 1 and not _refused and _can_start())


def is_started() -> bool:
    """Whether there are workers, as far as is known without asking."""
    return _pool is not None


def is_running() -> bool:
    """Whether there are workers. Those that have ended by themselves are forgotten."""
    pool = _pool
    if pool is not None and not pool.lives():
        end()
    return _pool is not None


def end() -> None:
    """End the workers."""
    global _pool
    pool, _pool = _pool, None
    if pool is not None:
        pool.close()


def described(symbol: str, emit: Callable[..., Any]) -> bytes | None:
    """What a worker needs to know; None where that is something of the user's."""
    target = io.BytesIO()
    try:
        _Pickler(target).dump((symbol, emit))
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    return target.getvalue()


def hand(symbol: str, description: bytes) -> None:
    """Let a worker compile a function."""
    pool = _pool  # another thread may end it
    if pool is not None:
        pool.hand(symbol, description)


def is_at(symbol: str) -> bool:
    """Whether a worker compiles a function, or has done so."""
    pool = _pool
    return pool is not None and pool.is_at(symbol)


def made(symbol: str) -> bytes | None:
    """The code of a function from a worker that compiles it; else None, and no worker will."""
    pool = _pool
    return None if pool is None else pool.made(symbol)


def _processes(threads: int | None) -> int:
    """How many processes should compile."""
    text = os.environ.get("NKERAS_COMPILE_PROCESSES", "").strip()
    if text:
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(
                f"NKERAS_COMPILE_PROCESSES must be a positive integer, received {short(text)}"
            )
        return int(text)
    if threads is None:
        wanted = (os.environ.get(name, "") for name in ("NKERAS_NUM_THREADS", "OMP_NUM_THREADS"))
        threads = next((int(text) for text in wanted if text.isdecimal()), MOST)
    return min(_cores(), threads, MOST)


def _cores() -> int:
    usable = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(usable(0)) if usable else os.cpu_count() or 1


def _can_start() -> bool:
    """Whether `sys.executable` is Python: it may be a program that has Python in it, or nothing."""
    name = os.path.basename(sys.executable or "").lower()
    return name.startswith("python") and not getattr(sys, "frozen", False)


class Pool:
    """Some workers and their folder.

    Raises:
        OSError: there is no temporary folder, or the first worker does not start.
    """

    def __init__(self, count: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nkeras-"))
        self.workers: list[subprocess.Popen[bytes]] = []
        self._numbers = itertools.count()
        self._jobs: dict[str, Path] = {}
        try:
            (self.folder / "path.json").write_text(json.dumps(_path()))
            for number in range(count):
                self.workers.append(_started(self.folder, number))
        except OSError:
            if not self.workers:
                shutil.rmtree(self.folder, ignore_errors=True)
                raise

    def lives(self) -> bool:
        """Whether a worker is left."""
        return any(worker.poll() is None for worker in self.workers)

    def hand(self, symbol: str, description: bytes) -> None:
        """Write a job, unless it is there."""
        if symbol in self._jobs:
            return
        job = self.folder / f"{next(self._numbers):06d}.{symbol}.job"
        part = job.with_suffix(".part")
        with suppress(OSError):  # a full disk: this process compiles it
            part.write_bytes(description)
            os.replace(part, job)
            self._jobs[symbol] = job

    def is_at(self, symbol: str) -> bool:
        """Whether a worker has taken a job, and is not gone without having done it."""
        job = self._jobs.get(symbol)
        if job is None or job.exists():
            return False
        return (self.folder / f"{symbol}.o").exists() or self._is_held(job)

    def _is_held(self, job: Path) -> bool:
        for number, worker in enumerate(self.workers):
            if (self.folder / f"{job.name}.{number}").exists():
                return worker.poll() is None
        return False

    def made(self, symbol: str) -> bytes | None:
        """Take a job away from the workers, or wait for the one that has taken it."""
        job = self._jobs.get(symbol)
        if job is None:
            return None
        with suppress(OSError):
            job.unlink()
            del self._jobs[symbol]
            return None
        result = self.folder / f"{symbol}.o"
        deadline = time.monotonic() + PATIENCE
        while not result.exists():
            if time.monotonic() > deadline or not self._is_held(job):
                break
            time.sleep(0.001)
        with suppress(OSError):
            return result.read_bytes() or None
        return None

    def close(self) -> None:
        """Let the workers end, and remove what is left of them."""
        for worker in self.workers:
            if worker.stdin is not None:
                with suppress(OSError):
                    worker.stdin.close()
        for worker in self.workers:
            try:
                worker.wait(1)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def leave(self) -> None:
        """In a forked process: the workers are not its own, and must not outlive their parent."""
        for worker in self.workers:
            if worker.stdin is not None:
                with suppress(OSError):
                    worker.stdin.close()
            worker.returncode = 0  # nothing to wait for


def _started(folder: Path, number: int) -> subprocess.Popen[bytes]:
    """A worker. It neither runs the user's code nor reads his settings of Python."""
    command = [sys.executable, "-I", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
    program = Path(__file__).with_name("worker.py")
    return subprocess.Popen(
        [*command, str(program), str(folder), str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C of a terminal is not for workers
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _path() -> list[str]:
    """Where a worker finds modules: ours as this process found them, then all others."""
    ours = [sys.modules[name].__file__ for name in ("nkeras", "nkeras_numba_cpu", "numpy")]
    folders = [str(Path(file).parents[1]) for file in ours if file is not None]
    return list(dict.fromkeys([*folders, *(os.path.abspath(part) for part in sys.path if part)]))


class _Pickler(pickle.Pickler):
    """Writes what names only our own functions: a worker must not import modules of the user's."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Scalar):
            if obj.origin is not None:
                return _derivative, obj.origin
            if SCALARS.get(obj.name) is obj and _is_ours(obj.function):
                return _scalar, (obj.function.__module__, obj.name)
            raise pickle.PicklingError("a scalar of the user's")
        if (isinstance(obj, type) or callable(obj)) and not _is_ours(obj):
            raise pickle.PicklingError("a function of the user's")
        return NotImplemented


def _scalar(module: str, name: str) -> Scalar:
    importlib.import_module(module)
    return SCALARS[name]


def _derivative(scalar: Scalar, by: str) -> Scalar | None:
    return scalar.gradient(by)


def _is_ours(value: Any) -> bool:
    module = getattr(value, "__module__", None) or type(value).__module__
    return module.partition(".")[0] in _OURS


def _leave() -> None:
    global _pool
    if _pool is not None:
        pool, _pool = _pool, None
        pool.leave()


atexit.register(end)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_leave)
