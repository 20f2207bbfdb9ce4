"""Whole models as one HDF5 file, `.h5`: those of Keras 1 to 3 are read, those of Keras 3 written.

The configuration and the arguments of `compile` are JSON in attributes of the root, the weights
stand in the group `model_weights`, the state of the optimizer in `optimizer_weights`.

Source: https://keras.io/api/models/model_saving_apis/model_saving_and_loading/
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nkeras.core import tree
from nkeras.core.errors import cut_text, short, warn
from nkeras.core.serialization import (
    custom_object_scope,
    deserialize_keras_object,
    serialize_keras_object,
)
from nkeras.core.typing import Config
from nkeras.core.variable import Variable, postponed_values
from nkeras.losses.identifiers import TABLE as LOSSES
from nkeras.saving import configuration, hdf5, legacy_training, legacy_weights
from nkeras.saving.attributes import read_text, read_texts
from nkeras.saving.keras_file import KERAS_VERSION
from nkeras.saving.legacy_config import Translation
from nkeras.saving.legacy_layouts import is_model
from nkeras.saving.legacy_weights import LAYERS, StoredLayers

if TYPE_CHECKING:
    from nkeras.models.model import Model

_CONFIG = "model_config"
_TRAINING = "training_config"
_WEIGHTS = "model_weights"
_STATE = "optimizer_weights"


def load(path: Path, custom_objects: Mapping[str, object] | None, compiled: bool) -> Any:
    """Read a model from a file.

    Args:
        path: of the file.
        custom_objects: classes and functions by name; the function of a `Lambda` by that of the
            layer.
        compiled: whether to compile the model as it was, with the state of its optimizer.

    Raises:
        ValueError: the file is damaged, hostile, or names what nkeras lacks.
        OSError: it cannot be read.
    """
    with hdf5.Reader(path, path.name) as reader, postponed_values():
        text = read_text(reader, "", _CONFIG)
        if text is None:
            raise ValueError(
                f"{path.name}: the file has no configuration of a model. If it has weights alone, "
                "make the model and call `model.load_weights(path)`."
            )
        version, backend = legacy_weights.version_of(reader, _WEIGHTS)
        stored = StoredLayers(reader, _WEIGHTS, version, backend)
        with custom_object_scope(custom_objects), _damages(path.name):
            config = Translation(path.name, version).model(configuration.parse(text, path.name))
            model = deserialize_keras_object(config)
        if not is_model(model):
            raise ValueError(f"{path.name}: the configuration is not that of a model.")
        _need_built(model, stored)
        named = stored.load(model, stored.has_names_of(model), skip_mismatch=False)
        if compiled:
            with custom_object_scope(custom_objects):
                _compile(model, reader, version, named)
    return model


@contextmanager
def _damages(name: str) -> Generator[None, None, None]:
    """A configuration of a wrong structure is an error that names the file."""
    try:
        yield
    except ValueError as error:
        if str(error).startswith(name):
            raise
        raise ValueError(f"{name}: {cut_text(str(error), 300)}") from error
    except (TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError(
            f"{name}: the configuration cannot be used: {cut_text(str(error), 250)} "
            f"({type(error).__name__})."
        ) from error
    except RecursionError:
        raise ValueError(f"{name}: the configuration is nested too deeply.") from None


def _need_built(model: Model, stored: StoredLayers) -> None:
    if not model.built and any(layer.names for layer in stored.layers):
        raise ValueError(
            f"{stored.name}: the file does not say the shape of the input of {short(model.name)}, "
            "so the model has no weights yet. Make and build it, then call `model.load_weights`."
        )


def _compile(
    model: Model, reader: hdf5.Reader, version: int, named: Mapping[str, Variable]
) -> None:
    """Compile as the file says, and read the state of the optimizer."""
    text = read_text(reader, "", _TRAINING)
    if text is None:
        return
    try:
        config = configuration.parse(text, reader.name)
        outputs = len(model.outputs) if model.has_graph() else 0
        model.compile_from_config(legacy_training.compile_config(config, version, outputs))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{reader.name}: the model cannot be compiled as it was: {cut_text(str(error), 220)} "
            "Read it without: load_model(path, compile=False)."
        ) from error
    if _STATE not in reader or model.optimizer is None:
        return
    names, arrays = legacy_weights.listed_arrays(reader, _STATE)
    trained = model.trainable_variables
    if names and not legacy_training.load_state(
        model.optimizer, names, arrays, named, trained, version
    ):
        warn(
            f"{reader.name}: the state of the optimizer does not fit the "
            f"{type(model.optimizer).__name__} of today; it begins anew."
        )


def load_weights(model: Model, reader: hdf5.Reader, by_name: bool, skip_mismatch: bool) -> None:
    """Read the weights of a model from a file of Keras 1 to 3: all, or none.

    Args:
        model: model; it must be built.
        reader: an open file of weights, or of a whole model.
        by_name: find layers by their names instead of their order.
        skip_mismatch: leave what does not fit as it is, and warn.

    Raises:
        ValueError: the weights do not fit, or the file is damaged.
    """
    group = _WEIGHTS if _WEIGHTS in reader and not read_texts(reader, "", LAYERS) else ""
    version, backend = legacy_weights.version_of(reader, group)
    stored = StoredLayers(reader, group, version, backend)
    if not stored.layers:
        raise ValueError(
            f"{reader.name}: the file has no list of layers. Files of `model.save_weights` end in "
            ".weights.h5."
        )
    stored.load(model, by_name, skip_mismatch)


def save(model: Model, file: IO[bytes], include_optimizer: bool) -> None:
    """Write a model as Keras 3 does.

    Args:
        model: model; it should be built.
        file: file opened for reading and writing bytes.
        include_optimizer: whether to write how the model was compiled, and the optimizer's state.

    Raises:
        ValueError: the model has no configuration, or two layers of the same name.
    """
    described = serialize_keras_object(model)
    assert isinstance(described, dict)
    training = described.pop("compile_config", None)
    with hdf5.Writer(file) as writer:
        root = writer.file
        root.attrs["keras_version"] = KERAS_VERSION
        root.attrs["backend"] = "nkeras"
        root.attrs[_CONFIG] = json.dumps(_plain(described))
        optimizer = model.optimizer
        if include_optimizer and optimizer is not None and training:
            root.attrs[_TRAINING] = json.dumps(_plain_training(training))
        weights = root.create_group(_WEIGHTS)
        weights.attrs["keras_version"] = KERAS_VERSION
        weights.attrs["backend"] = "nkeras"
        legacy_weights.save(model, weights)
        if include_optimizer and optimizer is not None and optimizer.variables:
            legacy_weights.save_arrays(root.create_group(_STATE), optimizer.variables)


def _plain(described: Config) -> Config:
    """A layer in Keras 3's form for `.h5`: classes without their modules.

    Calls of operations keep it: without, Keras takes `Add` for the layer.
    """
    if str(described.get("module")).startswith(("keras.src.ops", "nkeras.ops")):
        return described
    config = described["config"]
    if isinstance(config, dict) and isinstance(config.get("layers"), list):
        config = {**config, "layers": [_plain(layer) for layer in config["layers"]]}
    kept = {key: described[key] for key in ("name", "inbound_nodes") if key in described}
    if described.get("build_config") and described.get("registered_name"):
        kept["build_config"] = described["build_config"]  # Keras passes over it
    name = described.get("registered_name") or described["class_name"]
    return {"class_name": name, "config": config, **kept}


def _plain_training(training: Config) -> Config:
    """The arguments of `compile`; the optimizer stands under a name of its own."""
    rest = {key: _plain_things(value) for key, value in training.items() if key != "optimizer"}
    rest["loss"] = tree.map_structure(_whole_name, rest.get("loss"))
    return {**rest, "optimizer_config": _plain_things(training["optimizer"])}


def _whole_name(name: Any) -> Any:
    """`mean_squared_error` for `mse`: Keras writes short names, and cannot read them."""
    return getattr(LOSSES.get(name), "__name__", name) if isinstance(name, str) else name


def _plain_things(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain_things(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "function":
        return value["config"]
    if "class_name" in value:
        name = value.get("registered_name") or value["class_name"]
        return {"class_name": name, "config": value["config"]}
    return {key: _plain_things(item) for key, item in value.items()}
