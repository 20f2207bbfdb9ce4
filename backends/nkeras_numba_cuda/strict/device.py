"""`cupy.cuda`, as far as the backend asks it."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, NamedTuple

from nkeras_numba_cuda.counting import note_place

DEVICES = 2
"""How many there seem to be."""


class _Current(threading.local):
    """The device and the stream of a thread."""

    device = 0


_current = _Current()


class Stream(NamedTuple):
    """A queue of launches; number 0 is the default one."""

    ptr: int = 0

    def synchronize(self) -> None:
        """Wait for what was queued."""
        note_place("synchronizations", "stream")


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
        note_place("synchronizations", "device")


runtime = SimpleNamespace(getDeviceCount=lambda: DEVICES)


def get_current_stream() -> Stream:
    """The stream that launches are queued on."""
    return Stream()
