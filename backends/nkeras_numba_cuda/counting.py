"""What a piece of code did with a device: copies, waits, launches and CuPy's computations."""

from __future__ import annotations

import inspect
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_PACKAGES = ("nkeras_numba_cuda", "nkeras_numpy")
_DEPTH = 3


@dataclass
class Counts:
    """What was counted.

    Attributes:
        to_device: copies from host to device, by the place in the code that wanted them.
        to_host: copies from device to host, likewise.
        synchronizations: how often the host waited for the device, likewise.
        launches: our own kernels, by name.
        computations: what CuPy computes, by the name of its function. Views cost nothing and are
            not among them.
        allocations: new arrays on the device, by their size in bytes.
        graphs: CUDA graphs, which repeat launches and computations that are counted too.
    """

    to_device: Counter[str] = field(default_factory=Counter)
    to_host: Counter[str] = field(default_factory=Counter)
    synchronizations: Counter[str] = field(default_factory=Counter)
    launches: Counter[str] = field(default_factory=Counter)
    computations: Counter[str] = field(default_factory=Counter)
    allocations: Counter[str] = field(default_factory=Counter)
    graphs: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        lines = []
        for kind, counter in vars(self).items():
            lines.append(f"{kind.replace('_', ' ')}: {counter.total()}")
            lines += [f"    {count:5d}  {name}" for name, count in counter.most_common()]
        return "\n".join(lines)


_counting: list[Counts] = []
_lock = threading.Lock()


@contextmanager
def counting() -> Generator[Counts, None, None]:
    """Count inside the `with` block, in all threads.

    Example:
        >>> import numpy as np
        >>> from nkeras_numba_cuda import strict
        >>> from nkeras_numba_cuda.counting import counting
        >>> with counting() as counts:
        ...     x = strict.asarray(np.ones(3))
        ...     y = strict.sqrt(x + 1.0)
        >>> counts.to_device.total(), dict(counts.computations)
        (1, {'add': 1, 'sqrt': 1})
    """
    counts = Counts()
    with _lock:
        _counting.append(counts)
    try:
        yield counts
    finally:
        with _lock:
            _counting.remove(counts)


def note(kind: str, name: str) -> None:
    """Count one thing by name.

    Args:
        kind: the attribute of `Counts`.
        name: that of the kernel or function.
    """
    if _counting:
        with _lock:
            for counts in _counting:
                getattr(counts, kind)[name] += 1


def note_place(kind: str, name: str) -> None:
    """Count one thing by who wanted it: the frames outside the backends that called."""
    if _counting:
        note(kind, f"{name} {_place()}")


def _place() -> str:
    frames = []
    frame = inspect.currentframe()
    while frame is not None and len(frames) < _DEPTH:
        path = Path(frame.f_code.co_filename)
        if not any(package in path.parts for package in _PACKAGES):
            frames.append(f"{path.parent.name}/{path.name}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(frames)
