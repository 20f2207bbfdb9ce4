"""Flat arrays in compiled code: pieces of others, quicker to compile, and to make, than slices; and
memory for one task."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, errors
from numba.extending import intrinsic

_INT = ir.IntType(64)
_BYTES = ir.IntType(8).as_pointer()
_ALIGNMENT = 64  # of a line of the cache


def _part(typingctx, x, start, size):
    """`x[start : start + size]` of a contiguous 1-D array, 0 <= start <= start + size <= x.size.

    Nothing is checked, and the piece does not keep the array alive: the caller does.
    """
    view = types.Array(x.dtype, 1, "C")

    def codegen(context, builder, signature, values):
        source = context.make_array(x)(context, builder, values[0])
        data = builder.gep(source.data, [values[1]], inbounds=True)
        return _flat(context, builder, view, data, values[2])

    return view(x, types.intp, types.intp), codegen


def _flat(context: Any, builder: Any, kind: Any, data: Any, size: Any) -> Any:
    item = _INT(context.get_abi_sizeof(data.type.pointee))
    made = context.make_array(kind)(context, builder)
    context.populate_array(
        made,
        data=data,
        shape=cgutils.pack_array(builder, [size]),
        strides=cgutils.pack_array(builder, [item]),
        itemsize=item,
        meminfo=None,
    )
    return made._getvalue()


def _allocate(typingctx, dtype, size):
    """A new array of `size` elements; `release` must give it back.

    It begins with a line of the cache. Numba's own arrays count references, which takes long to
    compile, for all arrays of a function.
    """
    kind = types.Array(dtype.dtype, 1, "C")

    def codegen(context, builder, signature, values):
        data = context.get_data_type(kind.dtype).as_pointer()
        item = _INT(context.get_abi_sizeof(data.pointee))
        bytes = builder.mul(values[1], item)
        allocate = _function(builder, "NRT_Allocate", _BYTES, _INT)
        raw = builder.call(allocate, [builder.add(bytes, _INT(2 * _ALIGNMENT))])
        with builder.if_then(cgutils.is_null(builder, raw), likely=False):
            context.call_conv.return_user_exc(builder, MemoryError, ("out of memory",))
        # What was allocated is noted in front of the array.
        address = builder.add(builder.ptrtoint(raw, _INT), _INT(2 * _ALIGNMENT))
        address = builder.and_(address, _INT(-_ALIGNMENT))
        builder.store(raw, _before(builder, address))
        return _flat(context, builder, kind, builder.inttoptr(address, data), values[1])

    return kind(dtype, types.intp), codegen


def _on_stack(typingctx, dtype, size):
    """A new array of a constant number of elements, which is gone when the function returns."""
    if not isinstance(size, types.IntegerLiteral):
        raise errors.ForceLiteralArg({1})
    count: int = size.literal_value
    kind = types.Array(dtype.dtype, 1, "C")

    def codegen(context, builder, signature, values):
        item = ir.ArrayType(context.get_data_type(kind.dtype), count)
        data = builder.bitcast(cgutils.alloca_once(builder, item), item.element.as_pointer())
        return _flat(context, builder, kind, data, _INT(count))

    return kind(dtype, size), codegen


def _release(typingctx, array):
    """Give back what `allocate` gave."""

    def codegen(context, builder, signature, values):
        data = context.make_array(array)(context, builder, values[0]).data
        raw = builder.load(_before(builder, builder.ptrtoint(data, _INT)))
        builder.call(_function(builder, "NRT_Free", ir.VoidType(), _BYTES), [raw])
        return context.get_dummy_value()

    return types.void(array), codegen


def _before(builder: Any, address: Any) -> Any:
    """A pointer to the word in front of an address."""
    return builder.inttoptr(builder.sub(address, _INT(8)), _BYTES.as_pointer())


def _function(builder: Any, name: str, result: Any, argument: Any) -> Any:
    kind = ir.FunctionType(result, [argument])
    return cgutils.get_or_insert_function(builder.module, kind, name)


part: Any = intrinsic(_part)
allocate: Any = intrinsic(_allocate)
on_stack: Any = intrinsic(_on_stack)
release: Any = intrinsic(_release)
