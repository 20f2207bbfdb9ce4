"""`cupy.cuda`, as far as the backend asks it."""

from __future__ import annotations

from typing import NamedTuple

from nkeras_numba_cuda.counting import note_place


class Stream(NamedTuple):
    """A queue of launches; number 0 is the default one."""

    ptr: int = 0

    def synchronize(self) -> None:
        """Wait for what was queued."""
        note_place("synchronizations", "stream")


class Device(NamedTuple):
    """A device; there is one."""

    id: int = 0

    def synchronize(self) -> None:
        """Wait for all streams."""
        note_place("synchronizations", "device")


def get_current_stream() -> Stream:
    """The stream that launches are queued on."""
    return Stream()
