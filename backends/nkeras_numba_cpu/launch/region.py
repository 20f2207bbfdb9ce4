"""The one parallel region: runs numbered tasks, given by the address of their function.

It calls the threading layer as Numba's parallel functions do; compiling one of those would take as
long as a kernel.
"""

from __future__ import annotations

import functools
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils

from nkeras.core.errors import BackendError, warn
from nkeras_numba_cpu import threads
from nkeras_numba_cpu.compile import native
from nkeras_numba_cpu.launch import proof
from nkeras_numba_cpu.launch.launcher import INT, call_address
from nkeras_numba_cpu.requirements import explained

_BYTES = ir.IntType(8).as_pointer()
_NUMBERS = INT.as_pointer()
# Functions of Numba's threading layer.
_THREADS, _PARALLEL_FOR = "get_num_threads", "numba_parallel_for"


@functools.cache
def region() -> int:
    """The address of `region(task function, count, what the tasks share)`.

    It is 0, which stands for a plain loop, where Numba's threads cannot be used; that is said once.
    """
    threads.start()  # the threading layer, whose functions the region is linked to
    try:
        with explained():
            return _proven()
    except BackendError as error:
        warn(f"nkeras computes on one thread: {error}")
        threads.set_num_threads(1)
        return 0


def _proven() -> int:
    for name in (_THREADS, _PARALLEL_FOR):  # LLVM ends the process for a function it does not find
        if llvm.address_of_symbol(name) is None:
            raise BackendError(f"Numba's threading layer has no function {name}.")
    found = native.address(*REGION)
    proof.check_region(found)
    return found


def _emit(context: Any, module: Any, symbol: str) -> None:
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [INT] * 3), symbol)
    builder = ir.IRBuilder(function.append_basic_block())
    task, count, shared = function.args

    def pointer(*numbers: Any) -> Any:
        packed = cgutils.pack_array(builder, numbers, INT)
        return builder.bitcast(cgutils.alloca_once_value(builder, packed), _BYTES)

    # The layer cuts an array of `count` bytes at address 0: what it passes on are task numbers.
    layer = [pointer(INT(0)), pointer(count), pointer(INT(1)), pointer(task, shared)]
    number = cgutils.get_or_insert_function(module, ir.FunctionType(ir.IntType(32), []), _THREADS)
    kind = ir.FunctionType(ir.VoidType(), [_BYTES] * 5 + [INT] * 3)
    parallel_for = cgutils.get_or_insert_function(module, kind, _PARALLEL_FOR)
    share = builder.bitcast(_emit_share(module), _BYTES)
    threads = builder.zext(builder.call(number, []), INT)
    builder.call(parallel_for, [share, *layer, INT(0), INT(1), threads])
    builder.ret_void()


REGION = "region", _emit


def _emit_share(module: Any) -> ir.Function:
    """What a thread does: `void (addresses of arrays, lengths, steps, data)`."""
    kind = ir.FunctionType(ir.VoidType(), [_NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS])
    share = ir.Function(module, kind, "share")
    share.linkage = "internal"
    builder = ir.IRBuilder(share.append_basic_block())
    first, count = (builder.load(argument) for argument in share.args[:2])
    task, shared = (builder.load(builder.gep(share.args[3], [INT(i)])) for i in range(2))
    with cgutils.for_range(builder, count, intp=INT) as loop:
        call_address(builder, task, [builder.add(first, loop.index), shared])
    builder.ret_void()
    return share
