"""Kernels as numbered tasks: one serial function, run by one thread or spread over all of them.

    @tasks
    def _relu(task, x, y):          # computes the part of the result that belongs to `task`
        for j in range(x.shape[1]):
            y[task, j] = max(x[task, j], 0)

    _relu(x.shape[0], x.size, x, y)     # how many tasks, about how many operations, arguments

Only the serial code is compiled, once for each combination of types. The parallel region is one
small function for all kernels, which calls the tasks through their address. So a kernel compiles
three times faster than with `parallel=True`, and gives the same bits at any number of threads,
since it is the same machine code.

LLVM vectorises `for j in range(n)` over whole slices. Where a task owns a piece of a flat array,
slice first (`x = x[start:stop]`) and then count from 0: an index that LLVM cannot prove to be
positive is tested for being negative, which stops vectorisation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import numba
from llvmlite import ir
from numba import types
from numba._dispatcher import compute_fingerprint
from numba.core import cgutils

from nkeras_numba_cpu import threads
from nkeras_numba_cpu.compile import ahead, native
from nkeras_numba_cpu.compile.options import OPTIONS, inner
from nkeras_numba_cpu.compile.waiting import Missing
from nkeras_numba_cpu.emit.simd import intrinsic
from nkeras_numba_cpu.launch import launcher
from nkeras_numba_cpu.launch.region import region
from nkeras_numba_cpu.memory import capture

# A parallel region costs 1.4 us (omp) to 65 us (workqueue): below this many scalar operations it
# does not pay.
SERIAL_BELOW = 30_000

Launcher: TypeAlias = "Callable[[int, int, tuple[Any, ...]], None]"
"""`launch(region, count, arguments)`."""


def tasks(function: Callable[..., Any] | None = None, *, reassociate: bool = False) -> Any:
    """Decorator: make `function(task, *arguments)` a kernel that runs for tasks 0 .. count - 1.

    Args:
        function: computes one task, in nopython mode. Tasks must not write to the same memory.
        reassociate: sums may be ordered for vector instructions (LLVM's `reassoc`), always in the
            same way. Not for code whose rounding matters, such as the reduction of an argument.

    Returns:
        `Tasks`, called as `kernel(count, work, *arguments)`.
    """
    if function is None:
        return functools.partial(tasks, reassociate=reassociate)
    return Tasks(function, reassociate)


class Tasks:
    """A kernel of numbered tasks; compiled at its first call with arguments of some types.

    Args:
        function: computes one task.
        reassociate: as in `tasks`.
        origin: where a process finds the kernel if not under the name of the function: the name in
            its module, or a function and its arguments.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        reassociate: bool = False,
        origin: str | tuple[Callable[..., Any], tuple[Any, ...]] | None = None,
    ) -> None:
        self.function = function
        self._origin = origin
        self.reassociate = reassociate
        self.__name__ = function.__name__
        functools.update_wrapper(self, function)
        self._launchers: dict[bytes, Launcher] = {}

    def __reduce__(self) -> str | tuple[Callable[..., Any], tuple[Any, ...]]:
        """Where another process finds the kernel."""
        return self._origin or self.function.__qualname__

    def __call__(self, count: int, work: int, *arguments: Any) -> None:
        """Run tasks 0 .. count - 1, on several threads if `work`, in operations, is worth it."""
        run = self._launchers.get(compute_fingerprint(arguments))
        if run is None:
            arguments = launcher.plain(arguments)
            run = self.compiled(arguments)
        launch(run, count, work, arguments)

    def compiled(self, arguments: tuple[Any, ...]) -> Launcher:
        """`launch(region, count, arguments)` for arguments of these types; see `launcher`.

        While launches are put off it may be a `Missing`, which nobody should keep.
        """
        key = compute_fingerprint(arguments)  # of types, layouts and lengths of tuples
        found = self._launchers.get(key)
        if found is not None:
            return found
        if launcher.words(arguments) > launcher.WORDS:
            raise TypeError(f"{self.__name__} has too many arguments.")
        emit = functools.partial(self._emit, numba.typeof(arguments))
        finish = functools.partial(launcher.launcher, self.__name__)
        made = ahead.function(f"{self.name} {key.hex()}", emit, finish)
        if not isinstance(made, Missing):
            self._launchers[key] = made
        return made

    @property
    def name(self) -> str:
        """A name of its own, for the disk cache."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    def _emit(self, arguments: Any, context: Any, module: Any, symbol: str) -> None:
        """`void (task, address of the arguments)`, which calls the body."""
        options = {}
        if self.reassociate:
            options["fastmath"] = OPTIONS["fastmath"] | {"reassoc", "nsz"}
        body: Any = inner(self.function, **options)
        task = ir.Function(module, launcher.TASK, symbol)
        builder = ir.IRBuilder(task.append_basic_block())
        number, address = task.args
        reader = launcher.Reader(context, builder, address)
        values = [number, *map(reader.argument, arguments.types)]
        kinds = (types.int64, *arguments.types)
        status = native.emit_call(context, builder, body, kinds, values)
        with builder.if_then(status.is_error, likely=False):
            reader.fail()
        builder.ret_void()


def launch(run: Launcher, count: int, work: int, arguments: tuple[Any, ...]) -> None:
    """Run tasks 0 .. count - 1 of a launcher, on several threads if `work` is worth it."""
    if ahead.queue is not None and ahead.put_off(_resolved, run, count, work, arguments):
        return
    if count == 1 or work < SERIAL_BELOW or threads.serial_only():
        call = (0, count, arguments)
    else:
        run, call = threads.entry(run), (region(), count, arguments)
    launches = capture.current.launches
    if launches is None:
        run(*call)
    else:
        launches.append((run, call))


def _resolved(
    run: Callable[..., None], count: int, work: int, arguments: tuple[Any, ...]
) -> tuple[Callable[..., None], tuple[Any, ...]]:
    """What a launch that was put off comes down to, see `ahead.put_off`."""
    if isinstance(run, Missing):
        run = run.run()
    if count == 1 or work < SERIAL_BELOW or threads.serial_only():
        return run, (0, count, arguments)
    threads.entry(run)  # this thread may be another one
    return run, (region(), count, arguments)


@intrinsic
def call_address(typingctx, address, arguments):
    """Call the function at `address`, which takes int64 numbers and returns nothing."""

    def codegen(context, builder, signature, values):
        launcher.call_address(builder, values[0], cgutils.unpack_tuple(builder, values[1]))
        return context.get_dummy_value()

    return types.void(types.int64, arguments), codegen
