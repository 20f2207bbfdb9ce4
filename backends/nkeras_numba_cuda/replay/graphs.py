"""Graphs: work that follows each other, replayed by one call.

The first time work is queued piece by piece, which compiles and loads what is launched. The second
time the same calls are captured on a stream of their own, as a CUDA graph. Where the device refuses
that, work goes on piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nkeras.core.errors import cut_text, warn
from nkeras_numba_cuda.memory import array_module
from nkeras_numba_cuda.replay.work import Work

_warned: list[str] = []


class Graph:
    """Work as one step of a plan.

    Args:
        works: what is queued.
        send: brings the numbers of the plan to the device.
    """

    def __init__(self, works: Sequence[Work], send: Callable[[], None]) -> None:
        self.works = works
        self._send = send
        self._replays = 0
        self._graph: Any = None

    def __call__(self) -> None:
        """Queue all of it."""
        self._send()
        self._replays += 1
        if self._replays == 2:
            self._graph = _captured(self.works)
        if self._graph is not None:
            self._graph.launch()
            return
        for work in self.works:
            work()


def refusals() -> list[str]:
    """Why the device refused to capture graphs in this process."""
    return list(_warned)


def _captured(works: Sequence[Work]) -> Any:
    """The CUDA graph of some work, which is not done; None where the device refuses."""
    stream = array_module().cuda.Stream(non_blocking=True)
    try:
        with stream:
            stream.begin_capture()
            try:
                for work in works:
                    work()
            finally:
                graph = stream.end_capture()
    except Exception as error:
        _tell(f"{type(error).__name__}: {error}")
        return None
    return graph


def _tell(reason: str) -> None:
    """Say it once; what is replayed piece by piece is right, but slower."""
    if not _warned:
        _warned.append(reason)
        warn(
            "Steps are replayed launch by launch, for the device refuses to capture them as CUDA "
            f"graphs ({cut_text(' '.join(reason.split()), 150)})."
        )
