"""A readers-writer lock on the storages of variables.

Plans work on one array for each variable. While a thread writes some of these arrays, plans
of other threads do not read them. Threads whose plans have no variable in common do not wait for
each other, unless both write.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nkeras.core.variable import Variable

Variables = frozenset["Variable"]
Steps = Sequence[tuple[Callable[..., object], Sequence[object]]]

lock = threading.RLock()  # of the thread that writes
_writer: int | None = None
_written: Variables = frozenset()  # what it writes
_readers: dict[int, Variables] = {}  # by thread: what a plan reads just now


def read(variables: Variables, steps: Steps) -> None:
    """Do steps, which must not take the lock, while nobody else writes the variables."""
    thread = threading.get_ident()
    _readers[thread] = variables
    try:
        if _written.isdisjoint(variables):
            for function, arguments in steps:
                function(*arguments)
            return
    finally:
        del _readers[thread]
    with lock:
        for function, arguments in steps:
            function(*arguments)


def write(variables: Variables, steps: Steps, done: Callable[[], None] | None = None) -> None:
    """Do steps while nobody else reads or writes the variables; `done` is called in any case."""
    global _written, _writer
    with lock:
        before = _written
        _written = before | variables if before else variables
        _writer = threading.get_ident()
        try:
            # Who reads from now on sees `_written`; who began before is waited for.
            while _readers and not _are_apart(variables):
                time.sleep(2e-5)
            for function, arguments in steps:
                function(*arguments)
        finally:
            if done is not None:
                done()
            _written = before
            _writer = _writer if before else None


def _are_apart(variables: Variables) -> bool:
    """Whether no other thread reads the variables."""
    thread = threading.get_ident()
    return all(key == thread or read.isdisjoint(variables) for key, read in list(_readers.items()))


def is_writer() -> bool:
    """Whether this thread writes: then it must not wait for one that may wait for it."""
    return _writer == threading.get_ident()


def _forget_threads() -> None:
    """In a forked process there are no other threads."""
    global lock, _written, _writer
    lock, _written, _writer = threading.RLock(), frozenset(), None
    _readers.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_threads)
