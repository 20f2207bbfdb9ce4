"""Python's operators on tensors, variables and symbolic tensors."""

from __future__ import annotations

from nkeras.core.tensor import Operators
from nkeras.ops import core, elementwise, matrix_product, numeric, reduction, shape
from nkeras.ops.subscripts import getitem

_FROM_ELEMENTWISE = (
    "add subtract multiply divide floor_divide mod power logical_and logical_or logical_xor less "
    "less_equal greater greater_equal equal not_equal negative absolute logical_not"
).split()


def install() -> None:
    """Fill the table that `Tensor`'s operators and the tape look functions up in."""
    table = {name: getattr(elementwise, name) for name in _FROM_ELEMENTWISE}
    for name in ("cast", "reshape", "squeeze", "transpose", "stack"):
        table[name] = getattr(shape, name)
    table["getitem"] = getitem
    table["copy"] = core.copy
    table["round"] = numeric.round
    table["matmul"] = matrix_product.matmul
    table["reduce_sum"] = reduction.reduce_sum
    Operators.operators.update(table)


install()
