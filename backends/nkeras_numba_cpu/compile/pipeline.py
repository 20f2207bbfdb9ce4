"""How Numba compiles our functions: each of them is optimised once, as a part of a kernel.

By default Numba optimises a function alone, translates it to machine code, and then does both again
with each function that calls it. Here functions stay as they were lowered; a kernel is optimised
once, with all its parts, see `native`. That halves the time.
"""

from __future__ import annotations

import gc
from typing import Any

from numba import _dynfunc
from numba.core import compiler, lowering, typed_passes, types, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass
from numba.core.funcdesc import PythonFunctionDescriptor
from numba.core.runtime import rtsys
from numba.core.typing.context import Context

# For closures, comprehensions, `with`, literal_unroll and arithmetic with whole arrays, which
# kernels do not use.
_UNUSED = (
    untyped_passes.WithLifting,
    untyped_passes.InlineClosureLikes,
    untyped_passes.MakeFunctionToJitFunction,
    untyped_passes.InlineInlinables,
    untyped_passes.FindLiterallyCalls,
    untyped_passes.LiteralUnroll,
    untyped_passes.LiteralPropagationSubPipelinePass,
    typed_passes.InlineOverloads,
    typed_passes.NopythonRewrites,
    typed_passes.DumpParforDiagnostics,
)


class _PartLibrary(JITCodeLibrary):
    """Code that is linked into kernels as it was lowered, and never runs by itself."""

    def add_llvm_module(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout
        self._final_module.link_in(ll_module)

    def add_linking_library(self, library: Any) -> None:
        if library is not rtsys.library:  # that counts references
            super().add_linking_library(library)

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerPart(LoweringPass):
    """As NativeLowering, without anything that Python could call."""

    _name = "nkeras_lower_part"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        context, flags = state.targetctx, state.flags
        library = _PartLibrary(context.codegen(), state.func_id.func_qualname)
        state.library = library
        description = PythonFunctionDescriptor.from_specialized_function(
            state.func_ir,
            state.typemap,
            state.return_type,
            state.calltypes,
            mangler=context.mangler,
            inline=flags.forceinline,
            noalias=flags.noalias,
            abi_tags=[flags.get_mangle_string()],
        )
        with context.push_code_library(library):
            lower = lowering.Lower(
                context, library, description, state.func_ir, metadata=state.metadata
            )
            lower.lower()
        module, name = description.lookup_module(), state.func_id.func_name
        # What stands for the function among overloads; at address 0 there is nothing to call.
        function = _dynfunc.make_function(module, name, "", 0, lower.env, (library,))
        context.insert_user_function(function, description, [library])
        state["cr"] = compiler._LowerResult(
            description, lower.call_helper, cfunc=function, env=lower.env
        )
        return True


class _Flags(compiler.Flags):
    """Numba's flags, compared quickly: they are part of the keys of its tables of overloads."""

    def __eq__(self, other: object) -> bool:
        return self._values == getattr(other, "_values", None) or super().__eq__(other)

    def __hash__(self) -> int:
        return _HASH


_HASH = hash(compiler.Flags())  # of the names alone, and so the same for all


class _Typing(Context):
    """Numba's typing context, which remembers what functions return for which types."""

    def __init__(self, original: Context) -> None:
        self.__dict__ = original.__dict__

    def resolve_function_type(self, func: Any, args: Any, kws: Any) -> Any:
        if not isinstance(func, types.Function):
            return super().resolve_function_type(func, args, kws)
        key = (func, args, tuple(kws.items()))
        found = _signatures.get(key)
        if found is None:
            found = super().resolve_function_type(func, args, kws)
            if found is not None:
                _signatures[key] = found
        return found


_signatures: dict[Any, Any] = {}


class Part(compiler.CompilerBase):
    """Compiles what kernels call."""

    def __init__(self, typingctx: Any, targetctx: Any, library: Any, *rest: Any) -> None:
        args, return_type, flags, local_types = rest
        flags = _Flags(flags)
        typing = _Typing(typingctx)
        super().__init__(typing, targetctx, library, args, return_type, flags, local_types)

    def define_pipelines(self) -> list[PassManager]:
        """Numba's passes without those for what kernels do not use."""
        manager = PassManager("nkeras")
        every = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        for kernel, description in every.passes:
            if kernel is typed_passes.NativeLowering:
                manager.add_pass(_LowerPart, description)
            elif kernel not in _UNUSED:
                manager.add_pass(kernel, description)
        manager.finalize()
        return [manager]

    def compile_extra(self, func: Any) -> Any:
        """Compile without garbage collection, which would visit the growing IR again and again."""
        enabled = gc.isenabled()
        gc.disable()
        try:
            return super().compile_extra(func)
        finally:
            if enabled:
                gc.enable()
