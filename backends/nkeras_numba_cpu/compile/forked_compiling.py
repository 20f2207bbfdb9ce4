"""Compiling on all cores: forked children run the rest of a step ahead, and compile what it needs.

The first kernel of a step that is neither loaded nor on disk makes the process fork. The parent
goes on as always: it compiles each function when it gets there. A child goes on with the very same
step, but only notes which kernels it would launch, for which types; that works since the Python
code around launches never looks at values. At the end of the step it compiles what it noted, the
last first, into the cache on disk, and is gone. When the parent gets to a function that a child is
compiling, it waits for it; what a child has done it loads. What the step did in a child (variables,
seeds, counters, prints) went with it.

    with step(begin):                        # around a step; `begin` is called in each child
        address(name, compile_or_load)       # 0 in a child
            missing(name)                    # says `compile_or_load` before it compiles

Processes fork where there is one thread of Python, and only on Linux: elsewhere libraries of the
system do not survive it.
"""

from __future__ import annotations

import atexit
import gc
import hashlib
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from nkeras.core.errors import short
from nkeras_numba_cpu import threads

if sys.platform == "linux":
    import fcntl

MOST = 8  # processes
PATIENCE = 60  # seconds to wait for a function, for a child may hang
GRACE = 1  # seconds that children have to end

# In a child that runs ahead: how to compile what it needs, by name. None elsewhere.
notes: dict[str, Callable[[], int]] | None = None
_family: _Family | None = None


class Forked(BaseException):
    """Raised in a child where the process forked."""


class Taken(BaseException):
    """Raised in a child that is about to compile what another process compiles."""


class _Local(threading.local):
    """The steps of this thread, one in the other."""

    depth = 0
    begin: Callable[[], None] | None = None


_local = _Local()


class step:
    """Around a step whose kernels may be compiled ahead.

    Args:
        begin: called in each child, before it goes on with the step.
    """

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin

    def __enter__(self) -> None:
        _local.depth += 1
        _local.begin = self._begin

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        _local.depth -= 1
        if _local.depth == 0 and _family is not None:
            if notes is not None:
                _family.work(notes)
            elif kind is not None:
                _end()
            else:
                _reap()


def address(name: str, find: Callable[[], int]) -> int:
    """The address of a function, that `find` loads or compiles; in a child 0, and it is noted."""
    if notes is None:
        with suppress(Forked):
            return find()
    assert notes is not None
    notes.setdefault(name, find)
    return 0


def _reap() -> None:
    """Forget the children if all have ended."""
    global _family
    if _family is not None and not _family.is_child and not _family.lives():
        _family.close()
        _family = None


def missing(name: str) -> bool:
    """A function, of this name in all processes, has to be compiled.

    Returns:
        Whether it may be on disk by now.

    Raises:
        Forked: this is a child, a copy of the process that called.
        Taken: this is a child, and another process compiles the function.
    """
    global _family
    _reap()
    if _family is not None:
        return _family.turn(name)
    if _local.depth and _local.begin is not None:
        count = _processes() - 1
        if count:
            family = _Family()
            _family = family.fork(count, name, _local.begin)
    return False


def _processes() -> int:
    """How many processes should compile."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    text = os.environ.get("NKERAS_COMPILE_PROCESSES", "").strip()
    if not text:
        return min(len(os.sched_getaffinity(0)), threads.get_num_threads(), MOST)
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(
            f"NKERAS_COMPILE_PROCESSES must be a positive integer, received {short(text)}"
        )
    return int(text)


class _Family:
    """A process and the children it forked. Who compiles a function locks one byte of a file.

    Locks go with the process that has them, however it ends.
    """

    def __init__(self) -> None:
        self.is_child = False
        self._parent = os.getpid()
        self._children: list[int] = []
        self._file = open(os.memfd_create("nkeras"), "wb")

    def fork(self, count: int, name: str, begin: Callable[[], None]) -> _Family:
        """Fork children; the parent is going to compile the function `name`."""
        global _family, notes
        self._has_locked(name)
        for _ in range(count):
            try:
                with warnings.catch_warnings():
                    # Python 3.12 sees other threads: those of BLAS, which children do not use.
                    warnings.simplefilter("ignore")
                    child = os.fork()
            except OSError:  # no more processes, no memory
                break
            if child == 0:
                self.is_child, _family, notes = True, self, {}
                _withdraw()
                begin()
                raise Forked
            self._children.append(child)
        return self

    def lives(self) -> bool:
        """Whether there is a child left."""
        self._children = [child for child in self._children if not _has_ended(child)]
        return bool(self._children)

    def close(self) -> None:
        """Nobody needs the locks any more."""
        self._file.close()

    def turn(self, name: str) -> bool:
        """Wait until no other process compiles a function; it is kept from the others then."""
        if self.is_child:
            if not self._has_locked(name):
                raise Taken
            return False
        deadline = time.monotonic() + PATIENCE
        while not self._has_locked(name) and time.monotonic() < deadline:
            time.sleep(0.001)
        return True

    def _has_locked(self, name: str) -> bool:
        place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            return False
        return True

    def work(self, noted: dict[str, Callable[[], int]]) -> None:
        """A child's end: compile what was noted, from the end, where the parent comes last."""
        global notes
        try:
            notes = None
            signal.alarm(0)
            for find in reversed(list(noted.values())):
                if os.getppid() != self._parent:
                    break
                with suppress(Exception, Taken):  # the parent will meet the same exception
                    find()
                fcntl.lockf(self._file, fcntl.LOCK_UN)
        finally:
            os._exit(0)

    def end(self) -> None:
        """Make the children end, and wait for them."""
        for number, patience in ((signal.SIGINT, GRACE), (signal.SIGKILL, PATIENCE)):
            if self.lives():
                for child in self._children:
                    with suppress(ProcessLookupError):
                        os.kill(child, number)
            deadline = time.monotonic() + patience
            while self.lives() and time.monotonic() < deadline:
                time.sleep(0.002)


def _has_ended(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG) != (0, 0)
    except ChildProcessError:  # somebody else has waited for it
        return True


def _withdraw() -> None:
    """In a child: nothing that it does may be seen, and no function of the user be called."""
    gc.disable()  # what is garbage in the parent is finalized there
    signal.alarm(2 * PATIENCE)  # without values a step may never come to an end
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # half a file is removed
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    _kept.extend((sys.stdout, sys.stderr))  # not finalized: that would write what they hold
    sys.stdout = sys.stderr = open(os.devnull, "w")
    logging.disable()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # if memory ends, it is the child that goes


_kept: list[Any] = []


def _end() -> None:
    """End the children, if there are any."""
    global _family
    if _family is not None and not _family.is_child:
        _family.end()
        _family.close()
        _family = None


def _forget() -> None:
    """In any forked process: the children are not its own."""
    global _family
    if _family is not None:
        _family.close()
        _family = None


atexit.register(_end)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget)
