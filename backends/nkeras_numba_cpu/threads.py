"""How many threads the kernels use, and when a parallel region is safe to enter.

Three things can go wrong with Numba's parallel regions, and all three are handled here: the
`workqueue` layer aborts the process when two threads enter a region at once (one lock around
launches), a forked child cannot use the threads its parent started (serial kernels there), and the
thread count is a property of the calling thread (set on arrival).
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numba

from nkeras.core.errors import is_a, short

# libgomp's threads wait for the next region in a busy loop, by default for so long that on a
# machine with other work each region costs milliseconds. A short wait keeps the gap between two
# kernels cheap. libgomp reads the variable when it is loaded: at the first parallel kernel.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

_THREAD_SAFE_LAYERS = ("tbb", "omp")
# What numba tries, in order, for each value of THREADING_LAYER that is not the name of a layer.
_CANDIDATES = {
    "safe": ("tbb",),
    "threadsafe": ("tbb", "omp"),
    "forksafe": ("tbb", "workqueue"),
}

_count: int | None = None
_started = False
_thread_safe = False
_lost_in_fork = False
_lock = threading.RLock()
_this_thread = threading.local()


def limit() -> int:
    """The most threads that can be asked for (`NUMBA_NUM_THREADS`, by default the usable cores)."""
    return int(numba.config.NUMBA_NUM_THREADS)  # pyright: ignore[reportAttributeAccessIssue]


def get_num_threads() -> int:
    """The number of threads that parallel kernels use."""
    global _count
    if _count is None:
        _count = _from_environment()
    return _count


def set_num_threads(count: int) -> None:
    """Make parallel kernels use `count` threads, whichever thread calls them."""
    global _count
    if isinstance(count, bool) or not is_a(count, int):
        raise TypeError(f"set_num_threads: `count` must be an int, received {short(count)}")
    if not 1 <= count <= limit():
        raise ValueError(
            f"set_num_threads: `count` must be between 1 and {limit()}, received {short(count)}; "
            "a higher limit comes from the environment variable NUMBA_NUM_THREADS"
        )
    _count = count


def layer_name() -> str:
    """The threading layer in use, or the one numba will choose; asking does not start it."""
    try:
        return numba.threading_layer()
    except ValueError:  # not started yet
        wanted = str(numba.config.THREADING_LAYER)  # pyright: ignore[reportAttributeAccessIssue]
    priority = tuple(numba.config.THREADING_LAYER_PRIORITY)  # pyright: ignore[reportAttributeAccessIssue]
    if wanted in priority:
        return wanted
    for name in _CANDIDATES.get(wanted, priority):
        if _can_load(name):
            return name
    return "none"


def serial_only() -> bool:
    """Whether kernels must run serially: one thread wanted, or the threads were lost in a fork."""
    return _lost_in_fork or (_count if _count is not None else get_num_threads()) == 1


def launch(function: Callable[..., Any], *args: Any) -> Any:
    """Call what enters a parallel region with the wanted number of threads, from any thread."""
    if getattr(_this_thread, "count", 0) != _count:
        start()
    if _thread_safe:
        return function(*args)
    with _lock:
        return function(*args)


def entry(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, or a way to call it that is safe, where it enters a parallel region."""
    if getattr(_this_thread, "count", 0) != _count:
        start()
    return function if _thread_safe else _safe(function)


@functools.cache
def _safe(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for each call: launches are compared."""
    return functools.partial(launch, function)


def one_at_a_time() -> AbstractContextManager[object]:
    """Around launchers that are called as they are, not by `launch`."""
    return nullcontext() if _thread_safe or not _started else _lock


def state() -> tuple[int, bool]:
    """What captured launches depend on: how many threads, and whether a fork took them."""
    return get_num_threads(), _lost_in_fork


def prepare() -> None:
    """Let this thread enter parallel regions, if any have been entered at all."""
    if _started and not _lost_in_fork and getattr(_this_thread, "count", 0) != _count:
        start()


def start() -> None:
    """Start numba's threads at the first launch; mask them to our number for this thread."""
    global _started, _thread_safe
    count = get_num_threads()
    with _lock:
        _started = True
        numba.set_num_threads(count)
        _thread_safe = numba.threading_layer() in _THREAD_SAFE_LAYERS
    _this_thread.count = count


def _from_environment() -> int:
    text = os.environ.get("NKERAS_NUM_THREADS", "").strip()
    if not text:
        return min(_from_openmp() or limit(), limit())
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"NKERAS_NUM_THREADS must be a positive integer, received {short(text)}")
    return min(int(text), limit())


def _from_openmp() -> int | None:
    """The number in `OMP_NUM_THREADS`; of a list, one number for each level, the first."""
    text = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(text) if text.isdecimal() and int(text) else None  # nonsense is OpenMP's to refuse


def _can_load(name: str) -> bool:
    from numba.np.ufunc import parallel

    try:
        if name == "tbb":
            with (
                warnings.catch_warnings()
            ):  # an old TBB is reported by a warning and an ImportError
                warnings.simplefilter("ignore")
                parallel._check_tbb_version_compatible()
            from numba.np.ufunc import tbbpool  # noqa: F401
        elif name == "omp":
            from numba.np.ufunc import omppool  # noqa: F401
    except ImportError:
        return False
    return True


def _after_fork_in_child() -> None:
    """Give the child its own lock, and no threads if the parent (any numba code) had some."""
    global _lock, _lost_in_fork
    _lock = threading.RLock()
    parallel = sys.modules.get("numba.np.ufunc.parallel")
    if _started or (parallel is not None and parallel._is_initialized):
        _lost_in_fork = True


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork_in_child)
