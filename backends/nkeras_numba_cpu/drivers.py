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
from types import FunctionType
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from nkeras_numba_cpu import capture, threads
from nkeras_numba_cpu.compile import OPTIONS, cached, inner
from nkeras_numba_cpu.simd import INT, intrinsic

# A parallel region costs 1.4 us (omp) to 65 us (workqueue): below this many scalar operations it
# does not pay.
SERIAL_BELOW = 30_000


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
    """A kernel of numbered tasks; compiled at its first call."""

    def __init__(self, function: Callable[..., Any], reassociate: bool = False) -> None:
        self.function = function
        self.reassociate = reassociate
        functools.update_wrapper(self, function)

    def __call__(self, count: int, work: int, *arguments: Any) -> None:
        """Run tasks 0 .. count - 1, on several threads if `work`, in operations, is worth it."""
        if count == 1 or work < SERIAL_BELOW or threads.serial_only():
            run, call = self.compiled, (0, count, arguments)
        else:
            run, call = threads.entry(self.compiled), (threads.region(), count, arguments)
        launches = capture.current.launches
        if launches is not None:
            launches.append((run, call))
        run(*call)

    @functools.cached_property
    def compiled(self) -> Callable[..., Any]:
        """`compiled(region, count, arguments)`; region 0 stands for a plain loop."""
        options = {}
        if self.reassociate:
            options["fastmath"] = OPTIONS["fastmath"] | {"reassoc", "nsz"}
        body = inner(self.function, **options)
        loop = FunctionType(_loop.__code__, {**globals(), "body": body}, self.function.__name__)
        # Numba's disk cache knows a function by module, name and line.
        loop.__module__ = self.function.__module__
        loop.__qualname__ = f"{self.function.__qualname__}__tasks"
        return cached(loop)


def body(task: int, *arguments: Any) -> None:
    """Stands for the function that `_loop` is bound to."""
    raise TypeError("A loop must be bound to a task.")


def _loop(region, count, arguments):
    run_tasks(body, region, count, arguments)


@intrinsic
def run_tasks(typingctx, body, region, count, arguments):
    """Call body(task, *arguments) for each task: in a loop, or by the parallel region's address."""
    call = body.get_call_type(typingctx, (types.int64, *arguments.types), {})

    def codegen(context, builder, signature, values):
        _, region, count, packed = values
        library = body.dispatcher.get_compile_result(call)
        context.active_code_library.add_linking_library(library.library)
        # What the tasks share, in memory: the arguments, and whether one of them failed.
        shared = cgutils.alloca_once_value(
            builder, cgutils.make_anonymous_struct(builder, [packed, INT(0)])
        )
        task = _task_function(context, builder.module, library.fndesc, call, shared.type)
        address = builder.ptrtoint(shared, INT)
        with builder.if_else(builder.icmp_signed("==", region, INT(0))) as (serial, parallel):
            with serial, cgutils.for_range(builder, count, intp=INT) as loop:
                builder.call(task, [loop.index, address])
            with parallel:
                arguments = [builder.ptrtoint(task, INT), count, address]
                _call_address(builder, region, arguments)
        failed = builder.load(cgutils.gep_inbounds(builder, shared, 0, 1))
        with builder.if_then(builder.icmp_signed("!=", failed, INT(0)), likely=False):
            message = f"{body.dispatcher.py_func.__name__}: out of memory"
            context.call_conv.return_user_exc(builder, MemoryError, (message,))
        return context.get_dummy_value()

    return types.void(body, types.int64, types.int64, arguments), codegen


def _task_function(
    context: Any, module: Any, description: Any, call: Any, shared_type: Any
) -> ir.Function:
    """`void (task, address of what is shared)`, which unpacks the arguments and calls the body."""
    name = f"{description.llvm_func_name}.task"
    task = ir.Function(module, ir.FunctionType(ir.VoidType(), [INT, INT]), name)
    task.linkage = "internal"
    builder = ir.IRBuilder(task.append_basic_block())
    number, address = task.args
    shared = builder.inttoptr(address, shared_type)
    packed = builder.load(cgutils.gep_inbounds(builder, shared, 0, 0))
    arguments = [number, *cgutils.unpack_tuple(builder, packed)]
    function = context.declare_function(module, description)
    status, _ = context.call_conv.call_function(
        builder, function, call.return_type, call.args, arguments
    )
    with builder.if_then(status.is_error, likely=False):
        builder.store(INT(1), cgutils.gep_inbounds(builder, shared, 0, 1))
    builder.ret_void()
    return task


def _call_address(builder: Any, address: Any, arguments: list[Any]) -> None:
    kind = ir.FunctionType(ir.VoidType(), [INT] * len(arguments))
    builder.call(builder.inttoptr(address, kind.as_pointer()), arguments)


@intrinsic
def call_address(typingctx, address, arguments):
    """Call the function at `address`, which takes int64 numbers and returns nothing."""

    def codegen(context, builder, signature, values):
        _call_address(builder, values[0], cgutils.unpack_tuple(builder, values[1]))
        return context.get_dummy_value()

    return types.void(types.int64, arguments), codegen
