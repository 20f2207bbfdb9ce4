"""Arrays of what other libraries have: tensors, tables and their columns, without copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nkeras.core.errors import cut_text, short

_ON_THE_HOST = (1, 3, 11, 13)  # device types of dlpack: main memory, also pinned or managed


def host_array(value: Any, argument: str) -> np.ndarray:
    """A NumPy array of anything that can be one; it shares its memory where that is possible.

    Args:
        value: array, tensor of torch, TensorFlow or JAX, table or column of pandas or pyarrow,
            column of Hugging Face's datasets, number or list of numbers.
        argument: its name, for errors.

    Raises:
        ValueError: it lies on another device, has missing values, or columns that are no numbers.

    Example:
        >>> host_array([1.0, 2.0], "x")
        array([1., 2.])
    """
    if is_column(value):
        value = value[:]
    if hasattr(value, "__dlpack_device__") and not isinstance(value, np.ndarray):
        array = _by_dlpack(value, argument)
        if array is not None:
            return array
    size = _list_size(value)
    if size is not None:
        flat: Any = value
        if hasattr(flat, "combine_chunks"):
            flat = flat.combine_chunks()
        _refuse_missing(value, argument)
        return host_array(flat.flatten(), argument).reshape(-1, size)
    _refuse_missing(value, argument)
    try:
        array = np.asarray(value)
    except (TypeError, RuntimeError) as error:
        raise ValueError(
            f"Argument `{argument}`: NumPy can make no array of a {type(value).__name__}: "
            f"{cut_text(str(error), 150)}"
        ) from error
    if array.dtype.kind in "OmM" and (wrong := _wrong_columns(value)):
        raise ValueError(
            f"Argument `{argument}` is a {type(value).__name__} with columns that hold, or may "
            f"hold, what is no number: {wrong}. Give the others alone, or a dict of columns: "
            "{name: table[name] ...}."
        )
    return array


def is_column(value: Any) -> bool:
    """Whether it is a sequence of rows, and no list: a column of Hugging Face's datasets."""
    plain = (str, bytes, list, tuple)
    if not isinstance(value, Sequence) or isinstance(value, plain) or not value:
        return False
    return not isinstance(value[0], (tuple, Mapping))  # those are batches


def _by_dlpack(value: Any, argument: str) -> np.ndarray | None:
    """The array that shares a tensor's memory, or None where NumPy cannot share it."""
    if type(value).__module__.partition(".")[0] == "tensorflow":
        return None  # NumPy shares its memory otherwise; dlpack of texts would end the process
    if getattr(value, "requires_grad", False):
        value = value.detach()
    try:
        kind = int(value.__dlpack_device__()[0])
    except (TypeError, ValueError, RuntimeError, BufferError, AttributeError):
        return None
    if kind not in _ON_THE_HOST:
        raise ValueError(
            f"Argument `{argument}` is a {type(value).__name__} on the device "
            f"{short(str(getattr(value, 'device', kind)))}. Batches must be in the memory of the "
            "host, such as what `.cpu()` gives."
        )
    try:
        return np.from_dlpack(value)
    except (TypeError, ValueError, RuntimeError, BufferError):  # texts, bfloat16, read-only memory
        return None


def _list_size(column: Any) -> int | None:
    """The length of the lists in a column of pyarrow that has lists of one length."""
    size = getattr(getattr(column, "type", None), "list_size", None)
    return size if isinstance(size, int) else None


def _refuse_missing(value: Any, argument: str) -> None:
    """Refuse columns of pyarrow and polars with missing values: NumPy would make others of them."""
    columns = {"": value}
    if hasattr(value, "column_names") and hasattr(value, "column"):
        columns = {name: value.column(i) for i, name in enumerate(value.column_names)}
    elif hasattr(value, "get_columns"):
        columns = {column.name: column for column in value.get_columns()}
    for name, column in columns.items():
        missing = getattr(column, "null_count", 0)
        missing = missing() if callable(missing) else missing
        if isinstance(missing, int) and missing > 0:
            named = f"column {short(name, 60)} of " if name else ""
            raise ValueError(
                f"Argument `{argument}`: {named}the {type(value).__name__} has {missing} missing "
                "values. Fill them, or leave these rows out."
            )


def _wrong_columns(table: Any) -> str:
    """Names and types of the columns of a table that are no numbers; "" for none."""
    if hasattr(table, "schema") and hasattr(table, "column_names"):
        kinds = {str(field.name): str(field.type) for field in table.schema}
    elif hasattr(table, "columns") and hasattr(table, "dtypes"):
        names = [str(name) for name in table.columns]
        kinds = dict(zip(names, map(str, table.dtypes), strict=True))
    else:
        return ""
    numbers = ("int", "uint", "float", "double", "half", "bool")
    wrong = {name: kind for name, kind in kinds.items() if not kind.lower().startswith(numbers)}
    if not wrong:  # types with missing values begin with a capital
        wrong = {name: kind for name, kind in kinds.items() if not kind.startswith(numbers)}
    shown = [f"{short(name, 40)} ({kind[:20]})" for name, kind in list(wrong.items())[:3]]
    return ", ".join(shown) + (" and others" if len(wrong) > 3 else "")
