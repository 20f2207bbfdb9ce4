"""Weights in `.h5` files of Keras 1 to 3: groups of layers, which list their arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nkeras.core.errors import short, warn
from nkeras.core.variable import Variable
from nkeras.layers.base import Layer
from nkeras.saving.attributes import read_text, read_texts, write_texts
from nkeras.saving.hdf5 import Reader, StoredArray
from nkeras.saving.legacy_layouts import Layout, is_model

if TYPE_CHECKING:
    from nkeras.models.model import Model

LAYERS = "layer_names"
WEIGHTS = "weight_names"
OWN = "top_level_model_weights"


@dataclass(frozen=True)
class StoredLayer:
    """What a file has of one layer: its name, and its arrays by name, in order."""

    name: str
    names: Sequence[str]
    arrays: Sequence[StoredArray]


class StoredLayers:
    """The weights of a file.

    Args:
        reader: an open file.
        group: path of the group that lists the layers.
        version: of Keras, 1, 2 or 3.
        backend: of Keras; empty where the file does not say.

    Raises:
        ValueError: a group or an array that is listed is missing, or an attribute is damaged.
    """

    def __init__(self, reader: Reader, group: str, version: int, backend: str) -> None:
        self.name = reader.name
        self.layout = Layout(version, backend)
        self._reader = reader
        self.layers = [
            self._layer(name, f"{group}/{name}".lstrip("/"))
            for name in read_texts(reader, group, LAYERS)
        ]
        path = f"{group}/{OWN}".lstrip("/")
        self.own = self._layer(OWN, path) if path in reader else None

    def _layer(self, name: str, path: str) -> StoredLayer:
        if path not in self._reader:
            raise ValueError(f"{self.name}: the group {short(path)} of a layer is missing.")
        names, arrays = listed_arrays(self._reader, path)
        return StoredLayer(name, names, arrays)

    def has_names_of(self, model: Model) -> bool:
        """Whether the layers that have weights are named as those of a model."""
        stored = [layer.name for layer in self.layers if layer.names]
        expected = [layer.name for layer in model.layers if _variables(layer)]
        return sorted(stored) == sorted(expected)

    def load(self, model: Model, by_name: bool, skip_mismatch: bool) -> dict[str, Variable]:
        """Read the weights of a model: all, or none.

        Args:
            model: model; it must be built.
            by_name: find layers by their names, and leave out those that the other side lacks;
                else by their order.
            skip_mismatch: leave what does not fit as it is, and warn.

        Returns:
            The variables by the names that the file has for them.

        Raises:
            ValueError: the weights do not fit.
        """
        problems: list[str] = []
        found: list[tuple[Variable, Any]] = []
        named: dict[str, Variable] = {}
        for stored, layer in self._pairs(model, by_name):
            variables = layer.saved_weights() if stored is self.own else _variables(layer)
            kind = f"{type(layer).__name__} {short(layer.name)}"
            if len(variables) == len(stored.names):
                named.update(zip(stored.names, _ordered(variables, stored), strict=True))
            for variable, array, problem in self._fitted(layer, variables, stored):
                if variable is None or problem:
                    problems.append(f"{kind}: {problem}")
                else:
                    found.append((variable, array))
        if problems and not skip_mismatch:
            more = f" {len(problems) - 1} more do not fit." * (len(problems) > 1)
            raise ValueError(f"{self.name}: the weights do not fit the model. {problems[0]}.{more}")
        if problems:
            warn(f"{self.name}: some weights stay as they are. {'. '.join(problems[:3])}.")
        for variable, array in found:
            variable.assign(array)
        return named

    def _pairs(self, model: Model, by_name: bool) -> list[tuple[StoredLayer, Layer]]:
        """Layers of the file with those of the model."""
        pairs: list[tuple[StoredLayer, Layer]] = []
        layers = list(_flat(model) if self.layout.version == 1 else model.layers)
        if by_name:
            known = {layer.name: layer for layer in layers}
            pairs = [(layer, known[layer.name]) for layer in self.layers if layer.name in known]
        else:
            stored = [layer for layer in self.layers if layer.names]
            expected = [layer for layer in layers if _variables(layer)]
            if len(stored) != len(expected):
                raise ValueError(
                    f"{self.name}: the file has weights of {len(stored)} layers "
                    f"({short([layer.name for layer in stored])}), the model {short(model.name)} "
                    f"has {len(expected)} ({short([layer.name for layer in expected])})."
                )
            pairs = list(zip(stored, expected, strict=True))
        if self.own is not None and (self.own.names or model.saved_weights()):
            pairs.append((self.own, model))
        return pairs

    def _fitted(
        self, layer: Layer, variables: Sequence[Variable], stored: StoredLayer
    ) -> Iterator[tuple[Variable | None, Any, str]]:
        """Variables with their arrays, or what does not fit."""
        needed = sum(variable.size for variable in variables)
        if sum(math.prod(array.shape) for array in stored.arrays) > 2 * needed:
            # More than any layout has: cuDNN's, with its second bias, is the largest.
            arrays: list[Any] = list(stored.arrays)
        else:
            arrays = self.layout.arrays(layer, list(stored.arrays))
        if len(arrays) != len(variables):
            what = f"it has {len(variables)} weights, {len(arrays)} of them are in the file"
            yield None, None, what
            return
        if len(arrays) == len(stored.names):
            variables = _ordered(variables, stored)
        for variable, array in zip(variables, arrays, strict=True):
            problem = ""
            if tuple(array.shape) != variable.shape:
                problem = (
                    f"{variable.name} has shape {variable.shape}, in the file {tuple(array.shape)}"
                )
            yield variable, array, problem


def version_of(reader: Reader, group: str) -> tuple[int, str]:
    """The version of Keras, 1, 2 or 3, and the backend that a file was written with.

    Args:
        reader: an open file.
        group: path of the group of the weights.
    """
    texts: dict[str, str] = {}
    for name in ("keras_version", "backend"):
        for path in (group, ""):
            if path in reader and not texts.get(name):
                texts[name] = read_text(reader, path, name) or ""
    number = texts["keras_version"][:1] or "1"
    return int(number) if number in "123" else 3, texts["backend"]


def listed_arrays(reader: Reader, path: str) -> tuple[list[str], list[StoredArray]]:
    """The arrays of a group in the order of its list of names.

    Raises:
        ValueError: one is missing.
    """
    names = read_texts(reader, path, WEIGHTS)
    known = reader.arrays()
    missing = [name for name in names if f"{path}/{name}" not in known]
    if missing:
        raise ValueError(
            f"{reader.name}: the weight {short(missing[0])} of {short(path)} is missing."
        )
    return names, [known[f"{path}/{name}"] for name in names]


def _variables(layer: Layer) -> list[Variable]:
    """The weights in the order of Keras 1 and 2, which `.h5` files keep: trainable ones first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _flat(model: Model) -> Iterator[Layer]:
    """Keras 1 wrote the layers of a Sequential inside a Sequential one by one."""
    for layer in model.layers:
        if is_model(layer) and _is_sequential(model) and _is_sequential(layer):
            yield from _flat(layer)
        else:
            yield layer


def _is_sequential(model: Model) -> bool:
    return hasattr(model, "pop")


def _ordered(variables: Sequence[Variable], stored: StoredLayer) -> Sequence[Variable]:
    """The variables in the order of the file, where names say it; else as they are.

    The order depends on what was trainable when the file was written.
    """
    by_end: dict[tuple[str, ...], Variable] = {
        _end(variable.path): variable for variable in variables
    }
    ends = [_end(name.removesuffix(":0")) for name in stored.names]
    if len(by_end) == len(variables) and set(ends) == set(by_end):
        return [by_end[end] for end in ends]
    return variables


def _end(path: str) -> tuple[str, ...]:
    """The names of the layer and the weight: outer names differ between versions."""
    return tuple(path.split("/")[-2:])


# Writing.


def save(model: Model, group: Any) -> None:
    """Write the weights of a model as Keras 3 does.

    Args:
        model: model.
        group: of h5py.

    Raises:
        ValueError: two layers have the same name.
    """
    layers = model.layers
    names = [layer.name for layer in layers]
    if len(set(names)) != len(names) or OWN in names:
        twice = next((name for name in names if names.count(name) > 1), OWN)
        raise ValueError(
            f"save_model: two layers are named {short(twice)}, which an .h5 file has no room for. "
            "Give them names of their own, or save as .keras."
        )
    write_texts(group, LAYERS, names)
    for layer in sorted(layers, key=lambda layer: layer.name):
        save_arrays(group.create_group(layer.name), _variables(layer))
    save_arrays(group.create_group(OWN), model.saved_weights())


def save_arrays(group: Any, variables: Iterable[Variable]) -> None:
    """Write arrays and the list of their names into a group.

    Args:
        group: of h5py.
        variables: whose values.
    """
    names: dict[str, None] = {}
    for variable in variables:
        name, number = variable.path, 1
        while name in names:
            name, number = f"{variable.path}_{number}", number + 1
        names[name] = None
        value = variable.numpy()
        if value.dtype.name == "bfloat16":  # which HDF5 lacks; float32 holds it without loss
            value = value.astype(np.float32)
        group.create_dataset(name, data=value)
    write_texts(group, WEIGHTS, list(names))
