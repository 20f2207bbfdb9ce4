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
from nkeras_numba_cpu.compile import forked_compiling, native
from nkeras_numba_cpu.compile.options import OPTIONS, inner
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
    """A kernel of numbered tasks; compiled at its first call with arguments of some types."""

    def __init__(self, function: Callable[..., Any], reassociate: bool = False) -> None:
        self.function = function
        self.reassociate = reassociate
        self.__name__ = function.__name__
        functools.update_wrapper(self, function)
        self._launchers: dict[bytes, Launcher] = {}

    def __call__(self, count: int, work: int, *arguments: Any) -> None:
        """Run tasks 0 .. count - 1, on several threads if `work`, in operations, is worth it."""
        run = self._launchers.get(compute_fingerprint(arguments))
        if run is None:
            arguments = launcher.plain(arguments)
            run = self.compiled(arguments)
        launch(run, count, work, arguments)

    def compiled(self, arguments: tuple[Any, ...]) -> Launcher:
        """`launch(region, count, arguments)` for arguments of these types; see `launcher`."""
        key = compute_fingerprint(arguments)  # of types, layouts and lengths of tuples
        found = self._launchers.get(key)
        if found is not None:
            return found
        if launcher.words(arguments) > launcher.WORDS:
            raise TypeError(f"{self.__name__} has too many arguments.")
        name = f"{self.name} {key.hex()}"
        address = native.address(name, functools.partial(self._emit, numba.typeof(arguments)))
        made = self._launchers[key] = launcher.launcher(self.__name__, address)
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
    if count == 1 or work < SERIAL_BELOW or threads.serial_only():
        call = (0, count, arguments)
    else:
        run, call = threads.entry(run), (region(), count, arguments)
    launches = capture.current.launches
    if launches is not None:
        launches.append((run, call))
    if forked_compiling.notes is None:
        run(*call)


@intrinsic
def call_address(typingctx, address, arguments):
    """Call the function at `address`, which takes int64 numbers and returns nothing."""

    def codegen(context, builder, signature, values):
        launcher.call_address(builder, values[0], cgutils.unpack_tuple(builder, values[1]))
        return context.get_dummy_value()

    return types.void(types.int64, arguments), codegen
