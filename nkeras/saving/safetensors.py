"""The format safetensors: a header in JSON that says where each array lies, then the numbers.

It is read and written here, not by the package of that name: the header is small, all of it is
checked before an array is made, and the numbers go straight into the array that becomes a weight.

Source: https://huggingface.co/docs/safetensors/index#format
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Collection, Mapping
from typing import IO, Any, NamedTuple

import numpy as np

from nkeras.core import config, dtypes
from nkeras.core.errors import short
from nkeras.saving.configuration import decoded
from nkeras.saving.stored import Stored, read_into

_METADATA = "__metadata__"
_PLACES = "nkeras.places"
_MAX_HEADER = 1 << 24
_MAX_DIMENSIONS = 32
_ALIGNED = 8
_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "F16": "float16",
    "BF16": "bfloat16",
    "U32": "uint32",
    "I32": "int32",
    "F32": "float32",
    "U64": "uint64",
    "I64": "int64",
    "F64": "float64",
    "C64": "complex64",
}
_CODES = {name: code for code, name in _DTYPES.items()}


class StoredTensor:
    """An array in a file: see `nkeras.saving.stored.Stored`."""

    def __init__(
        self, file: IO[bytes], name: str, dtype: str, shape: tuple[int, ...], start: int
    ) -> None:
        self._file = file
        self._name = name
        self._start = start
        self.shape = shape
        self.dtype = dtype
        self.nbytes = math.prod(shape) * dtypes.to_numpy(dtype).itemsize

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read the numbers."""
        kind = dtypes.to_numpy("uint8" if self.dtype == "bool" else self.dtype)
        array = np.empty(self.shape, kind)
        self._file.seek(self._start)
        read_into(self._file, array, self._name)
        if self.dtype == "bool":
            array = np.asarray(array != 0)  # any byte may be there
        elif sys.byteorder == "big":
            array.byteswap(inplace=True)
        return array if dtype is None else array.astype(dtype, copy=False)


class Reader:
    """The arrays of a file. The whole header is checked when it is opened.

    Args:
        file: file opened for reading bytes.
        name: of the file, for messages.

    Attributes:
        tensors: the arrays by name.
        metadata: texts by name.

    Raises:
        ValueError: the header is damaged, or does not fit the file.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.name = name
        self._file = file
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if size < 10 or not 2 <= length <= size - 8:
            raise ValueError(
                f"{name}: it is no file of safetensors, or a damaged one: the header claims "
                f"{length} bytes, the file has {size}."
            )
        if length > _MAX_HEADER:
            raise ValueError(f"{name}: the header has {length} bytes, over {_MAX_HEADER}.")
        header = self._parsed(file.read(length))
        self.metadata = self._checked_metadata(header.pop(_METADATA, {}))
        self.tensors: dict[str, StoredTensor] = {}
        self._place(header, 8 + length, size)

    def _parsed(self, text: bytes) -> dict[str, Any]:
        def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            found = dict(pairs)
            if len(found) < len(pairs):
                raise ValueError("a name is there twice")
            return found

        try:
            header = decoded(text, object_pairs_hook=each_once)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{self.name}: the header is damaged: {short(error)}") from None
        if not isinstance(header, dict):
            raise ValueError(f"{self.name}: the header names no tensors: {short(header)}")
        return header

    def _checked_metadata(self, given: object) -> dict[str, str]:
        if isinstance(given, dict) and all(isinstance(value, str) for value in given.values()):
            return given
        raise ValueError(f"{self.name}: the metadata are not texts: {short(given)}")

    def _place(self, header: dict[str, Any], start: int, size: int) -> None:
        """Check that the arrays lie one behind the other, and fill the file."""
        entries = sorted(
            ((name, self._entry(name, value)) for name, value in header.items()),
            key=lambda item: (item[1].begin, item[1].end),
        )
        position = 0
        for name, entry in entries:
            if entry.begin != position:
                what = "overlaps with another one" if entry.begin < position else "follows a hole"
                raise self._refuse(name, what)
            position = entry.end
            if start + position > size:
                raise self._refuse(name, f"lies behind the end of the file ({size} bytes)")
            self.tensors[name] = StoredTensor(
                self._file, self.name, entry.dtype, entry.shape, start + entry.begin
            )
        if start + position != size:
            raise ValueError(
                f"{self.name}: {size - start - position} bytes at the end belong to no tensor."
            )

    def _entry(self, name: str, value: Any) -> _Entry:
        if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
            raise self._refuse(name, f"has no dtype, shape and offsets: {short(value)}")
        shape, offsets, code = value["shape"], value["data_offsets"], value["dtype"]
        if not _are_sizes(shape) or len(shape) > _MAX_DIMENSIONS:
            raise self._refuse(name, f"has no shape of an array: {short(shape)}")
        if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
            raise self._refuse(name, f"has no place in the file: {short(offsets)}")
        if not isinstance(code, str) or code not in _DTYPES:
            raise self._refuse(name, f"has the dtype {short(code)}; known are {', '.join(_DTYPES)}")
        dtype = _DTYPES[code]
        config.require(dtype)
        needed = math.prod(shape) * dtypes.to_numpy(dtype).itemsize
        if needed != offsets[1] - offsets[0]:
            raise self._refuse(
                name, f"needs {needed} bytes and has {offsets[1] - offsets[0]} in the file"
            )
        return _Entry(dtype, tuple(shape), offsets[0], offsets[1])

    def _refuse(self, name: str, what: str) -> ValueError:
        return ValueError(f"{self.name}: the tensor {short(name)} {what}.")

    def places(self) -> dict[str, str]:
        """The names of tensors by their place in the model, as nkeras notes it.

        Raises:
            ValueError: the notes are damaged.
        """
        text = self.metadata.get(_PLACES, "{}")
        try:
            noted = decoded(text)
        except (ValueError, RecursionError):
            noted = None
        if not isinstance(noted, dict) or not all(isinstance(p, str) for p in noted.values()):
            raise ValueError(f"{self.name}: the metadata {_PLACES} are damaged: {short(text)}")
        return {place: name for name, place in noted.items() if name in self.tensors}


class _Entry(NamedTuple):
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def _are_sizes(given: object) -> bool:
    return isinstance(given, list) and all(type(n) is int and 0 <= n < 2**63 for n in given)


class Layout:
    """Where the arrays of a new file lie: large numbers first, so that all are aligned.

    Args:
        arrays: dtype and shape of each array, by name.
        places: the place in the model by name, to be noted; of those that have one.

    Raises:
        ValueError: the format has no such dtype.
    """

    def __init__(
        self, arrays: Mapping[str, tuple[str, tuple[int, ...]]], places: Mapping[str, str]
    ) -> None:
        header: dict[str, Any] = {_METADATA: {"format": "nkeras"}}
        if places:
            header[_METADATA][_PLACES] = json.dumps(dict(sorted(places.items())))
        sizes = {name: dtypes.to_numpy(dtype).itemsize for name, (dtype, _) in arrays.items()}
        position = 0
        self._begins: dict[str, int] = {}
        for name in sorted(arrays, key=lambda name: (-sizes[name], name)):
            dtype, shape = arrays[name]
            if dtype not in _CODES:
                raise ValueError(
                    f"safetensors has no dtype {dtype}, which {short(name)} has. Save the weights "
                    "as `.weights.h5`."
                )
            end = position + math.prod(shape) * sizes[name]
            self._begins[name] = position
            header[name] = {
                "dtype": _CODES[dtype],
                "shape": list(shape),
                "data_offsets": [position, end],
            }
            position = end
        text = json.dumps(header, separators=(",", ":")).encode()
        if len(text) >= _MAX_HEADER:
            raise ValueError(
                f"safetensors: a header of {len(text)} bytes would be over {_MAX_HEADER}, with "
                f"{len(arrays)} tensors. Save the weights as `.weights.h5`."
            )
        self._header = text + b" " * (-len(text) % _ALIGNED)

    def begin(self, file: IO[bytes]) -> None:
        """Write the header."""
        file.write(len(self._header).to_bytes(8, "little") + self._header)

    def write(self, file: IO[bytes], name: str, array: Stored | np.ndarray) -> None:
        """Write an array at its place."""
        numbers = np.ascontiguousarray(array)
        file.seek(8 + len(self._header) + self._begins[name])
        little = numbers if sys.byteorder == "little" else numbers.byteswap()
        file.write(little.reshape(-1).view(np.uint8).data)


def write(file: IO[bytes], arrays: Mapping[str, Stored], places: Mapping[str, str]) -> None:
    """Write arrays as a file.

    Args:
        file: file opened for writing bytes.
        arrays: arrays by name.
        places: see `Layout`.
    """
    layout = Layout({name: (array.dtype, array.shape) for name, array in arrays.items()}, places)
    layout.begin(file)
    for name, array in arrays.items():
        layout.write(file, name, array)


def unique(names: Collection[str]) -> list[str]:
    """The names in their order; one that is there again gets `_1`, `_2`, ... at its end."""
    taken: set[str] = set(names)
    seen: set[str] = set()
    found: list[str] = []
    for name in names:
        number, candidate = 0, name
        while candidate in seen or (number and candidate in taken):
            number += 1
            candidate = f"{name}_{number}"
        seen.add(candidate)
        found.append(candidate)
    return found
