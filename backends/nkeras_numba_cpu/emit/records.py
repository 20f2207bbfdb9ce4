"""Records: numbers under names, filled in by Python and read by compiled code.

    class Tile(NamedTuple):                # one declaration for both
        kernel: int
        a: int

    tiles = table(Tile, [Tile(kernel=address, a=0), ...])    # a row of int64 for each record
    launch(..., numbers(Tile(kernel=address, a=0)), tiles)

    tile = record(Tile, given)             # in a kernel: the numbers of a tuple that it is given,
    tile = row(Tile, tiles, i)             # those of a row
    tile = at(Tile, address, i)            # and of one in a run of them

A field may be a record itself, whose numbers lie in its place. Names cost nothing: compiled code
loads what it uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, lower_getattr_generic, register_model

_INT = ir.IntType(64)
_Record = TypeVar("_Record", bound=tuple)


def numbers(record: tuple) -> tuple[Any, ...]:
    """The numbers of a record as a plain tuple, which is what kernels take."""
    flat: list[Any] = []
    for field in record:
        flat += numbers(field) if isinstance(field, tuple) else (field,)
    return tuple(flat)


def table(kind: type[tuple], records: Iterable[tuple]) -> np.ndarray:
    """An array of int64 with a row for each record of this kind."""
    return np.array([numbers(record) for record in records], np.int64).reshape(-1, _width(kind))


def stacked(kind: type[tuple], **columns: Any) -> np.ndarray:
    """The table whose columns are arrays, which are broadcast; a dict has those of a field."""
    arrays = np.broadcast_arrays(*numbers(_named(kind, columns)))
    return np.stack([array.reshape(-1) for array in arrays], axis=1).astype(np.int64)


def _named(kind: Any, columns: dict[str, Any]) -> tuple:
    hints = get_type_hints(kind)
    return kind(
        **{
            name: _named(hints[name], column) if isinstance(column, dict) else column
            for name, column in columns.items()
        }
    )


def bytes_of(kind: type[tuple]) -> int:
    """How many bytes a record of this kind takes in a table."""
    return 8 * _width(kind)


def _width(kind: type[tuple]) -> int:
    return sum(1 for _ in _leaves(_typed(kind)))


def _typed(kind: type[tuple]) -> Any:
    """The type that Numba has for such a record of integers."""
    fields = [
        types.int64 if hint is int else _typed(hint) for hint in get_type_hints(kind).values()
    ]
    if all(field is types.int64 for field in fields):
        return types.NamedUniTuple(types.int64, len(fields), kind)
    return types.NamedTuple(fields, kind)


def _leaves(kind: Any) -> Iterator[Any]:
    for field in kind:
        if isinstance(field, types.BaseTuple):
            yield from _leaves(field)
        else:
            yield field


def _filled(context: Any, builder: Any, kind: Any, values: Iterator[Any]) -> Any:
    """A record, the next values in it."""
    fields = [
        _filled(context, builder, field, values)
        if isinstance(field, types.BaseTuple)
        else next(values)
        for field in kind
    ]
    return context.make_tuple(builder, kind, fields)


def _emit_record(typingctx, kind, given):
    """The numbers of a tuple, under their names."""
    made = _typed(kind.instance_class)
    if len(given) != len(list(_leaves(made))):
        return None

    def codegen(context, builder, signature, values):
        parts = iter(cgutils.unpack_tuple(builder, values[1]))
        return _filled(context, builder, made, parts)

    return made(kind, types.UniTuple(types.int64, len(given))), codegen


class _Row(types.Type):
    """A row of a table, or a part of one: the address of its first number."""

    def __init__(self, record: Any) -> None:
        named = record.instance_class
        super().__init__(name=f"Row({named.__module__}.{named.__qualname__})")
        self.record = record

    @property
    def key(self) -> Any:
        return self.record


@register_model(_Row)
class _RowModel(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _INT.as_pointer())


@infer_getattr
class _RowFields(AttributeTemplate):
    key = _Row

    def generic_resolve(self, kind: Any, name: str) -> Any:
        if name not in kind.record.fields:
            return None
        field = kind.record.types[kind.record.fields.index(name)]
        return _Row(field) if isinstance(field, types.BaseTuple) else field


@lower_getattr_generic(_Row)
def _emit_field(context, builder, kind, value, name):
    """The number is loaded where its name stands: rows in registers would leave none for others."""
    index = kind.record.fields.index(name)
    place = sum(len(list(_leaves([field]))) for field in kind.record.types[:index])
    pointer = builder.gep(value, [_INT(place)], inbounds=True)
    is_part = isinstance(kind.record.types[index], types.BaseTuple)
    return pointer if is_part else builder.load(pointer)


def _emit_row(typingctx, kind, table, index):
    """A row of a table, its numbers under their names."""
    made = _typed(kind.instance_class)
    width = len(list(_leaves(made)))

    def codegen(context, builder, signature, values):
        data = context.make_array(table)(context, builder, values[1]).data
        return builder.gep(data, [builder.mul(values[2], _INT(width))], inbounds=True)

    return _Row(made)(kind, table, types.int64), codegen


def _emit_at(typingctx, kind, address, index):
    """Record number `index` of those that begin at an address."""
    made = _typed(kind.instance_class)
    size = bytes_of(kind.instance_class)

    def codegen(context, builder, signature, values):
        place = builder.add(values[1], builder.mul(values[2], _INT(size)))
        return builder.inttoptr(place, _INT.as_pointer())

    return _Row(made)(kind, types.int64, types.int64), codegen


if TYPE_CHECKING:  # for a type checker, compiled code gets what Python fills in

    def record(kind: type[_Record], given: Any) -> _Record: ...

    def row(kind: type[_Record], table: Any, index: Any) -> _Record: ...

    def at(kind: type[_Record], address: Any, index: Any) -> _Record: ...

else:
    record = intrinsic(_emit_record)
    row = intrinsic(_emit_row)
    at = intrinsic(_emit_at)
