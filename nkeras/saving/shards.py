"""Weights in several files of limited size, and one of JSON that says what lies where.

Names and contents are Keras'. A set is never mixed with another one: the JSON file is what makes
it valid, and is written last; the files of the set before stay until then, for a new set takes
numbers that are free. Besides, all files of a set bear one mark, which Keras passes over.

Source: https://keras.io/api/models/model_saving_apis/weights_saving_and_loading/
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from nkeras.core.errors import short
from nkeras.core.files import replacing
from nkeras.saving import configuration, hdf5, weights
from nkeras.saving.stored import StoredGroup, numbers_of

_MARK = "nkeras_save"
_MAX_SHARDS = 4096
_GIGABYTE = 1024**3


def save(model: Any, path: Path, max_shard_size: float, skipped: Collection[object] = ()) -> None:
    """Write the weights of a model into files beside `path`, and `path` last: see `write`.

    Args:
        model: model or layer.
        path: path that ends in `.weights.json`.
        max_shard_size: gigabytes that a file may have.
        skipped: objects to leave out, with what is in them.
    """
    write(path, max_shard_size, lambda target: weights.save(model, target, skipped))


def write(path: Path, max_shard_size: float, fill: Callable[[weights.Target], None]) -> None:
    """Write arrays into files beside `path`, and `path` last.

    Args:
        path: path that ends in `.weights.json`.
        max_shard_size: gigabytes that a file may have.
        fill: function that puts the arrays into what it gets.

    Raises:
        ValueError: an array is larger than that.
        OSError: a file cannot be written; the set of before is as it was.
    """
    largest = _bytes(max_shard_size)
    with _alone_in(path.parent):
        before = _own_shards(path)
        target = _Target(path, largest, before)
        try:
            with target.files:
                fill(target)
            with replacing(path, "w") as file:
                json.dump(target.described(), file, indent=4)
        except BaseException:
            _drop(path, target.names)
            raise
        _drop(path, before - target.names)


def _bytes(gigabytes: object) -> float:
    if isinstance(gigabytes, (int, float, np.number)) and not isinstance(gigabytes, bool):
        if gigabytes > 0:
            return float(gigabytes) * _GIGABYTE
    raise ValueError(
        "save_weights: argument `max_shard_size` must be a number of gigabytes above 0. Received: "
        f"{short(gigabytes)}"
    )


@contextmanager
def _alone_in(folder: Path) -> Generator[None, None, None]:
    """Others who write shards there wait. Where files cannot be locked, marks tell sets apart."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:  # a file system of the network
            pass
        yield
    finally:
        os.close(descriptor)


def _shard(path: Path, number: int) -> str:
    return f"{path.stem.replace('.weights', '')}_{number:05}.weights.h5"


def _own_shards(path: Path) -> set[str]:
    """The files of the set that is there, of those that `save` may have written."""
    try:
        names = _Described(path).shards
    except (OSError, ValueError):
        return set()  # none, or one that nobody can read
    base = re.escape(path.stem.replace(".weights", ""))
    return {name for name in names if re.fullmatch(base + r"_\d{5,}\.weights\.h5", name)}


def _drop(path: Path, names: Collection[str]) -> None:
    """Remove files of a set that is no more. Keras opens number 0 of any set, so one stays."""
    first = path.with_name(_shard(path, 0))
    for name in names:
        if name != first.name or not path.exists():
            path.with_name(name).unlink(missing_ok=True)
    if path.exists() and (first.name in names or not first.exists()):
        with replacing(first, "w+b") as file, hdf5.Writer(file):
            pass


class _Target:
    """A set of files that is written: see `nkeras.saving.weights.Target`.

    Attributes:
        files: the files, which get their names when it is left.
        names: the names.
    """

    def __init__(self, path: Path, largest: float, taken: Collection[str]) -> None:
        self.files = ExitStack()
        self.names: set[str] = set()
        self.largest = largest
        self.places: dict[str, list[str]] = {}
        self.shards: dict[str, hdf5.Writer] = {}
        self.total = 0
        self._path = path
        self._mark = secrets.token_hex(16)
        self._free = (name for i in count() if (name := _shard(path, i)) not in taken)
        self._filled = 0
        self._open()

    def _open(self) -> None:
        self.current = name = next(self._free)
        self.names.add(name)
        file = self.files.enter_context(replacing(self._path.with_name(name), "w+b"))
        shard = self.files.enter_context(hdf5.Writer(file))
        shard.file.attrs[_MARK] = self._mark
        self.shards[name] = shard
        self._filled = 0

    def weights_of(self, path: str, name: str | None = None) -> MutableMapping[str, Any]:
        """The mapping that takes the arrays of the object at a path."""
        self.shards[self.current].weights_of(path, name)
        return _Group(self, path, name)

    def shard_for(self, array: np.ndarray, place: str) -> str:
        """The file that takes an array.

        Raises:
            ValueError: no file may be so large.
        """
        if array.nbytes > self.largest:
            raise ValueError(
                f"save_weights: {place} has {array.nbytes / _GIGABYTE:.3g} gigabytes, more than "
                f"max_shard_size={self.largest / _GIGABYTE:.3g}."
            )
        if self._filled + array.nbytes > self.largest:
            self._open()
        self._filled += array.nbytes
        self.total += array.nbytes
        return self.current

    def described(self) -> dict[str, Any]:
        """What the JSON file says."""
        return {
            "metadata": {"total_size": self.total, _MARK: self._mark},
            "weight_map": {
                place: names[0] if len(names) == 1 else names
                for place, names in self.places.items()
            },
        }


class _Group(MutableMapping[str, Any]):
    def __init__(self, target: _Target, path: str, name: str | None) -> None:
        self._target = target
        self._path = path
        self._name = name
        self._keys: dict[str, str] = {}

    def _in(self, shard: str) -> MutableMapping[str, Any]:
        return self._target.shards[shard].weights_of(self._path, self._name)

    def __setitem__(self, key: str, value: object) -> None:
        array = numbers_of(value)
        place = f"/{self._path}/vars" if self._path else "/vars"
        self._keys[key] = shard = self._target.shard_for(array, f"{place}/{key}")
        self._in(shard)[key] = array
        names = self._target.places.setdefault(place, [])
        if shard not in names:
            names.append(shard)

    def __getitem__(self, key: str) -> Any:
        return self._in(self._keys[key])[key]

    def __delitem__(self, key: str) -> None:
        del self._in(self._keys.pop(key))[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._keys))

    def __len__(self) -> int:
        return len(self._keys)


class _Described:
    """What the JSON file says, checked.

    Attributes:
        places: files by the path of a group.
        shards: names of all files; they lie beside.
        mark: that of the set; None for one that Keras has written.
    """

    def __init__(self, path: Path) -> None:
        self.text = path.read_bytes()
        said = configuration.parse(self.text, path.name)
        places, metadata = said.get("weight_map"), said.get("metadata", {})
        if not isinstance(places, dict) or not isinstance(metadata, dict):
            raise ValueError(f"{path.name}: it does not say which file has which weights.")
        self.places: dict[str, list[str]] = {}
        for place, named in places.items():
            names: list[object] = named if isinstance(named, list) else [named]
            self.places[place] = [self._checked(path, place, name) for name in names]
        self.shards = sorted({name for names in self.places.values() for name in names})
        if len(self.shards) > _MAX_SHARDS:
            raise ValueError(f"{path.name}: it names {len(self.shards)} files, over {_MAX_SHARDS}.")
        self.mark = metadata.get(_MARK)

    def _checked(self, path: Path, place: str, name: object) -> str:
        if isinstance(name, str) and re.fullmatch(_PLAIN, name):
            return name
        raise ValueError(
            f"{path.name}: the weights of {short(place)} lie in {short(name)}, which is no name of "
            "a file beside it that ends in .weights.h5."
        )


_PLAIN = r"[^/\\:\0]{1,200}\.weights\.h5"


class Source:
    """A set of files that is read: see `nkeras.saving.weights.Source`.

    Args:
        path: path of the JSON file.

    Attributes:
        places: the arrays of each group by its path, such as `"layers/dense/vars"`.
        shards: names of the files beside.

    Raises:
        ValueError: a file is missing, damaged, or of another set.
        OSError: a file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._files = ExitStack()
        described = _Described(path)
        try:
            for attempt in range(3):
                try:
                    self._open(path, described)
                    return
                except ValueError:
                    # Was a new set put into the place of this one meanwhile?
                    newer = _Described(path)
                    if newer.text == described.text or attempt == 2:
                        raise
                    described = newer
                    self._files.close()
        except BaseException:
            self._files.close()
            raise

    def _open(self, path: Path, described: _Described) -> None:
        self.shards = described.shards
        readers = {name: self._shard(path, name, described.mark) for name in described.shards}
        self.places: dict[str, Mapping[str, hdf5.StoredArray]] = {}
        for place, names in described.places.items():
            arrays: dict[str, hdf5.StoredArray] = {}
            for name in dict.fromkeys(names):
                found = readers[name].groups().get(place.strip("/"), {})
                twice = sorted(arrays.keys() & found.keys())
                if twice:
                    raise ValueError(f"{self.name}: {short(f'{place}/{twice[0]}')} is there twice.")
                arrays.update(found)
            self.places[place.strip("/")] = arrays

    def _shard(self, path: Path, name: str, mark: object) -> hdf5.Reader:
        try:
            reader = self._files.enter_context(hdf5.Reader(path.with_name(name), name))
        except FileNotFoundError:
            raise ValueError(f"{self.name}: the file {short(name)} is missing.") from None
        if mark is not None and reader.note("", _MARK) != mark:
            raise ValueError(
                f"{self.name}: the file {short(name)} belongs to another save. Save the weights "
                "again."
            )
        return reader

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def weights_of(self, path: str) -> StoredGroup:
        """What is stored of the object at a path: an empty group where there is nothing."""
        return StoredGroup(self.places.get(f"{path}/vars" if path else "vars", {}))
