"""One line on standard error where compiling kernels makes somebody wait."""

from __future__ import annotations

import sys
import time


class _Notice:
    """Entered while kernels are compiled; says so once, when that has taken more than a second."""

    def __init__(self) -> None:
        self.total = 0.0
        self.depth = 0
        self.began = 0.0
        self.said = False

    def __enter__(self) -> None:
        if self.depth == 0:
            self.began = time.perf_counter()
        self.depth += 1
        self._say_if_long(0.0)

    def __exit__(self, *error: object) -> None:
        self.depth -= 1
        elapsed = time.perf_counter() - self.began
        if self.depth == 0:
            self.total += elapsed
            elapsed = 0.0
        self._say_if_long(elapsed)

    def _say_if_long(self, running: float) -> None:
        if not self.said and self.total + running > 1.0:
            self.said = True
            print("nkeras: compiling kernels (first run only) ...", file=sys.stderr, flush=True)


notice = _Notice()  # one compilation at a time: Numba holds a global lock
