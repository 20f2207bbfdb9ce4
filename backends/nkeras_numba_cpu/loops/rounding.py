"""Which arguments of a scalar function may be read before a loop without changing a bit.

LLVM adds to a product without rounding it first, where both happen in the loop. What follows from
numbers that are the same in all rounds it computes before the loop; a product there is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nkeras.backend import derive
from nkeras.backend.scalar import Scalar

_SUMS = ("add", "sub")
_PRODUCTS = ("mul", "pow", "floordiv", "mod")
_OTHERS = "truediv and or xor lshift rshift lt le gt ge eq ne".split()


class _Fused(Exception):
    """A sum of a product of what is the same and of something else, or of two products.

    Of two products LLVM rounds either one.
    """


class _Number:
    """A number of a scalar function: whether it is the same in all rounds, and may be a product."""

    __hash__ = object.__hash__
    __slots__ = ("is_product", "is_same")

    def __init__(self, is_same: bool, is_product: bool = False) -> None:
        self.is_same = is_same
        self.is_product = is_product

    def __neg__(self) -> _Number:
        return self

    def __invert__(self) -> _Number:
        return _Number(self.is_same)


_CONSTANT = _Number(True)


def _result(*numbers: Any, is_product: bool = False) -> _Number:
    """What follows from numbers, some of which may be plain ones."""
    return _Number(all([_as_number(one).is_same for one in numbers]), is_product)


def _sum(x: Any, y: Any) -> _Number:
    x, y = _as_number(x), _as_number(y)
    is_fused = x.is_same != y.is_same and (x.is_product if x.is_same else y.is_product)
    if is_fused or (x.is_product and y.is_product):
        raise _Fused
    return _result(x, y)


def _product(*numbers: Any) -> _Number:
    """A product, or what may end with one."""
    return _result(*numbers, is_product=True)


def _where(condition: Any, x: Any, y: Any) -> _Number:
    is_product = _as_number(x).is_product or _as_number(y).is_product
    return _result(condition, x, y, is_product=is_product)


def _as_number(value: Any) -> _Number:
    return value if isinstance(value, _Number) else _CONSTANT


def _reflected(function: Callable[[Any, Any], _Number]) -> Callable[[Any, Any], _Number]:
    return lambda x, y: function(y, x)


for _function, _names in ((_sum, _SUMS), (_product, _PRODUCTS), (_result, _OTHERS)):
    for _name in _names:
        setattr(_Number, f"__{_name}__", _function)
        setattr(_Number, f"__r{_name}__", _reflected(_function))

_TABLE: dict[str, Callable[..., _Number]] = {
    **dict.fromkeys(derive.FUNCTIONS, _product),
    "where": _where,
}


def keeps_bits(scalar: Scalar, same: Sequence[bool]) -> bool:
    """Whether results stay as they are if those arguments are read once, before the loop."""
    try:
        scalar.bind(_TABLE, None)(*[_Number(is_same) for is_same in same])
    except _Fused:
        return False
    return True
