"""The `.keras` format: an archive of configuration, weights and assets, or a folder of these.

Source: https://keras.io/api/models/model_saving_apis/model_saving_and_loading/
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import IO, Any

from nkeras.core.typing import Config
from nkeras.saving import archive, assets, configuration, hdf5, weights

KERAS_VERSION = "3.15.1"
"""The version of Keras whose format is written."""

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"
_PICKLED = "model.weights.npz"
_MAX_CONFIG = 1 << 27
_MAX_METADATA = 1 << 20
_MAX_ASSET = 1 << 32


def save(model: Any, file: IO[bytes], training: bool = True, in_place: bool = False) -> None:
    """Write a model as an archive.

    Args:
        model: model, layer or another object with a configuration.
        file: file opened for writing bytes.
        training: whether to write how the model was compiled, and the optimizer's state.
        in_place: whether the file is a new one that can be read as well; otherwise the weights are
            gathered in a temporary file before they are put into the archive.
    """
    with zipfile.ZipFile(file, "w") as target:
        target.writestr(METADATA, metadata())
        target.writestr(CONFIG, configuration.write(model, training))
        if in_place:
            with archive.written_in_place(target, WEIGHTS) as member:
                save_weights(model, member, training)
        else:
            with tempfile.TemporaryFile() as gathered:
                save_weights(model, gathered, training)
                archive.add(target, WEIGHTS, gathered)
        with assets.gathered(model) as files:
            for name, path in files.items():
                target.write(path, name)


def save_weights(model: Any, file: IO[bytes], training: bool) -> None:
    """Write the weights of a model, and with `training` the optimizer's state."""
    with hdf5.Writer(file) as writer:
        weights.save(model, writer, () if training else (model.optimizer,))


def metadata() -> str:
    """What a file says of itself, as JSON."""
    now = datetime.now(timezone.utc).astimezone()
    return json.dumps(
        {"keras_version": KERAS_VERSION, "date_saved": now.strftime("%Y-%m-%d@%H:%M:%S")}
    )


def load(
    file: IO[bytes], name: str, custom_objects: Mapping[str, object] | None, compiled: bool
) -> Any:
    """Read a model from an archive.

    Args:
        file: file opened for reading bytes.
        name: of the file, for messages.
        custom_objects: classes and functions by name.
        compiled: whether to compile the model as it was.

    Raises:
        ValueError, TypeError: the file is damaged, hostile, or names what nkeras lacks.
    """
    source = archive.Archive(file, name)
    _need_weights(source)
    config = source.read(CONFIG, _MAX_CONFIG)
    with source.checking(WEIGHTS) as (opened, confirm):

        def build() -> Any:
            made = configuration.read(config, name, custom_objects, compiled)
            confirm()
            return made

        with hdf5.Reader(opened, f"{name}/{WEIGHTS}") as reader:
            model = weights.make(build, reader, reader.size)
    assets.load(model, source.names(), lambda one: source.read(one, _MAX_ASSET), name)
    return model


def config_of(source: archive.Archive) -> Config:
    """The configuration of the model in an archive.

    Raises:
        ValueError: it is missing, damaged, or exceeds a limit.
    """
    return configuration.parse(source.read(CONFIG, _MAX_CONFIG), source.name)


def metadata_of(source: archive.Archive) -> Config:
    """What an archive says of itself; nothing where it says nothing.

    Raises:
        ValueError: it is damaged, or exceeds a limit.
    """
    if METADATA not in source:
        return {}
    return configuration.parse(source.read(METADATA, _MAX_METADATA), source.name)


def weights_of(source: archive.Archive) -> IO[bytes]:
    """The file of weights in an archive, opened.

    Raises:
        ValueError: it is missing or damaged, or of another format.
    """
    _need_weights(source)
    return source.open(WEIGHTS)


def _need_weights(source: archive.Archive) -> None:
    if WEIGHTS not in source and _PICKLED in source:
        raise ValueError(
            f"{source.name}: the weights lie in {_PICKLED}, as pickled objects, which can run "
            f"code. Load the model in the Keras that wrote it, and save it anew: then they lie in "
            f"{WEIGHTS}."
        )
