"""Texts in attributes of HDF5, where `.h5` files of Keras keep names and configurations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np

from nkeras.core.errors import short
from nkeras.saving.hdf5 import Reader

_MAX_TEXTS = 1_000_000
_MUCH = 1 << 28  # bytes of the texts of an attribute
# Beside the names of a model's layers lies its configuration, one text of 1 MB where there are 800
# layers. So a large file may have more.
_PER_BYTE, _MOST = 64, 1 << 31
_HEAP = b"GCOL"  # how a heap begins in the file; its size follows
_HEADER_OF_HEAP = 16
_PIECE = 1 << 24
_MAX_HEAPS = 100_000
_HEADER = 64512  # bytes of an attribute that the header of an HDF5 group has room for


def read_text(reader: Reader, path: str, name: str) -> str | None:
    """An attribute that is one text; None where there is none.

    Args:
        reader: an open file.
        path: of the group, empty for the root.
        name: of the attribute.

    Raises:
        ValueError: it is something else than a text, or damaged.
    """
    found = _read(reader, path, name)
    if found is None:
        return None
    if len(found) != 1:
        raise _refused(reader, path, name, f"is {len(found)} texts, not one")
    return found[0]


def read_texts(reader: Reader, path: str, name: str) -> list[str]:
    """An attribute that is a list of texts, or several with numbers behind the name.

    The header of a group has 64 kB, so Keras cuts longer lists into `name0`, `name1`, ...

    Args:
        reader: an open file.
        path: of the group, empty for the root.
        name: of the attribute.

    Returns:
        The texts; none where there is no such attribute.

    Raises:
        ValueError: it is something else than texts, or damaged.
    """
    found = _read(reader, path, name)
    if found is not None:
        return found
    texts: list[str] = []
    for number in count():
        more = _read(reader, path, f"{name}{number}")
        if more is None:
            break
        texts += more
    return texts


def write_texts(group: Any, name: str, texts: Sequence[str]) -> None:
    """Write a list of texts as attribute, or as several where the header is too small for one.

    Args:
        group: of h5py.
        name: of the attribute.
        texts: what to write.
    """
    encoded = [text.encode() for text in texts]
    whole = np.array(encoded, dtype=None if encoded else "S1")
    if whole.nbytes <= _HEADER:
        group.attrs[name] = whole
        return
    in_each = max(1, _HEADER // whole.dtype.itemsize)
    for number, start in enumerate(range(0, len(whole), in_each)):
        group.attrs[f"{name}{number}"] = whole[start : start + in_each]


def _refused(reader: Reader, path: str, name: str, what: str) -> ValueError:
    return ValueError(f"{reader.name}: the attribute {short(name)} of {short(path or '/')} {what}.")


def _read(reader: Reader, path: str, name: str) -> list[str] | None:
    """The texts of an attribute: their number and bytes are looked at before they are read."""
    import h5py

    try:
        attributes = (reader.file[path] if path else reader.file).attrs
        if name not in attributes:
            return None
        stored = attributes.get_id(name)
        shape = stored.shape
        if shape is None or len(shape) > 1 or np.prod(shape, dtype=float) > _MAX_TEXTS:
            raise _refused(reader, path, name, f"has the shape {short(shape)}, not that of texts")
        if 0 in shape:
            return []
        if stored.get_storage_size() > reader.file_size:
            raise _refused(reader, path, name, "claims to be larger than the file")
        if h5py.check_string_dtype(stored.dtype) is None:
            raise _refused(reader, path, name, f"has the dtype {short(stored.dtype)}, not text")
        number = int(np.prod(shape))
        if number > 1 and number * reader.file_size > _MUCH:
            most = max(_MUCH, min(_MOST, _PER_BYTE * reader.file_size))
            if stored.dtype.kind == "O" and number * _largest_heap(reader) > most:
                raise _refused(reader, path, name, f"claims {number} large texts")
        values = np.empty(shape, stored.dtype)
        stored.read(values)
        return [_decoded(value) for value in values.ravel().tolist()]
    except (OSError, RuntimeError, KeyError, TypeError, UnicodeError, MemoryError) as error:
        raise _refused(reader, path, name, f"is damaged ({short(error)})") from None


def _largest_heap(reader: Reader) -> int:
    """Bytes of the largest heap of texts in a file: none of them can be longer.

    Many elements of an attribute may point to one text, so that the size of the file says little
    of what they need in memory.
    """
    largest = found = 0
    before = b""
    for start, data in reader.pieces(_PIECE):
        whole, place = before + data, -1
        while (place := whole.find(_HEAP, place + 1)) >= 0:
            header = whole[place : place + _HEADER_OF_HEAP]
            if len(header) < _HEADER_OF_HEAP:
                break  # found again with the next piece
            size = int.from_bytes(header[8:], "little")
            place_in_file = start - len(before) + place
            largest = max(largest, size if place_in_file + size <= reader.file_size else 0)
            found += 1
            if found > _MAX_HEAPS:
                raise ValueError(f"{reader.name}: the HDF5 file has over {_MAX_HEAPS} heaps.")
        before = whole[1 - _HEADER_OF_HEAP :]
    return largest


def _decoded(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
