"""`KerasFileEditor`: what is in a file of weights, changed by hand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import nearest, short
from nkeras.core.files import replacing
from nkeras.saving import hdf5, keras_file, weight_tree
from nkeras.saving.archive import Archive
from nkeras.saving.weight_tree import Tree


class KerasFileEditor:
    """Shows, compares and changes the weights in a file.

    In a notebook, the editor at the end of a cell shows the weights as a tree.

    Args:
        filepath: path of a `.keras` or `.weights.h5` file.

    Attributes:
        weights_dict: the weights: a dict for each object, in it dicts of what is below, and
            arrays by name, usually `"0"`, `"1"`, ...
        object_metadata: what is noted of an object, such as `{"name": "dense"}`, by its path.
        config: the configuration of the model; None for a file of weights alone.
        metadata: version of Keras and date; None for a file of weights alone.

    Raises:
        ValueError: the path has another ending, or the file is damaged.
        OSError: it cannot be read.

    Example:
        >>> import os, tempfile, nkeras
        >>> path = os.path.join(tempfile.mkdtemp(), "model.weights.h5")
        >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2, name="d")])
        >>> model.save_weights(path)
        >>> editor = nkeras.saving.KerasFileEditor(path)
        Keras model file 'model.weights.h5'
        >>> editor.rename_object("layers/dense", "einsum_dense")
        >>> editor.summary()
        Weights structure
        └─ layers
           └─ einsum_dense ('d')
              ├─ 0: shape=(3, 2), dtype=float32
              └─ 1: shape=(2,), dtype=float32
        >>> editor.save(path)

    Source: https://keras.io/api/models/model_saving_apis/ (KerasFileEditor)
    """

    def __init__(self, filepath: str | os.PathLike[str]) -> None:
        self.filepath = os.fspath(filepath)
        self.metadata: dict[str, Any] | None = None
        self.config: dict[str, Any] | None = None
        path = Path(self.filepath)
        if path.name.endswith(".weights.h5"):
            with hdf5.Reader(path, path.name) as reader:
                self.weights_dict, self.object_metadata = weight_tree.of_file(reader)
        elif path.name.endswith(".keras"):
            with path.open("rb") as file:
                archive = Archive(file, path.name)
                self.config = keras_file.config_of(archive)
                self.metadata = keras_file.metadata_of(archive)
                with hdf5.Reader(keras_file.weights_of(archive), path.name) as reader:
                    self.weights_dict, self.object_metadata = weight_tree.of_file(reader)
        else:
            raise ValueError(
                "KerasFileEditor: argument `filepath` must end in .keras or .weights.h5. "
                f"Received: {short(self.filepath)}"
            )
        print(f"Keras model file {path.name!r}")
        if self.metadata is not None:
            version, date = (self.metadata.get(key) for key in ("keras_version", "date_saved"))
            print(f"Saved with Keras {short(version, 40)} - date: {short(date, 40)}")

    def summary(self) -> None:
        """Print objects and weights as a tree."""
        print("\n".join(["Weights structure", *self._lines()]))

    def _lines(self) -> list[str]:
        return list(weight_tree.lines(self.weights_dict, self.object_metadata))

    def _repr_html_(self) -> str:
        return "Weights structure" + weight_tree.as_html(self.weights_dict, self.object_metadata)

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """Compare the file with a model, and print what differs.

        An object that only one of both has is one mismatch, whatever is in it. (Keras counts those
        of nested objects several times.)

        Args:
            reference_model: model; it must be built.

        Returns:
            `{"status": "success" or "error", "error_count": int, "match_count": int}`.
        """
        print("Running comparison")
        found = list(
            weight_tree.differences(self.weights_dict, weight_tree.of_model(reference_model))
        )
        errors = [text for kind, text in found if kind == "error"]
        matches = len(found) - len(errors)
        for text in errors:
            print("..." + weight_tree.printable(text))
        print("─────────────────────")
        if errors:
            print(
                f"Found {len(errors)} error{'s' * (len(errors) > 1)}: saved file is not compatible "
                "with the reference model"
            )
        else:
            print("Comparison successful: saved file is compatible with the reference model")
            print(f"    Found {matches} matching weight{'s' * (matches != 1)}")
        return {
            "status": "error" if errors else "success",
            "error_count": len(errors),
            "match_count": matches,
        }

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Rename an object, such as a layer.

        Args:
            object_name: its path, such as `"layers/dense_2"`, or its name if no other has it.
            new_name: the new name, without the path.

        Raises:
            ValueError: there is no such object, or one of the new name is there already.
        """
        if not _is_name(new_name):
            raise ValueError(
                "rename_object: argument `new_name` must be a name without a path. Received: "
                f"{short(new_name)}"
            )
        path = self._find(object_name, "rename_object")
        parent, name = self._parent(path)
        if new_name == name:
            return
        if new_name in parent:
            raise ValueError(
                f"rename_object: there is already {short(new_name)} beside {short(path)}. Delete "
                "it before."
            )
        renamed = {new_name if key == name else key: value for key, value in parent.items()}
        parent.clear()
        parent.update(renamed)
        new_path = "/".join([*path.split("/")[:-1], new_name])
        self.object_metadata = {
            new_path + key[len(path) :] if _is_below(key, path) else key: value
            for key, value in self.object_metadata.items()
        }

    def delete_object(self, object_name: str) -> None:
        """Remove an object with all in it.

        Args:
            object_name: its path, or its name if no other has it.

        Raises:
            ValueError: there is no such object.
        """
        path = self._find(object_name, "delete_object")
        parent, name = self._parent(path)
        del parent[name]
        self._forget(path)

    def add_object(self, object_path: str, weights: Mapping[str, Any]) -> None:
        """Add an object, or put another one into its place.

        Args:
            object_path: its path, such as `"layers/dense_2"`; what is above must be there.
            weights: arrays by name, such as `{"0": kernel, "1": bias}`.

        Raises:
            ValueError: there is nothing to put it into, or something is no array of numbers.
        """
        above, _, name = object_path.rpartition("/")
        if not _is_name(name) or not weight_tree.has(self.weights_dict, above):
            raise ValueError(
                f"add_object: there is no object {short(above)} for {short(object_path)}."
                f"{nearest(above, self._paths())}"
            )
        added = _checked(weights, "add_object")
        self._at(above)[name] = added
        self._forget(object_path)

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Remove a weight of an object.

        Args:
            object_name: path of the object, or its name if no other has it.
            weight_name: name of the weight, such as `"0"`.

        Raises:
            ValueError: there is no such object or weight.
        """
        path = self._find(object_name, "delete_weight")
        inside = self._at(path)
        arrays = [name for name, value in inside.items() if not isinstance(value, dict)]
        if weight_name not in arrays:
            raise ValueError(
                f"delete_weight: {short(path)} has no weight {short(weight_name)}, only "
                f"{short(arrays)}."
            )
        del inside[weight_name]

    def add_weights(self, object_name: str, weights: Mapping[str, Any]) -> None:
        """Add weights to an object, or put others into their place.

        Args:
            object_name: path of the object, or its name if no other has it.
            weights: arrays by name, such as `{"0": kernel, "1": bias}`.

        Raises:
            ValueError: there is no such object, or something is no array of numbers.
        """
        path = self._find(object_name, "add_weights")
        added = _checked(weights, "add_weights")
        inside = self._at(path)
        for name in added:
            if isinstance(inside.get(name), dict):
                raise ValueError(f"add_weights: {short(f'{path}/{name}')} is an object, no weight.")
        inside.update(added)

    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Write the weights into a file; one of before stays until the new one is whole.

        Args:
            filepath: path that ends in `.weights.h5`.

        Raises:
            ValueError: it has another ending.
            OSError: the file cannot be written.
        """
        if not str(filepath).endswith(".weights.h5"):
            raise ValueError(
                "KerasFileEditor.save: argument `filepath` must end in .weights.h5. Received: "
                f"{short(str(filepath))}"
            )
        with replacing(filepath, "w+b") as file, hdf5.Writer(file) as writer:
            weight_tree.save(self.weights_dict, writer, self.object_metadata)

    def resave_weights(self, filepath: str | os.PathLike[str]) -> None:
        """The same as `save`."""
        self.save(filepath)

    def _at(self, path: str) -> Tree:
        inside = self.weights_dict
        for part in path.split("/") if path else ():
            inside = inside[part]
        return inside

    def _parent(self, path: str) -> tuple[Tree, str]:
        above, _, name = path.rpartition("/")
        return self._at(above), name

    def _paths(self) -> list[str]:
        """The paths of all objects."""

        def below(tree: Tree, path: str) -> list[str]:
            found: list[str] = []
            for name, value in tree.items():
                if isinstance(value, dict):
                    inner = f"{path}/{name}" if path else name
                    found += [inner, *below(value, inner)]
            return found

        return below(self.weights_dict, "")

    def _find(self, name: str, function: str) -> str:
        """The path of an object."""
        paths = self._paths()
        if name in paths:
            return name
        found = [path for path in paths if path.rpartition("/")[2] == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(
                f"{function}: several objects are called {short(name)}: {short(found)}. Give the "
                "whole path."
            )
        raise ValueError(
            f"{function}: the file has no object {short(name)}.{nearest(name, paths)} "
            "`summary()` shows all."
        )

    def _forget(self, path: str) -> None:
        self.object_metadata = {
            key: value for key, value in self.object_metadata.items() if not _is_below(key, path)
        }


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name) and "/" not in name and name not in (".", "..")


def _is_below(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}/")


def _checked(weights: Any, function: str) -> Tree:
    """Arrays by name, of dtypes that a file may have."""
    if not isinstance(weights, Mapping):
        raise ValueError(
            f"{function}: argument `weights` must be a dict of arrays by name. Received: "
            f"{short(weights)}"
        )
    checked: Tree = {}
    for name, value in weights.items():
        array = np.asarray(value)
        if not _is_name(name) or array.dtype not in map(dtypes.to_numpy, dtypes.DTYPES):
            raise ValueError(
                f"{function}: argument `weights` must have arrays of numbers by name. Received: "
                f"{short(name)}: {short(value)}"
            )
        checked[name] = array
    return checked
