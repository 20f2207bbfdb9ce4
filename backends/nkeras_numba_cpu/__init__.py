"""The default CPU backend: Numba kernels, no compiler to install."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from nkeras.backend.body import Body
from nkeras.backend.scalar import Scalar
from nkeras.core.dtypes import DTYPES, to_numpy


class NumbaCpu:
    """Numba kernels on NumPy arrays; see `nkeras.backend.protocol.Backend`."""

    name = "numba_cpu"
    dtypes = frozenset(DTYPES)
    loops = True
    takes_text = True

    def __init__(self) -> None:
        import numba

        from nkeras_numba_cpu import threads
        from nkeras_numba_cpu.compile import ahead, cache, workers
        from nkeras_numba_cpu.kernels import KERNELS, elementwise
        from nkeras_numba_cpu.launch.region import REGION
        from nkeras_numba_cpu.loops.maps import BLOCK_TASK

        if cache.is_empty() and workers.start():
            for common in (BLOCK_TASK, REGION):
                ahead.fetch(*common)
        self.kernels = KERNELS
        self._ahead = ahead
        self.compile_ahead = functools.cache(ahead.step)
        self.settle = ahead.settle
        self._version = numba.__version__
        self._elementwise = elementwise.elementwise
        self._threads = threads
        self.plan_state = threads.state

    @property
    def device(self) -> str:
        """The CPU and how many threads kernels use."""
        return f"cpu, {self._threads.get_num_threads()} threads"

    def elementwise(self, scalar: Scalar) -> Any:
        return self._elementwise(scalar)

    def array_kernel(self, body: Body) -> Any:
        from nkeras_numba_cpu.kernels.custom import array_kernel

        return array_kernel(body)

    def asarray(self, value: np.ndarray, dtype: str) -> np.ndarray:
        return self._ahead.own(np.asarray(value, to_numpy(dtype)), value)

    def to_numpy(self, array: np.ndarray) -> np.ndarray:
        if self._ahead.queue is not None:
            self._ahead.settle(array)
        return array

    def empty(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        from nkeras_numba_cpu.memory.allocation import own

        return own(shape, to_numpy(dtype))

    def lowering(self) -> Any:
        from nkeras_numba_cpu.replay.lowering import Lowering

        return Lowering()

    def copy(self, array: np.ndarray) -> np.ndarray:
        from nkeras_numba_cpu.memory.allocation import own

        made = own(array.shape, array.dtype)
        made[...] = self.to_numpy(array)
        return made

    copy_to = staticmethod(np.copyto)

    def write(self, target: np.ndarray, value: Any) -> None:
        target[...] = value

    def overlap(self, array: np.ndarray, other: np.ndarray) -> bool:
        return np.may_share_memory(array, other)

    def synchronize(self) -> None:
        """Run the launches that were put off; all others have finished when they return."""
        self._ahead.settle()

    def describe(self) -> dict[str, str]:
        from nkeras_numba_cpu.compile.cache import cache_note

        return {
            "numba": self._version,
            "numpy": np.__version__,
            "threads": str(self._threads.get_num_threads()),
            "threading layer": self._threads.layer_name(),
            "kernel cache": cache_note(),
        }


def backend() -> NumbaCpu:
    """Entry point of the group `nkeras.backends`; kernels are tried, for later it is too late.

    Raises:
        BackendError: kernels cannot work here; the message says why.
    """
    from nkeras_numba_cpu.requirements import check_numba, check_python, explained

    check_python()
    from nkeras_numba_cpu.compile import workers

    if workers.are_needed():  # they import Numba while this process does
        workers.start()
    import numba

    check_numba(numba.__version__)
    with explained():
        from nkeras_numba_cpu.launch import proof

        made = NumbaCpu()
        proof.check()
    return made
