"""Functions of machine code: written down as LLVM code, kept on disk as objects, loaded by address.

Without a dispatcher of Numba's for each of them, which would need as long to compile as a small
kernel, and a second file. See `launch` for how they are called.
"""

from __future__ import annotations

import functools
import hashlib
import platform
import re
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from numba.core.callconv import create_error_model
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu_options import FastMathOptions
from numba.core.fastmathpass import rewrite_module
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys

from nkeras_numba_cpu.compile import cache, workers
from nkeras_numba_cpu.compile.notice import notice
from nkeras_numba_cpu.compile.options import OPTIONS, import_without_scipy
from nkeras_numba_cpu.emit.registers import vector_bits

Emit = Callable[[Any, Any, str], None]


def symbol_of(name: str) -> str:
    """The name as linkers and file systems take it."""
    plain = re.sub(r"\W", "_", name)[:60]
    return f"nkeras_{plain}_{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def address(name: str, emit: Emit) -> int:
    """The address of a function, from the disk or compiled now.

    Args:
        name: unique among functions; kept on disk under this name.
        emit: writes the function into a new module: called with Numba's context, the module, and
            the symbol that the function must have.
    """
    symbol = symbol_of(name)
    found = known(symbol)
    return compiled(symbol, emit) if found is None else found


def known(symbol: str) -> int | None:
    """The address of a function that is loaded, or can be loaded from the disk."""
    with global_compiler_lock:
        found = _loaded.get(symbol)
        if found is None:
            code = cache.load(symbol)
            found = None if code is None else _load(symbol, code)
        return found


def compiled(symbol: str, emit: Emit) -> int:
    """The address of a function that is not on disk: from a worker that is at it, or from here."""
    with global_compiler_lock, notice:
        found = _loaded.get(symbol)
        if found is not None:
            return found
        code = workers.made(symbol) or optimized(symbol, emit).object_code()
        cache.store(symbol, code)
        return _load(symbol, code)


def _load(symbol: str, code: bytes) -> int:
    rtsys.initialize(cpu_target.target_context)
    engine = cpu_target.target_context.codegen()._engine
    engine._ee.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    found = _loaded[symbol] = int(engine.get_function_address(symbol))
    return found


_loaded: dict[str, int] = {}


class Library(JITCodeLibrary):
    """Collects the code of one function, which is optimised once all its parts are in it."""

    def add_llvm_module(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout
        self._final_module.link_in(ll_module)

    def _optimize_final_module(self) -> None:
        tuning = llvm.create_pipeline_tuning_options(speed_level=3)
        # What should be unrolled is written so: loops that LLVM writes out four times take a third
        # of the time, and kernels have vectors in them already.
        tuning.loop_unrolling = False
        tuning.loop_vectorization = True
        builder = llvm.create_pass_builder(machine(), tuning)
        manager = builder.getModulePassManager()
        manager.run(self._final_module, builder)

    def _finalize_final_module(self) -> None:
        self._finalized = True

    def object_code(self) -> bytes:
        return machine().emit_object(self._final_module)


@functools.cache
def machine() -> llvm.TargetMachine:
    """The host as Numba describes it, but with vectors as wide as `vector_bits` says.

    On Intel's processors LLVM takes half a register for loops, since early ones slowed down.
    """
    codegen: Any = cpu_target.target_context.codegen()
    options: dict[str, Any] = {"opt": 3}
    codegen._customize_tm_options(options)
    if platform.machine() in ("x86_64", "AMD64"):
        for bits in (128, 256):
            sign = "+" if vector_bits() <= bits else "-"
            options["features"] += f",{sign}prefer-{bits}-bit"
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(**options)


@functools.cache
def _context() -> Any:
    """Numba's context for code, with the options of all our kernels."""
    context = cpu_target.target_context
    return context.subtarget(
        error_model=create_error_model(OPTIONS["error_model"], context),
        fastmath=FastMathOptions(OPTIONS["fastmath"]),
    )


@global_compiler_lock
def optimized(symbol: str, emit: Emit) -> Library:
    """The LLVM code of a function, optimised."""
    import_without_scipy()
    cpu_target.target_context.refresh()
    cpu_target.typing_context.refresh()
    context = _context()
    library = Library(context.codegen(), symbol)
    module = library.create_ir_module(symbol)
    with context.push_code_library(library):
        emit(context, module, symbol)
    rewrite_module(module, context.fastmath)
    library.add_ir_module(module)
    library.finalize()
    return library


def emit_call(context: Any, builder: Any, part: Any, kinds: Any, values: Any) -> Any:
    """Call a function made by `options.inner`; gives the status of the call."""
    part.compile(kinds)
    compiled = part.overloads[kinds]
    context.active_code_library.add_linking_library(compiled.library)
    function = context.declare_function(builder.module, compiled.fndesc)
    kind = compiled.signature.return_type
    return context.call_conv.call_function(builder, function, kind, kinds, values)[0]
