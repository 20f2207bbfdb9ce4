"""Columns of tables, however the data come: dicts, tables of pandas, batches, single rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nkeras import ops
from nkeras.core import dtypes
from nkeras.core.errors import nearest, short
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import to_tensor
from nkeras.layers.preprocessing.adapting import is_one_array


def is_table(data: Any) -> bool:
    """Whether it is all data: a dict of columns, or a table of pandas."""
    if isinstance(data, Mapping) or hasattr(data, "iloc"):
        return True
    if isinstance(data, (str, bytes)) or not hasattr(data, "__iter__") or is_one_array(data):
        raise TypeError(
            "FeatureSpace.adapt() can only be called on a dict of columns or an iterable of dicts. "
            f"Received instead: {short(data)} (of type {type(data).__name__})"
        )
    return False


def columns_of(batch: Any) -> Any:
    """The dict of a batch `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`."""
    x = batch[0] if isinstance(batch, (list, tuple)) and batch else batch
    if not hasattr(x, "keys"):
        raise TypeError(
            "FeatureSpace.adapt(): batches must be dicts of columns, or tuples that begin with "
            f"one. Received: {short(x)} (of type {type(x).__name__})"
        )
    return x


def column_of(dataset: Any, name: str) -> Any:
    """A column of a table, `(rows, 1)`; of other data the column of each batch."""
    return upright(_column(dataset, name)) if is_table(dataset) else _batches(dataset, name)


def _column(table: Any, name: str) -> Any:
    if name not in table:
        raise ValueError(
            f"the data have no such column. There are: {short(list(table.keys()))}."
            f"{nearest(name, map(str, table.keys()))}"
        )
    return table[name]


def _batches(dataset: Iterable[Any], name: str) -> Iterator[Any]:
    """The column of each batch; rows that come alone are gathered."""
    rows: list[Any] = []
    for batch in dataset:
        column = _column(columns_of(batch), name)
        if isinstance(column, (list, tuple)) or getattr(column, "shape", ()):
            yield upright(column)
            continue
        value = column.numpy() if hasattr(column, "numpy") else column
        rows.append(value.item() if hasattr(value, "item") else value)
        if len(rows) == 1024:
            yield upright(rows)
            rows = []
    if rows:
        yield upright(rows)


def as_tensor(column: Any, dtype: str) -> Any:
    """A column as a tensor, whole numbers as floats where these are wanted."""
    if not isinstance(column, KerasTensor):
        column = to_tensor(column)
    if dtype == "float32" and dtypes.is_integer(column.dtype):
        column = ops.cast(column, dtype)
    return column


def upright(column: Any) -> Any:
    """A column `(batch,)` as `(batch, 1)`."""
    if not hasattr(column, "shape") or hasattr(column, "iloc"):
        column = to_tensor(column)
    if len(column.shape) < 2:
        return (
            column.reshape((-1, 1)) if hasattr(column, "reshape") else ops.reshape(column, (-1, 1))
        )
    return column
