"""Several neighbouring elements of device memory at once: one access of up to 128 bits.

    a, b, c, d = load_4(x, index)
    store_4(y, index, (a, b, c, d))
    store_floats(y, index, (a, b, c, d))    # memory of y as float32, whatever its dtype

The index must be a multiple of the number of elements, and the array must start at such an address
(what the memory pool gives out does).
"""

from __future__ import annotations

from typing import Any

from nkeras_numba_cuda.cuda import SIMULATOR, intrinsic, types
from nkeras_numba_cuda.device.functions import device_function


def _load(count: int) -> Any:
    @intrinsic
    def load(typing_context: Any, array: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_data_type(array.dtype)
            place, bytes_ = _place(context, builder, signature, arguments, count, kind)
            vector = builder.load(place, align=bytes_)
            parts = [builder.extract_element(vector, INT32(i)) for i in range(count)]
            return context.make_tuple(builder, signature.return_type, parts)

        return types.UniTuple(array.dtype, count)(array, index), generate

    return load


def _store(count: int, dtype: str | None = None) -> Any:
    @intrinsic
    def store(typing_context: Any, array: Any, index: Any, values: Any) -> Any:
        stored = array.dtype if dtype is None else getattr(types, dtype)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_data_type(stored)
            place, bytes_ = _place(context, builder, signature, arguments, count, kind)
            vector = ir.Constant(place.type.pointee, ir.Undefined)
            for i in range(count):
                value = builder.extract_value(arguments[2], i)
                vector = builder.insert_element(vector, value, INT32(i))
            builder.store(vector, place, align=bytes_)
            return context.get_dummy_value()

        return types.void(array, index, types.UniTuple(stored, count)), generate

    return store


def _place(
    context: Any, builder: Any, signature: Any, arguments: Any, count: int, kind: Any
) -> Any:
    """The address of a vector, and how many bytes it has; indices count elements of the kind."""
    pointer = element(context, builder, signature, arguments, 0, kind=kind)
    vector = ir.PointerType(ir.VectorType(kind, count))
    return builder.bitcast(pointer, vector), count * context.get_abi_sizeof(kind)


def _simulated_load(count: int) -> Any:
    def load(array: Any, index: int) -> Any:
        _check(array, index, count)
        return tuple(array[index + i] for i in range(count))

    return load


def _simulated_store(count: int) -> Any:
    def store(array: Any, index: int, values: Any) -> None:
        _check(array, index, count)
        for i in range(count):
            array[index + i] = values[i]

    return store


def _check(array: Any, index: int, count: int) -> None:
    if index < 0 or index + count > array.size or index % count:
        raise IndexError(f"{count} elements at {index} of an array of {array.size}")


if SIMULATOR:
    load_2, load_4 = _simulated_load(2), _simulated_load(4)
    store_2, store_4 = _simulated_store(2), _simulated_store(4)
    store_floats: Any = None
else:
    from llvmlite import ir

    from nkeras_numba_cuda.device.addresses import INT32, element

    load_2, load_4 = _load(2), _load(4)
    store_2, store_4 = _store(2), _store(4)
    store_floats = _store(4, "float32")


@device_function
def _read_1(x: Any, index: Any, held: Any) -> None:
    held[0] = x[index]


@device_function
def _read_4(x: Any, index: Any, held: Any) -> None:
    held[0], held[1], held[2], held[3] = load_4(x, index)


@device_function
def _write_1(y: Any, index: Any, held: Any) -> None:
    y[index] = held[0]


@device_function
def _write_4(y: Any, index: Any, held: Any) -> None:
    store_4(y, index, (held[0], held[1], held[2], held[3]))


def accesses(count: int) -> tuple[Any, Any]:
    """Device functions `read(x, index, held)` and `write(y, index, held)` of so many elements.

    Args:
        count: 1 or 4; `held` is a local array of that size, which lives in registers.
    """
    return {1: (_read_1, _write_1), 4: (_read_4, _write_4)}[count]


__all__ = ["accesses", "load_2", "load_4", "store_2", "store_4", "store_floats"]
