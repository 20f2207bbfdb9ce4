"""HDF5 files: read with nothing trusted, and written.

Of HDF5's features a file of weights needs few: groups, and arrays of numbers inside the file. All
others are refused before anything is read: links to elsewhere, data in other files, virtual data,
unknown filters, and arrays that claim to be larger than what the file holds of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import short
from nkeras.saving.stored import StoredGroup

if TYPE_CHECKING:
    import h5py

_MAX_OBJECTS = 1_000_000
_MAX_DEPTH = 64
_MAX_DIMENSIONS = 32
_MAX_NOTE = 10_000
_MAX_EXPANSION = 100  # of compressed arrays; smaller ones than these bytes may be all zeros
_SMALL = 1 << 26
_FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "Files of HDF5 need the package h5py: pip install h5py. Weights can be saved without "
            "it as `model.save_weights('w.safetensors')`."
        ) from error
    return h5py


class StoredArray:
    """An array in a file. Its shape and dtype are known; the numbers are read when asked for.

    Attributes:
        shape: tuple of int.
        dtype: name, such as `"float32"`.
        nbytes: size of the numbers in memory.
    """

    def __init__(self, dataset: h5py.Dataset, dtype: np.dtype[Any]) -> None:
        self._dataset = dataset
        self._dtype = dtype
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype = dtype.name
        self.nbytes = int(np.prod(self.shape, dtype=np.float64)) * dtype.itemsize

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read the numbers."""
        stored = self._dataset.dtype
        is_opaque = stored.kind == "V"
        array = np.empty(self.shape, stored if is_opaque else self._dtype)
        if array.size:
            self._dataset.read_direct(array)
        if is_opaque:
            array = array.view(self._dtype)
        return array if dtype is None else array.astype(dtype, copy=False)


class Reader:
    """The arrays of an HDF5 file. All its objects are checked when it is opened.

    Args:
        file: path, or a file opened for reading bytes.
        name: of the file, for messages.

    Attributes:
        file_size: bytes of the file.

    Raises:
        ValueError: the file is damaged, or has what a file of weights must not have.
        OSError: it cannot be read.
    """

    def __init__(self, file: str | os.PathLike[str] | IO[bytes], name: str = "") -> None:
        h5py = _h5py()
        self.name = name or str(file)
        if isinstance(file, (str, os.PathLike)):
            self.file_size: int = os.stat(file).st_size  # raises FileNotFoundError with the name
        else:
            self.file_size = file.seek(0, os.SEEK_END)
            file.seek(0)
        self._seen: set[int] = set()
        self._arrays: dict[str, StoredArray] = {}
        self._groups: dict[str, dict[str, StoredArray]] = {"": {}}
        try:
            self.file: h5py.File = h5py.File(file, "r")
        except (OSError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"{self.name}: it is no HDF5 file, or a damaged one: {error}"
            ) from None
        try:
            self._visit(self.file, "", 0)
        except (OSError, RuntimeError, KeyError, TypeError, OverflowError) as error:
            self.close()
            raise ValueError(f"{self.name}: the HDF5 file is damaged: {short(error)}") from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; arrays that were not read cannot be read any more."""
        self.file.close()

    @property
    def size(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self._arrays.values())

    def groups(self) -> Mapping[str, Mapping[str, StoredArray]]:
        """All groups by path, the root as `""`: their arrays by name."""
        return self._groups

    def arrays(self) -> Mapping[str, StoredArray]:
        """All arrays by path."""
        return self._arrays

    def __contains__(self, path: str) -> bool:
        return path in self._groups

    def note(self, path: str, name: str, largest: int = _MAX_NOTE) -> str | None:
        """A text that is noted at a group, such as the name of a layer; None for none.

        Args:
            path: of the group.
            name: of the note.
            largest: how long it may be; a longer one is none.

        Raises:
            ValueError: the file is damaged there.
        """
        try:
            notes = self.file[path or "/"].attrs
            if name not in notes or notes.get_id(name).get_storage_size() > largest:
                return None
            value = notes[name]
        except (OSError, RuntimeError, KeyError, TypeError, UnicodeError) as error:
            raise self._refuse(path, f"has damaged notes ({short(error)})") from None
        return value if isinstance(value, str) and len(value) <= largest else None

    def weights_of(self, path: str) -> StoredGroup:
        """What is stored of the object at a path: an empty group where there is nothing."""
        return StoredGroup(self._groups.get(f"{path}/vars" if path else "vars", {}))

    def _refuse(self, path: str, what: str) -> ValueError:
        return ValueError(f"{self.name}: {short(path or '/')} {what}.")

    def _visit(self, group: h5py.Group, path: str, depth: int) -> None:
        h5py = _h5py()
        if depth > _MAX_DEPTH:
            raise self._refuse(path, f"lies below more than {_MAX_DEPTH} groups")
        self._count(group, path)
        for name in group:
            inner = f"{path}/{name}" if path else name
            if len(self._seen) > _MAX_OBJECTS:
                raise self._refuse(inner, f"is one object more than {_MAX_OBJECTS}")
            link = group.get(name, getlink=True)
            if type(link) is not h5py.HardLink:
                raise self._refuse(inner, f"is a link to elsewhere ({type(link).__name__})")
            thing = group[name]
            if isinstance(thing, h5py.Group):
                self._groups[inner] = {}
                self._visit(thing, inner, depth + 1)
            elif isinstance(thing, h5py.Dataset):
                self._count(thing, inner)
                array = StoredArray(thing, self._checked(thing, inner))
                self._arrays[inner] = self._groups[path][name] = array
            else:
                raise self._refuse(inner, "is neither a group nor an array")

    def _count(self, thing: h5py.Group | h5py.Dataset, path: str) -> None:
        """Every object once: a second name for it may make a circle."""
        h5py = _h5py()
        address = h5py.h5o.get_info(thing.id).addr
        if address in self._seen:
            raise self._refuse(path, "is stored a second time under another name")
        self._seen.add(address)

    def _checked(self, dataset: h5py.Dataset, path: str) -> np.dtype[Any]:
        """The dtype of an array that may be read.

        Raises:
            ValueError: it may not.
        """
        properties = dataset.id.get_create_plist()
        if dataset.external or properties.get_external_count():
            raise self._refuse(path, "has its numbers in another file")
        if dataset.is_virtual:
            raise self._refuse(path, "is a virtual array")
        filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
        unknown = [code for code in filters if code not in _FILTERS]
        if unknown:
            known = ", ".join(_FILTERS.values())
            raise self._refuse(path, f"is packed by the HDF5 filter {unknown[0]}, not by {known}")
        dtype = self._dtype(dataset, path)
        if dataset.shape is None or len(dataset.shape) > _MAX_DIMENSIONS:
            raise self._refuse(path, "has no shape of an array")
        claimed = float(np.prod(dataset.shape, dtype=np.float64)) * dtype.itemsize
        held = min(dataset.id.get_storage_size(), self.file_size)
        allowed = max(_SMALL, _MAX_EXPANSION * held) if filters else held
        if claimed > allowed:
            raise self._refuse(
                path, f"claims to be {claimed:.0f} bytes, of which the file holds {held}"
            )
        return dtype

    def _dtype(self, dataset: h5py.Dataset, path: str) -> np.dtype[Any]:
        stored = dataset.dtype
        if stored.kind == "V" and stored.itemsize == 2 and stored.names is None:
            # Keras stores bfloat16 as two bytes, with this note.
            if dataset.attrs.get("dtype") == "bfloat16":
                return dtypes.to_numpy("bfloat16")
        if stored.kind in "fiubc" and stored.itemsize <= 16 and stored.names is None:
            native = stored.newbyteorder("=")
            return np.dtype(native.str)  # without notes of HDF5's own
        raise self._refuse(path, f"has the dtype {short(stored)}, not one of numbers")


class Writer:
    """A new HDF5 file of weights, as Keras writes it.

    Args:
        file: a file opened for reading and writing bytes.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file: h5py.File = _h5py().File(file, "w")

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def weights_of(self, path: str, name: str | None = None) -> MutableMapping[str, Any]:
        """Where the arrays of the object at a path are put.

        Args:
            path: of the object, without `vars`.
            name: the name of the object, which is noted.
        """
        return _NewGroup(self.file, f"{path}/vars" if path else "vars", name)


class _NewGroup(MutableMapping[str, Any]):
    def __init__(self, file: h5py.File, path: str, name: str | None) -> None:
        self._file = file
        self._path = path
        if name is not None:
            file.require_group(path).attrs["name"] = name

    def __setitem__(self, key: str, value: object) -> None:
        array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)  # type: ignore[attr-defined]
        dataset = self._group().create_dataset(key, data=array)
        if array.dtype.name == "bfloat16":
            dataset.attrs["dtype"] = "bfloat16"

    def __getitem__(self, key: str) -> np.ndarray:
        return np.asarray(self._group()[key])

    def __delitem__(self, key: str) -> None:
        del self._group()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._group()))

    def __len__(self) -> int:
        return len(self._group())

    def _group(self) -> Any:
        return self._file.require_group(self._path)
