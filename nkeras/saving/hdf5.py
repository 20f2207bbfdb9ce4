"""HDF5 files: read with nothing trusted, and written.

Of HDF5's features a file of weights needs few: groups, and arrays of numbers inside the file. All
others are refused before anything is read: links to elsewhere, data in other files, virtual data,
unknown filters, and arrays that claim to be larger than what the file holds of them.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import short
from nkeras.saving.stored import StoredGroup, numbers_of, read_into

if TYPE_CHECKING:
    import h5py

_MAX_OBJECTS = 1_000_000
_MAX_DEPTH = 64
_MAX_DIMENSIONS = 32
_MAX_NOTE = 10_000
_MAX_EXPANSION = 100  # of compressed arrays; smaller ones than these bytes may be all zeros
_SMALL = 1 << 26
_LINKS = {1: "SoftLink", 64: "ExternalLink"}
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

    Args:
        where: an open file and the position in it of numbers that lie there as in memory; or an
            HDF5 array, for others.
        shape: tuple of int.
        dtype: of the numbers in memory.
        name: of the file, for messages.

    Attributes:
        shape: tuple of int.
        dtype: name, such as `"float32"`.
        nbytes: size of the numbers in memory.
    """

    def __init__(
        self,
        where: tuple[IO[bytes], int] | h5py.h5d.DatasetID,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        name: str,
    ) -> None:
        self._where = where
        self._dtype = dtype
        self._name = name
        self.shape = shape
        self.dtype = dtype.name
        self.nbytes = math.prod(self.shape) * dtype.itemsize

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read the numbers.

        Raises:
            ValueError: the file has changed since it was opened.
        """
        array = np.empty(self.shape, self._dtype)
        if array.size and isinstance(self._where, tuple):
            file, start = self._where
            file.seek(start)
            read_into(file, array, self._name)
        elif array.size:
            self._read_by_hdf5(self._where, array)
        return array if dtype is None else array.astype(dtype, copy=False)

    def _read_by_hdf5(self, dataset: Any, array: np.ndarray) -> None:
        h5s = _h5py().h5s
        stored = dataset.dtype
        into = array.view(stored) if stored.kind == "V" else array
        try:
            dataset.read(h5s.ALL, h5s.ALL, into)
        except (OSError, RuntimeError, OverflowError) as error:
            raise ValueError(f"{self._name}: an array is damaged: {short(error)}") from None


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
        self._opened: IO[bytes] | None = None
        if isinstance(file, (str, os.PathLike)):
            # Opened once, and not by name again: another file may take its place at any time.
            self._opened = file = open(file, "rb", buffering=0)
        self._raw = file
        self.file_size: int = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._seen: set[int] = set()
        self._arrays: dict[str, StoredArray] = {}
        self._groups: dict[str, dict[str, StoredArray]] = {"": {}}
        try:
            # By a name of the system's (/proc/self/fd/3) HDF5 is faster, but fails when another
            # file takes the place of this one.
            self.file: h5py.File = h5py.File(file, "r")
        except (OSError, RuntimeError, ValueError, OverflowError) as error:
            if self._opened is not None:
                self._opened.close()
            raise ValueError(
                f"{self.name}: it is no HDF5 file, or a damaged one: {error}"
            ) from None
        try:
            self._begins_at_once = self.file.id.get_create_plist().get_userblock() == 0
            self._natives: dict[np.dtype[Any], Any] = {}
            self._visit(h5py.h5g.open(self.file.id, b"/"))
        except (OSError, RuntimeError, KeyError, TypeError, OverflowError) as error:
            self.close()
            raise ValueError(f"{self.name}: the HDF5 file is damaged: {short(error)}") from None
        except BaseException as error:
            self.close()
            if isinstance(error, ValueError) and not str(error).startswith(self.name):
                what = f"{self.name}: the HDF5 file is damaged: {short(error)}"  # h5py's own
                raise ValueError(what) from None
            raise

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; arrays that were not read cannot be read any more."""
        self.file.close()
        if self._opened is not None:
            self._opened.close()

    @property
    def size(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self._arrays.values())

    def pieces(self, size: int) -> Iterator[tuple[int, bytes]]:
        """The bytes of the file as they stand there: places, and so many from each."""
        for start in range(0, self.file_size, size):
            self._raw.seek(start)
            yield start, self._raw.read(size)

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

    def _visit(self, root: h5py.h5g.GroupID) -> None:
        """Look at all links, and open what is no group."""
        h5py = _h5py()
        self._count(h5py.h5o.get_info(root).addr, "")
        links: list[tuple[bytes, int, int]] = []

        def meet(name: bytes, link: Any) -> bool | None:
            # One object stands for all links, and is filled anew for each.
            links.append((name, link.type, link.u))
            return name.count(b"/") > _MAX_DEPTH or len(links) > _MAX_OBJECTS or None

        root.links.visit(meet, info=True)
        for raw, kind, address in links:
            path = raw.decode("utf-8", "surrogateescape")
            if kind != h5py.h5l.TYPE_HARD:
                raise self._refuse(path, f"is a link to elsewhere ({_LINKS.get(kind, kind)})")
            if raw.count(b"/") > _MAX_DEPTH:
                raise self._refuse(path, f"lies below more than {_MAX_DEPTH} groups")
            self._count(address, path)
        # Behind a group comes what is in it.
        for (raw, *_), (behind, *_) in zip(links, [*links[1:], (b"", 0, 0)], strict=True):
            path = raw.decode("utf-8", "surrogateescape")
            if behind.startswith(raw + b"/"):
                self._groups[path] = {}
                continue
            thing = h5py.h5o.open(root, raw)
            if isinstance(thing, h5py.h5d.DatasetID):
                group, _, name = path.rpartition("/")
                self._arrays[path] = self._groups[group][name] = self._checked(thing, path)
            elif isinstance(thing, h5py.h5g.GroupID):
                self._groups[path] = {}
            else:
                raise self._refuse(path, "is neither a group nor an array")

    def _count(self, address: int, path: str) -> None:
        """Every object once: a second name for it may make a circle."""
        if len(self._seen) > _MAX_OBJECTS:
            raise self._refuse(path, f"is one object more than {_MAX_OBJECTS}")
        if address in self._seen:
            raise self._refuse(path, "is stored a second time under another name")
        self._seen.add(address)

    def _checked(self, dataset: h5py.h5d.DatasetID, path: str) -> StoredArray:
        """An array that may be read.

        Raises:
            ValueError: it may not.
        """
        h5s = _h5py().h5s
        start = dataset.get_offset()  # None unless the numbers lie one behind the other, in here
        is_packed = start is None and self._is_packed(dataset, path)
        kind = dataset.get_type()
        stored = kind.dtype
        dtype = self._dtype(dataset, stored, path)
        space = dataset.get_space()
        shape = space.shape
        is_null = space.get_simple_extent_type() == h5s.NULL
        if is_null or shape is None or len(shape) > _MAX_DIMENSIONS:
            raise self._refuse(path, "has no shape of an array")
        claimed = math.prod(shape) * dtype.itemsize
        held = min(dataset.get_storage_size(), self.file_size)
        allowed = max(_SMALL, _MAX_EXPANSION * held) if is_packed else held
        if claimed > allowed:
            raise self._refuse(
                path, f"claims to be {claimed} bytes, of which the file holds {held}"
            )
        if start is not None and start + claimed > self.file_size:
            raise self._refuse(path, f"lies behind the end of the file ({self.file_size} bytes)")
        if start is None or not self._begins_at_once or not self._is_native(kind, stored):
            return StoredArray(dataset, shape, dtype, self.name)
        return StoredArray((self._raw, start), shape, dtype, self.name)

    def _is_packed(self, dataset: h5py.h5d.DatasetID, path: str) -> bool:
        """Whether HDF5 has to unpack the numbers.

        Raises:
            ValueError: they lie elsewhere, or it must not.
        """
        properties = dataset.get_create_plist()
        if properties.get_external_count():
            raise self._refuse(path, "has its numbers in another file")
        if properties.get_layout() == _h5py().h5d.VIRTUAL:
            raise self._refuse(path, "is a virtual array")
        filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
        unknown = [code for code in filters if code not in _FILTERS]
        if unknown:
            known = ", ".join(_FILTERS.values())
            raise self._refuse(path, f"is packed by the HDF5 filter {unknown[0]}, not by {known}")
        return bool(filters)

    def _is_native(self, kind: h5py.h5t.TypeID, stored: np.dtype[Any]) -> bool:
        """Whether numbers lie in the file as in memory."""
        if stored.kind == "V":
            return sys.byteorder == "little"
        native = self._natives.get(stored)
        if native is None:
            native = _h5py().h5t.py_create(stored.newbyteorder("="))
            self._natives[stored] = native
        return kind.equal(native)  # HDF5 has also floats of other forms, which it converts

    def _dtype(
        self, dataset: h5py.h5d.DatasetID, stored: np.dtype[Any], path: str
    ) -> np.dtype[Any]:
        if stored.kind == "V" and stored.itemsize == 2 and stored.names is None:
            # Keras stores bfloat16 as two bytes, with this note.
            if _h5py().Dataset(dataset).attrs.get("dtype") == "bfloat16":
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
        h5py = _h5py()
        # By the system's own name HDF5 would be faster; on a full disk it takes the process along.
        self.file: h5py.File = h5py.File(file, "w")
        self.text = h5py.h5t.py_create(h5py.string_dtype(), logical=True)
        self.noted: set[tuple[str, str]] = set()
        self._kinds: dict[np.dtype[Any], h5py.h5t.TypeID] = {}
        self._spaces: dict[tuple[int, ...], h5py.h5s.SpaceID] = {}
        self._groups: dict[str, h5py.h5g.GroupID] = {}
        self._made: set[str] = set()  # with those that are only on the way to others
        self._with_parents = h5py.h5p.create(h5py.h5p.LINK_CREATE)
        self._with_parents.set_create_intermediate_group(True)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        for made in (self._groups, self._kinds, self._spaces):
            made.clear()
        self.file.close()

    def weights_of(self, path: str, name: str | None = None) -> MutableMapping[str, Any]:
        """Where the arrays of the object at a path are put.

        Args:
            path: of the object, without `vars`.
            name: the name of the object, which is noted.
        """
        group = _NewGroup(self, f"{path}/vars" if path else "vars")
        if name is not None:
            group.note("name", name)
        return group

    def kind(self, dtype: np.dtype[Any]) -> h5py.h5t.TypeID:
        """How HDF5 describes a dtype."""
        found = self._kinds.get(dtype)
        if found is None:
            found = _h5py().h5t.py_create(dtype, logical=True)
            self._kinds[dtype] = found
        return found

    def space(self, shape: tuple[int, ...]) -> h5py.h5s.SpaceID:
        """How HDF5 describes a shape."""
        found = self._spaces.get(shape)
        if found is None:
            h5s = _h5py().h5s
            found = h5s.create_simple(shape) if shape else h5s.create(h5s.SCALAR)
            self._spaces[shape] = found
        return found

    def group(self, path: str) -> h5py.h5g.GroupID:
        """The group of a path, made where there is none."""
        h5g = _h5py().h5g
        found = self._groups.get(path)
        if found is None:
            raw = path.encode("utf-8", "surrogateescape")
            if path in self._made:
                found = h5g.open(self.file.id, raw)
            else:
                found = h5g.create(self.file.id, raw, lcpl=self._with_parents)
            self._groups[path] = found
            while path and path not in self._made:
                self._made.add(path)
                path = path.rpartition("/")[0]
        return found


class _NewGroup(MutableMapping[str, Any]):
    """The arrays of one object. HDF5 is called directly, which `h5py.Group` takes long to do."""

    def __init__(self, writer: Writer, path: str) -> None:
        self._writer = writer
        self._path = path

    def note(self, name: str, text: str) -> None:
        h5py = _h5py()
        stored = self._writer.text
        group = self._writer.group(self._path)
        if (self._path, name) in self._writer.noted:
            h5py.h5a.delete(group, name.encode())
        self._writer.noted.add((self._path, name))
        attribute = h5py.h5a.create(group, name.encode(), stored, self._writer.space(()))
        attribute.write(np.array(text, h5py.string_dtype()))

    def __setitem__(self, key: str, value: object) -> None:
        h5py = _h5py()
        array = numbers_of(value)
        array = array if array.flags.c_contiguous else array.copy()
        space, kind = self._writer.space(array.shape), self._writer.kind(array.dtype)
        dataset = h5py.h5d.create(self._writer.group(self._path), key.encode(), kind, space)
        if array.size:
            dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, array)
        if array.dtype.name == "bfloat16":
            h5py.Dataset(dataset).attrs["dtype"] = "bfloat16"

    def __getitem__(self, key: str) -> np.ndarray:
        return np.asarray(self._group()[key])

    def __delitem__(self, key: str) -> None:
        del self._group()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._group()))

    def __len__(self) -> int:
        return len(self._group())

    def _group(self) -> Any:
        return _h5py().Group(self._writer.group(self._path))
