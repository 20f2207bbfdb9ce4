"""`cupy.cuda`, as far as the backend asks it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from nkeras_numba_cuda import capturing
from nkeras_numba_cuda.counting import note, note_place

DEVICES = 2
"""How many there seem to be."""


class _Current(threading.local):
    """The device and the stream of a thread."""

    device = 0


_current = _Current()


journal: list[str] | None = None
"""Where a list, copies, events and waits are written down in the order in which they are queued."""


def told(what: str) -> None:
    """Write something into the journal."""
    if journal is not None:
        journal.append(what)


class Work:
    """What is under way on a stream: it is done when somebody has waited for it."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action: Callable[[], None] | None = action

    @property
    def is_done(self) -> bool:
        """Whether it was."""
        return self._action is None

    def finish(self) -> None:
        """Do it, if it is not done."""
        action, self._action = self._action, None
        if action is not None:
            action()


class Graph:
    """What was queued while a stream was capturing.

    Args:
        queued: the calls.
    """

    def __init__(self, queued: list[capturing.Queued]) -> None:
        self._queued = queued

    def launch(self, stream: Stream | None = None) -> None:
        """Do all of it again."""
        note("graphs", f"of {len(self._queued)}")
        for function, arguments in self._queued:
            function(*arguments)


class Stream:
    """A queue of launches and copies; number 0 is the default one, on which all is done at once."""

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.ptr = 0 if null else id(self)
        self.queued: list[Work] = []
        self._before: list[Stream] = []

    def __enter__(self) -> Stream:
        self._before.append(get_current_stream())
        _streams.current = self
        return self

    def __exit__(self, *error: Any) -> None:
        _streams.current = self._before.pop()

    def begin_capture(self, mode: int | None = None) -> None:
        """Keep what is queued from now on."""
        if not self.ptr:
            raise RuntimeError("operation not permitted: the default stream cannot be captured")
        capturing.refuse("another capture")
        capturing.current.queued = []

    def end_capture(self) -> Graph:
        """What was queued, as a graph."""
        queued, capturing.current.queued = capturing.current.queued, None
        if queued is None:
            raise RuntimeError("the stream is not capturing")
        return Graph(queued)

    @property
    def name(self) -> str:
        """What the journal calls it."""
        return "copy stream" if self.ptr else "compute stream"

    def queue(self, action: Callable[[], None]) -> None:
        """Do something later."""
        self.queued = [*(work for work in self.queued if not work.is_done), Work(action)]

    def wait_event(self, event: Event) -> None:
        """What is queued from now on waits for an event; the host does not."""
        told(f"{self.name} waits for {event.name}")
        if not self.ptr:
            event.finish()

    def synchronize(self) -> None:
        """Wait for what was queued."""
        capturing.refuse("a stream is waited for")
        note_place("synchronizations", "stream")
        for work in self.queued:
            work.finish()


class Event:
    """A place in a stream."""

    def __init__(self, block: bool = False, disable_timing: bool = False) -> None:
        capturing.refuse("a new event")
        self._work: list[Work] = []
        self.name = "nothing"

    @property
    def done(self) -> bool:
        """Whether all that it stands behind is done."""
        return all(work.is_done for work in self._work)

    def record(self, stream: Stream | None = None) -> None:
        """Stand behind all that is queued on a stream now, by default the current one."""
        stream = stream or get_current_stream()
        self._work = list(stream.queued)
        self.name = f"event of the {stream.name}"
        told(f"event on the {stream.name}")

    def finish(self) -> None:
        """Do what it stands behind."""
        for work in self._work:
            work.finish()

    def synchronize(self) -> None:
        """Let the host wait, which is counted unless all is done."""
        if not self.done:
            note_place("synchronizations", "event")
        self.finish()


class PinnedMemory(bytearray):
    """Memory of the host that the device reads and writes."""

    @property
    def ptr(self) -> int:
        """Its address."""
        return np.frombuffer(self, np.uint8).ctypes.data


def alloc_pinned_memory(size: int) -> PinnedMemory:
    """Memory of the host that the device reads and writes."""
    capturing.refuse("new memory of the host")
    told("pinned memory")
    return PinnedMemory(size)


class Device:
    """A device, by default the current one; inside a `with` block it is the current one."""

    def __init__(self, device: int | None = None) -> None:
        self.id = _current.device if device is None else device
        self._before: list[int] = []

    def __enter__(self) -> Device:
        self._before.append(_current.device)
        _current.device = self.id
        return self

    def __exit__(self, *error: Any) -> None:
        _current.device = self._before.pop()

    def synchronize(self) -> None:
        """Wait for all streams."""
        capturing.refuse("the device is waited for")
        note_place("synchronizations", "device")


runtime = SimpleNamespace(getDeviceCount=lambda: DEVICES)


def get_current_stream() -> Stream:
    """The stream that launches are queued on."""
    return _streams.current


class _Streams(threading.local):
    current = Stream(null=True)


_streams = _Streams()
