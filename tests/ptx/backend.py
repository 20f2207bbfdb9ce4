"""The backend itself on the interpreter: strict arrays, and each launch executed.

with interpreted() as session:
    x = session.backend.asarray(numpy_array, "float32")
    session.backend.kernels["matmul"](x, x)
session.launched        # names of kernels, and how often

Inside, the backend of the name `numba_cuda` is this one, also for operations and layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy as np

from nkeras.backend import registry
from nkeras_numba_cuda import launch as launching
from nkeras_numba_cuda import memory, plugin, strict
from nkeras_numba_cuda.capturing import queue
from nkeras_numba_cuda.cuda import SIMULATOR
from nkeras_numba_cuda.kernels import products
from tests.ptx.arrays import note_empty
from tests.ptx.kernels import launch
from tests.ptx.launching import Table


@dataclass(frozen=True)
class Launch:
    """One launch."""

    kernel: launching.Kernel
    grid: tuple[int, ...]
    threads: int
    arguments: list[Any]


@dataclass
class Session:
    """What was launched.

    Args:
        backend: the backend.
        seed: chooses the order of warps and blocks.
        launched: how often each kernel was, by its name in the list.
        warp_instructions: how many instructions warps have executed.
        launches: all of them.
    """

    backend: Any
    seed: int = 0
    launched: Counter[str] = field(default_factory=Counter)
    warp_instructions: int = 0
    launches: list[Launch] = field(default_factory=list)

    def launch(
        self,
        kernel: launching.Kernel,
        grid: tuple[int, ...],
        threads: int,
        arguments: tuple[Any, ...],
    ) -> None:
        """Takes the place of `Kernel.run`; a graph that is captured executes it later."""
        seen = [_seen(a) for a in arguments]
        queue(self._execute, kernel, grid, threads, seen)

    def _execute(
        self, kernel: launching.Kernel, grid: tuple[int, ...], threads: int, seen: list[Any]
    ) -> None:
        names = {id(one): name for name, one in launching.KERNELS.items()}
        self.launched[names.get(id(kernel), kernel.function.__name__)] += 1
        self.launches.append(Launch(kernel, grid, threads, seen))
        report = launch(kernel, grid, threads, seen, kernel.shared, self.seed)
        self.warp_instructions += report.warp_instructions

    def launch_shaped(
        self,
        kernel: launching.ShapedKernel,
        grid: tuple[int, ...],
        threads: int,
        *arguments: Any,
    ) -> None:
        """Takes the place of `ShapedKernel.run`: kernels of users."""
        seen = [a if _is_scalar(a) else memory.shaped(a) for a in arguments]
        queue(self._execute_shaped, kernel, grid, threads, seen)

    def _execute_shaped(
        self, kernel: launching.ShapedKernel, grid: tuple[int, ...], threads: int, seen: list[Any]
    ) -> None:
        self.launched[kernel.function.__name__] += 1
        report = launch(kernel, grid, threads, seen, seed=self.seed)
        self.warp_instructions += report.warp_instructions


def _seen(argument: Any) -> Any:
    if isinstance(argument, memory.Pointers):
        return Table([memory.view(array) for array in argument.arrays])
    return argument if _is_scalar(argument) else memory.view(argument)


def _is_scalar(argument: Any) -> bool:
    return isinstance(argument, bool | int | float | np.generic)


def _garbage(array: np.ndarray) -> np.ndarray:
    """A new array, of which the interpreter knows that nobody wrote it."""
    note_empty(array)
    return array


@contextmanager
def interpreted(
    seed: int = 0, most_blocks: int = 64, tensor_cores: bool = True
) -> Iterator[Session]:
    """Inside the `with` block launches of the backend are executed by the interpreter.

    Args:
        seed: chooses the order of warps and blocks.
        most_blocks: of a grid-stride kernel, as for a device with few multiprocessors.
        tensor_cores: whether the device has them.
    """
    assert not SIMULATOR, "the simulator has launches of its own"
    with (
        mock.patch.object(plugin, "_device_name", return_value="PTX interpreter"),
        mock.patch.object(launching, "_most_blocks", return_value=most_blocks),
        mock.patch.object(products, "has_tensor_cores", return_value=tensor_cores),
        mock.patch.object(products, "most_shared", return_value=227 * 1024),
        mock.patch("nkeras_numba_cuda.strict.arrays.garbage", _garbage),
        mock.patch("nkeras_numba_cuda.strict.functions.garbage", _garbage),
    ):
        before = memory._module
        memory.use(strict)
        session = Session(plugin.NumbaCuda(), seed)
        try:
            with (
                mock.patch.dict(registry._loaded, {"numba_cuda": session.backend}),
                mock.patch.object(
                    launching.Kernel,
                    "run",
                    lambda kernel, *arguments: session.launch(kernel, *arguments),
                ),
                mock.patch.object(
                    launching.ShapedKernel,
                    "run",
                    lambda kernel, *arguments: session.launch_shaped(kernel, *arguments),
                ),
            ):
                yield session
        finally:
            memory.use(strict)  # forgets what was kept
            memory._module = before
