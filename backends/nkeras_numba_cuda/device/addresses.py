"""Addresses of elements, and instructions of PTX as text: what the intrinsics here are made of.

Indices are not checked and do not wrap around: a negative one is a fault.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

INT16, INT32, INT64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
FLOAT32 = ir.FloatType()
VOID = ir.VoidType()

SHARED = 3  # the number that NVVM gives to this kind of memory
GLOBAL = 1


def assembly(
    builder: Any,
    result: Any,
    text: str,
    constraints: str,
    arguments: list[Any],
    *,
    effects: bool = True,
) -> Any:
    """Put PTX into a function.

    Args:
        builder: LLVM's builder.
        result: the type of what comes back.
        text: the instruction, with `$0` and so on for results and then arguments.
        constraints: a letter for each of them: r and l for integers of 32 and 64 bits, f for float.
        arguments: the values.
        effects: whether it does more than to compute its result.
    """
    kind = ir.FunctionType(result, [one.type for one in arguments])
    return builder.call(ir.InlineAsm(kind, text, constraints, side_effect=effects), arguments)


def element(
    context: Any,
    builder: Any,
    signature: Any,
    arguments: Any,
    at: int,
    *,
    shared: bool = False,
    kind: Any = None,
) -> Any:
    """The address of an element; the array is argument number `at`, the index follows it.

    Args:
        context: of the target.
        builder: LLVM's builder.
        signature: types of the arguments.
        arguments: their values.
        at: see above.
        shared: whether the array is in shared memory.
        kind: LLVM's type that the memory is seen as; by default that of the array.
    """
    array_kind, index_kind = signature.args[at], signature.args[at + 1]
    array = context.make_array(array_kind)(context, builder, arguments[at])
    index = arguments[at + 1]
    if shared:  # addresses of 32 bits, which are plain integers
        if index.type.width > 32:
            index = builder.trunc(index, INT32)
        pointer = ir.PointerType(array.data.type.pointee, addrspace=SHARED)
        start = builder.ptrtoint(builder.addrspacecast(array.data, pointer), INT32)
        size = context.get_abi_sizeof(array.data.type.pointee)
        return builder.add(start, builder.mul(index, INT32(size)))
    if index.type.width < 64:
        extend = builder.sext if index_kind.signed else builder.zext
        index = extend(index, INT64)
    start = array.data if kind is None else builder.bitcast(array.data, ir.PointerType(kind))
    return builder.gep(start, [index])


def global_address(builder: Any, pointer: Any) -> Any:
    """A pointer to device memory as the integer that instructions for that memory take."""
    kind = ir.PointerType(pointer.type.pointee, addrspace=GLOBAL)
    return builder.ptrtoint(builder.addrspacecast(pointer, kind), INT64)


def as_tuple(context: Any, builder: Any, signature: Any, value: Any, count: int) -> Any:
    """A structure of LLVM as the tuple that a function returns."""
    parts = [builder.extract_value(value, i) for i in range(count)]
    return context.make_tuple(builder, signature.return_type, parts)
