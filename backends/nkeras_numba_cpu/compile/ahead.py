"""Compiling ahead: launches are put off while workers compile what they need.

At the first kernel of a step that is neither loaded nor on disk, Python goes on through the step
without running kernels: their launches are noted in one queue, and what is missing is handed to the
workers. That works since the Python code around launches never looks at values. Where somebody
does, or at the end of the step, the queue is settled: what no worker has taken is compiled here,
from the end, and the launches are run in their order. So everything happens once, and in order.

    with step():
        function(name, emit, finish)        # what runs a kernel, or a `Missing` that stands for it
        put_off(resolve, *arguments)        # a launch; False where it has to run now
    settle(array)                           # before values are looked at

What is in the queue is never lost: after an exception or Ctrl-C it is still there, and runs before
any other launch or look, of whichever thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nkeras.backend.packed import PackedText
from nkeras_numba_cpu import threads
from nkeras_numba_cpu.compile import native, workers
from nkeras_numba_cpu.compile.waiting import Batch, Launch, Memory, Missing, Resolve, Run, Span
from nkeras_numba_cpu.memory.arena import bounds
from nkeras_numba_cpu.memory.capture import current

FEW = 4  # functions: so many are compiled sooner than a worker has started
LIMIT = 2 << 30  # bytes of arrays that launches may wait with

queue: Queue | None = None  # None at nearly all times
_lock = threading.RLock()


class _Local(threading.local):
    """The steps of this thread, one in the other."""

    depth = 0
    # Arrays of the caller's that tensors share memory with, since the outermost step began.
    shared: list[np.ndarray]


_local = _Local()


class step:
    """Around a step, at whose end all launches have run."""

    def __enter__(self) -> None:
        if _local.depth == 0:
            _local.shared = []
        _local.depth += 1

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        _local.depth -= 1
        if _local.depth == 0:
            _local.shared = []
            if kind is None and queue is not None:
                settle()
            if workers.is_started():
                workers.is_running()  # forgets those that are gone


def function(name: str, emit: native.Emit, finish: Callable[[int], Run]) -> Run:
    """What runs a kernel.

    Args:
        name: as in `native.address`.
        emit: as in `native.address`.
        finish: makes of the address what runs the kernel.

    Returns:
        That, or a `Missing` while launches are put off.
    """
    symbol = native.symbol_of(name)
    if queue is not None:
        missing = queue.missing(symbol)
        if missing is not None:
            return missing
    found = native.known(symbol)
    if found is not None:
        return finish(found)
    description = workers.described(symbol, emit) if _may_put_off() else None
    if description is None:
        return finish(native.compiled(symbol, emit))
    return _put_off_function(Missing(symbol, emit, finish), description)


def _may_put_off() -> bool:
    return (
        _local.depth > 0
        and current.launches is None
        and workers.may_start(threads.get_num_threads())
    )


def _put_off_function(missing: Missing, description: bytes) -> Missing:
    global queue
    with _lock:
        if queue is None:
            queue = Queue()
        return queue.add(missing, description)


def put_off(resolve: Resolve, *arguments: Any) -> bool:
    """Note a launch, if launches are put off.

    Args:
        resolve: gives for the arguments the function that is called, one that is written in C, and
            its arguments; called when everything is compiled.

    Returns:
        False where the launch has to run now.
    """
    if _local.depth == 0 or current.launches is not None:
        settle()
        return False
    with _lock:
        if queue is None:
            return False
        queue.note(resolve, arguments)
        if queue.held > LIMIT:
            settle()
        elif _local.shared:  # the caller may write into his array once it has been used
            settle(*_local.shared)
        return True


def settle(*arrays: np.ndarray | PackedText | None) -> None:
    """Run the launches that were put off.

    Args:
        *arrays: where there are some, only what works on them is run, and what that depends on.
    """
    global queue
    if queue is None:
        return
    with _lock:
        now = queue
        if now is None:
            return
        spans = [bounds(array) for array in arrays if array is not None and array.size]
        if not arrays or not now.run_part(spans):
            now.run()
            if queue is now:
                queue = None
        if now.errors:
            raise now.errors.pop(0)


def fetch(name: str, emit: native.Emit) -> None:
    """Let a worker, if there are some, compile a function that will be needed soon."""
    symbol = native.symbol_of(name)
    if workers.is_running() and native.known(symbol) is None:
        description = workers.described(symbol, emit)
        if description is not None:
            workers.hand(symbol, description)


def own(array: np.ndarray, given: np.ndarray) -> np.ndarray:
    """An array for a tensor, made of one that the caller gave and may write into."""
    if _local.depth == 0 and queue is None:
        return array
    if queue is not None or workers.is_started():
        return array.copy() if np.may_share_memory(array, given) else array
    _local.shared.append(array)
    return array


class Queue:
    """Launches that were put off, and the functions they miss. Touched with the lock.

    Attributes:
        held: bytes of the arrays that launches work on.
        errors: why functions could not be compiled; the launches that need them were left out.
    """

    def __init__(self) -> None:
        self.held = 0
        self.errors: list[Exception] = []
        self._functions: dict[str, tuple[Missing, bytes]] = {}
        self._open = Batch([])
        self._batches = [self._open]
        self._is_whole = True  # no run was interrupted
        self._known: dict[int, int] = {}  # memory that launches work on: from where to where

    def missing(self, symbol: str) -> Missing | None:
        """What stands for a function that is missing already."""
        known = self._functions.get(symbol)
        return None if known is None else known[0]

    def add(self, missing: Missing, description: bytes) -> Missing:
        """A function that launches will miss; it is handed to the workers, if it is one of many."""
        known, _ = self._functions.setdefault(missing.symbol, (missing, description))
        if workers.is_running() or (
            len(self._functions) >= FEW and workers.start(threads.get_num_threads())
        ):
            for symbol, (_, content) in self._functions.items():
                workers.hand(symbol, content)
        return known

    def note(self, resolve: Resolve, arguments: tuple[Any, ...]) -> None:
        """A launch."""
        spans = [bounds(array) for array in _arrays_in(arguments)]
        for low, high in spans:
            end = self._known.get(low, low)
            if high > end:
                self.held += high - end
                self._known[low] = high
        if self._open.is_closed:
            self._open = Batch([])
            self._batches.append(self._open)
        self._open.launches.append(Launch(resolve, arguments, spans))

    def run_part(self, spans: list[Span]) -> bool:
        """Run what works on some memory, and what that depends on.

        Returns:
            False if a run was interrupted before: then all must be run.
        """
        batch = self._open
        if not self._is_whole or batch.is_closed:
            return False
        wanted = Memory(spans)
        if not any(wanted.overlaps(launch.spans) for launch in batch.launches):
            return True
        self._is_whole = False
        parts = batch.split(spans)
        if parts is None:
            return False
        if self._open is batch:
            self._open = parts[1]
        self._compile([missing for launch in parts[0].launches for missing in launch.missing()])
        parts[0].run()
        self._is_whole = True
        return True

    def run(self) -> None:
        """Run all launches."""
        self._is_whole = False
        self._compile([missing for missing, _ in self._functions.values()])
        for batch in self._batches:  # there may come more meanwhile
            batch.run()

    def _compile(self, functions: list[Missing]) -> None:
        """Compile the last first, since workers begin with the first."""
        for is_patient in (False, True):
            for missing in reversed(functions):
                if missing.has_failed or (workers.is_at(missing.symbol) and not is_patient):
                    continue
                try:
                    missing.run()
                except Exception as error:
                    missing.has_failed = True
                    self.errors.append(error)


def _arrays_in(structure: Any) -> Iterator[np.ndarray]:
    for part in structure:
        if isinstance(part, np.ndarray):
            if part.size:
                yield part
        elif isinstance(part, tuple):
            yield from _arrays_in(part)


def _forget_threads() -> None:
    """In a forked process: the lock may be held by a thread that is not there."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_threads)
