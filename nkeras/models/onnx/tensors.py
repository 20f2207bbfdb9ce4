"""Arrays of an ONNX file: shapes are compared with bytes before an array is made."""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import cut_text, short

DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    16: "bfloat16",
}
"""Names of the dtypes that ONNX numbers."""

_FIELDS = {
    "float32": "float_data",
    "float64": "double_data",
    "int64": "int64_data",
    "uint32": "uint64_data",
    "uint64": "uint64_data",
}  # the others are in int32_data
_MOST_AXES = 32


def text(value: str | bytes) -> str:
    """A text of a file; protobuf gives bytes where it is no UTF-8."""
    return value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")


def dtype_of(number: int, what: str) -> str:
    """The name of a dtype of ONNX.

    Raises:
        ValueError: nkeras has no such dtype.
    """
    name = DTYPES.get(number)
    if name is None:
        raise ValueError(
            f"from_onnx: {what} has the dtype number {short(number)} of ONNX; nkeras reads "
            f"{', '.join(DTYPES.values())}."
        )
    dtypes.to_numpy(dtypes.standardize(name))  # bfloat16 is not there on each machine
    return name


class ExternalFiles:
    """Weights that lie in files beside the model, in its own folder.

    Args:
        folder: the folder of the model; None where there is none.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._regions: dict[str, list[tuple[int, int, bytes]]] = {}

    def read(self, entries: dict[str, str], expected: int, name: str) -> bytes:
        """The bytes of one tensor.

        Args:
            entries: `location`, and perhaps `offset` and `length`, as the file gives them.
            expected: how many bytes the shape needs.
            name: the tensor's name, for errors.

        Raises:
            ValueError: the place is outside of the folder or of its file, or of another length.
        """
        what = f"the external data of tensor {short(name, 60)}"
        location = entries.get("location", "")
        path = self._path(location, what)
        offset = _number(entries.get("offset", "0"), "offset", what)
        length = _number(entries.get("length", str(expected)), "length", what)
        if length != expected:
            raise ValueError(
                f"from_onnx: {what} has {length:,} bytes, its shape needs {expected:,}."
            )
        known = self._regions.setdefault(location, [])
        for start, size, data in known:
            if (start, size) == (offset, length):
                return data
            if length and size and start < offset + length and offset < start + size:
                raise ValueError(
                    f"from_onnx: {what} overlaps with that of another tensor in "
                    f"{short(location, 60)}."
                )
        data = _read_region(path, offset, length, what)
        known.append((offset, length, data))
        return data

    def _path(self, location: str, what: str) -> Path:
        parts = PurePosixPath(location).parts
        if self.folder is None:
            raise ValueError(f"from_onnx: {what} lies in another file, but no folder is known.")
        if (
            not parts
            or location.startswith("/")
            or PureWindowsPath(location).is_absolute()
            or any(part == ".." or "\\" in part or ":" in part or "\0" in part for part in parts)
        ):
            raise ValueError(
                f"from_onnx: {what} must lie in the folder of the model, at a relative path "
                f"without '..'. The file says {short(location, 60)}."
            )
        path = self.folder
        for part in parts:
            path = path / part
            if path.is_symlink():
                raise ValueError(
                    f"from_onnx: {what} lies behind the symbolic link {short(location, 60)}, which "
                    "is not followed."
                )
        return path


def _number(text: str, key: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError(f"from_onnx: {what} has the {key} {short(text, 40)}, which is no number.")
    return int(text)


def _read_region(path: Path, offset: int, length: int, what: str) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    flags |= getattr(os, "O_NONBLOCK", 0)  # a pipe must not wait for a writer
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise ValueError(
            f"from_onnx: {what} cannot be read from {cut_text(str(path))}: {error.strerror}."
        ) from None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"from_onnx: {what}: {cut_text(str(path))} is no ordinary file.")
        if offset + length > found.st_size:
            raise ValueError(
                f"from_onnx: {what} ends at byte {offset + length:,}, but {cut_text(str(path))} "
                f"has {found.st_size:,} bytes."
            )
        file.seek(offset)
        data = file.read(length)
    if len(data) != length:
        raise ValueError(f"from_onnx: {what}: {cut_text(str(path))} changed while it was read.")
    return data


def array_of(tensor: Any, external: ExternalFiles, name: str) -> np.ndarray:
    """The array of a TensorProto.

    Args:
        tensor: the message.
        external: the files beside the model.
        name: for errors.

    Raises:
        ValueError: the shape does not fit the stored bytes, or the dtype is unknown.
    """
    what = f"tensor {short(name, 60)}"
    dtype = dtype_of(tensor.data_type, what)
    shape = tuple(tensor.dims)
    if len(shape) > _MOST_AXES or any(size < 0 for size in shape):
        raise ValueError(f"from_onnx: {what} has the impossible shape {short(shape)}.")
    count = math.prod(shape)
    numpy_dtype = dtypes.to_numpy(dtype)
    if tensor.data_location == 1:
        entries = {text(entry.key): text(entry.value) for entry in tensor.external_data}
        raw = external.read(entries, count * numpy_dtype.itemsize, name)
    elif tensor.HasField("raw_data"):
        raw = tensor.raw_data
    else:
        return _from_numbers(tensor, dtype, shape, what)
    if len(raw) != count * numpy_dtype.itemsize:
        raise ValueError(
            f"from_onnx: {what} of shape {short(shape)} and dtype {dtype} needs "
            f"{count * numpy_dtype.itemsize:,} bytes, the file has {len(raw):,}."
        )
    little = numpy_dtype if dtype == "bfloat16" else numpy_dtype.newbyteorder("<")
    array = np.frombuffer(raw, little).reshape(shape)
    return array.astype(numpy_dtype, copy=False)


def _from_numbers(tensor: Any, dtype: str, shape: tuple[int, ...], what: str) -> np.ndarray:
    """From the fields of numbers that older files have instead of bytes."""
    field = _FIELDS.get(dtype, "int32_data")
    numbers = getattr(tensor, field)
    count = math.prod(shape)
    if len(numbers) != count:
        raise ValueError(
            f"from_onnx: {what} of shape {short(shape)} and dtype {dtype} needs {count:,} numbers, "
            f"the file has {len(numbers):,} in {field}."
        )
    if dtype in dtypes.HALVES:
        bits = np.array(numbers, np.int64).astype(np.uint16)
        return bits.view(dtypes.to_numpy(dtype)).reshape(shape)
    wide = {"float_data": np.float32, "double_data": np.float64, "uint64_data": np.uint64}
    array = np.array(numbers, wide.get(field, np.int64))
    return array.astype(dtypes.to_numpy(dtype)).reshape(shape)
