"""Arrays that a kernel reaches by their addresses: any number of them in one launch.

    pointers = memory.pointers(arrays)              # Python; kernels declare it as int64[::1]

    read, write = accesses_at(4)
    read(pointers, k, index, held)                  # elements of array number k, into a local array
    write(pointers, k, index, held)

For four at a time arrays must start at multiples of 16 bytes, and the index be a multiple of four.
"""

from __future__ import annotations

from typing import Any

from nkeras_numba_cuda.cuda import SIMULATOR, intrinsic, types
from nkeras_numba_cuda.device.functions import device_function


def _value_at(pointers: Any, place: Any, index: Any, like: Any) -> Any:
    return pointers[place][index]


def _set_at(pointers: Any, place: Any, index: Any, value: Any) -> None:
    pointers[place][index] = value


def _four_at(pointers: Any, place: Any, index: Any, like: Any) -> Any:
    return tuple(pointers[place][index + k] for k in range(4))


def _set_four_at(pointers: Any, place: Any, index: Any, values: Any) -> None:
    for k in range(4):
        pointers[place][index + k] = values[k]


value_at: Any = _value_at
set_at: Any = _set_at
four_at: Any = _four_at
set_four_at: Any = _set_four_at

if not SIMULATOR:
    from llvmlite import ir

    from nkeras_numba_cuda.device.addresses import GLOBAL, INT32, INT64, element

    def _place(context: Any, builder: Any, signature: Any, arguments: Any, kind: Any) -> Any:
        """The address of the element: the table never changes while a kernel runs."""
        address = builder.load(element(context, builder, signature, arguments, 0))
        address.set_metadata("invariant.load", builder.module.add_metadata([]))
        pointer = builder.inttoptr(address, ir.PointerType(kind, addrspace=GLOBAL))
        index = arguments[2]
        if index.type.width < 64:
            index = builder.sext(index, INT64)
        return builder.gep(pointer, [index])

    def _vector(context: Any, builder: Any, signature: Any, arguments: Any, kind: Any) -> Any:
        place = _place(context, builder, signature, arguments, kind)
        vector = ir.VectorType(kind, 4)
        size = 4 * context.get_abi_sizeof(kind)
        return builder.bitcast(place, ir.PointerType(vector, addrspace=GLOBAL)), vector, size

    @intrinsic
    def value_at(typing_context: Any, pointers: Any, place: Any, index: Any, like: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_data_type(like.dtype)
            return builder.load(_place(context, builder, signature, arguments, kind))

        return like.dtype(pointers, place, index, like), generate

    @intrinsic
    def set_at(typing_context: Any, pointers: Any, place: Any, index: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_data_type(value)
            builder.store(arguments[3], _place(context, builder, signature, arguments, kind))
            return context.get_dummy_value()

        return types.void(pointers, place, index, value), generate

    @intrinsic
    def four_at(typing_context: Any, pointers: Any, place: Any, index: Any, like: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_data_type(like.dtype)
            place, _, size = _vector(context, builder, signature, arguments, kind)
            found = builder.load(place, align=size)
            parts = [builder.extract_element(found, INT32(k)) for k in range(4)]
            return context.make_tuple(builder, signature.return_type, parts)

        return types.UniTuple(like.dtype, 4)(pointers, place, index, like), generate

    @intrinsic
    def set_four_at(typing_context: Any, pointers: Any, place: Any, index: Any, values: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_data_type(values.dtype)
            place, vector, size = _vector(context, builder, signature, arguments, kind)
            made = ir.Constant(vector, ir.Undefined)
            for k in range(4):
                value = builder.extract_value(arguments[3], k)
                made = builder.insert_element(made, value, INT32(k))
            builder.store(made, place, align=size)
            return context.get_dummy_value()

        return types.void(pointers, place, index, values), generate


@device_function
def _read_1_at(pointers: Any, place: Any, index: Any, held: Any) -> None:
    held[0] = value_at(pointers, place, index, held)


@device_function
def _read_4_at(pointers: Any, place: Any, index: Any, held: Any) -> None:
    held[0], held[1], held[2], held[3] = four_at(pointers, place, index, held)


@device_function
def _write_1_at(pointers: Any, place: Any, index: Any, held: Any) -> None:
    set_at(pointers, place, index, held[0])


@device_function
def _write_4_at(pointers: Any, place: Any, index: Any, held: Any) -> None:
    set_four_at(pointers, place, index, (held[0], held[1], held[2], held[3]))


def accesses_at(count: int) -> tuple[Any, Any]:
    """Device functions `read(pointers, place, index, held)` and `write` of so many elements.

    Args:
        count: 1 or 4, the size of the local array `held`.
    """
    return {1: (_read_1_at, _write_1_at), 4: (_read_4_at, _write_4_at)}[count]
