"""Pieces of flat arrays in compiled code: quicker to compile, and to make, than slices."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _part(typingctx, x, start, size):
    """`x[start : start + size]` of a contiguous 1-D array, 0 <= start <= start + size <= x.size.

    Nothing is checked, and the piece does not keep the array alive: the caller does.
    """
    view = types.Array(x.dtype, 1, "C")

    def codegen(context, builder, signature, values):
        source = context.make_array(x)(context, builder, values[0])
        item = context.get_constant(types.intp, context.get_abi_sizeof(source.data.type.pointee))
        made = context.make_array(view)(context, builder)
        context.populate_array(
            made,
            data=builder.gep(source.data, [values[1]], inbounds=True),
            shape=cgutils.pack_array(builder, [values[2]]),
            strides=cgutils.pack_array(builder, [item]),
            itemsize=item,
            meminfo=None,
        )
        return made._getvalue()

    return view(x, types.intp, types.intp), codegen


part: Any = intrinsic(_part)
