"""The weights of a model as a file of safetensors, whose arrays are named by variables' paths."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from typing import IO, Any

import numpy as np

from nkeras.core import dtypes
from nkeras.saving import safetensors, weights
from nkeras.saving.stored import Stored, StoredGroup, numbers_of


def save(model: Any, file: IO[bytes], skipped: Collection[object] = ()) -> None:
    """Write the weights of a model and all in it, its optimizer included.

    The name of an array is the path of its variable, such as `dense/kernel`. Where a path is there
    again, `_1`, `_2` and so on are put at its end, in the order in which files of Keras have the
    weights. The metadata note the place of each in the model.

    Args:
        model: model or layer.
        file: file opened for writing bytes.
        skipped: objects to leave out, with what is in them.
    """
    names = names_of(model)
    arrays: dict[str, tuple[str, tuple[int, ...]]] = {}
    noted: dict[str, str] = {}

    def measure(place: str, array: np.ndarray) -> None:
        name = names.setdefault(place, place)
        arrays[name] = (dtypes.standardize(array.dtype), array.shape)
        noted[name] = place

    weights.save(model, Target(measure), skipped)
    layout = safetensors.Layout(arrays, noted)
    layout.begin(file)
    weights.save(
        model,
        Target(lambda place, array: layout.write(file, names[place], array)),
        skipped,
    )


def names_of(model: Any) -> dict[str, str]:
    """The names of arrays by their place in the model."""
    found = [(place, variable.path) for place, variable, _ in weights.places(model)]
    unique = safetensors.unique([path for _, path in found])
    return dict(zip((place for place, _ in found), unique, strict=True))


class Target:
    """Passes on each array with its place: see `nkeras.saving.weights.Target`.

    Args:
        put: function of place and array.
    """

    def __init__(self, put: Any) -> None:
        self._put = put

    def weights_of(self, path: str, name: str | None = None) -> MutableMapping[str, Any]:
        """The mapping that takes the arrays of the object at a path."""
        return _Group(f"{path}/vars" if path else "vars", self._put)


class _Group(UserDict[str, Any]):
    def __init__(self, path: str, put: Any) -> None:
        super().__init__()
        self._path = path
        self._put = put

    def __setitem__(self, key: str, value: object) -> None:
        array = numbers_of(value)
        self._put(f"{self._path}/{key}", array)
        super().__setitem__(key, array)


class Source:
    """The arrays of a file, for a model: see `nkeras.saving.weights.Source`.

    If the file has the names of all weights of the model's layers, these decide, also where they
    begin with the name of the model in one of both alone. If it has not, such as for a second
    model of the same structure whose layers are called `dense_2` now, the places do that nkeras
    has noted.

    Args:
        reader: the file.
        model: the model.
    """

    def __init__(self, reader: safetensors.Reader, model: Any) -> None:
        self.name = reader.name
        noted = reader.places()
        names = names_of(model)
        tensors = reader.tensors
        of_layers = [place for place, _, is_layer in weights.places(model) if is_layer]
        by_name = [
            found
            for found in _spellings(names, str(getattr(model, "name", "")))
            if all(found[place] in tensors for place in of_layers)
        ]
        self._groups: dict[str, dict[str, Stored]] = {}
        if by_name or not noted:
            self._add(by_name[0] if by_name else names, tensors)
        found = set(self._groups)
        self._add({p: name for p, name in noted.items() if _group(p) not in found}, tensors)

    def _add(self, names: Mapping[str, str], tensors: Mapping[str, Stored]) -> None:
        for place, name in names.items():
            if name in tensors:
                key = place.rpartition("/")[2]
                self._groups.setdefault(_group(place), {})[key] = tensors[name]

    def weights_of(self, path: str) -> StoredGroup:
        """What is stored of the object at a path: an empty group where there is nothing."""
        return StoredGroup(self._groups.get(f"{path}/vars" if path else "vars", {}))


def _spellings(names: Mapping[str, str], model: str) -> Iterator[Mapping[str, str]]:
    """With and without the name of the model: paths of a model that was loaded have it not."""
    yield names
    yield {place: name.removeprefix(f"{model}/") for place, name in names.items()}
    yield {place: f"{model}/{name}" for place, name in names.items()}


def _group(place: str) -> str:
    return place.rpartition("/")[0]
