"""A model as a folder with what a `.keras` file has in it, as `save_model(zipped=False)` writes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nkeras.core.errors import short
from nkeras.core.files import replacing
from nkeras.saving import assets, configuration, hdf5, weights
from nkeras.saving.keras_file import CONFIG, METADATA, WEIGHTS, metadata, save_weights


def save(model: Any, path: Path, training: bool = True) -> None:
    """Write a model into a folder, which is made where there is none.

    Each file takes the place of the old one whole; the configuration comes last.

    Args:
        model: model.
        path: of the folder.
        training: whether to write how the model was compiled, and the optimizer's state.
    """
    if path.suffix == ".keras":
        raise ValueError(
            "save_model: with `zipped=False` a folder is written, whose name must not end in "
            f".keras. Received: {str(path)!r}"
        )
    path.mkdir(parents=True, exist_ok=True)
    with replacing(path / WEIGHTS, "w+b") as file:
        save_weights(model, file, training)
    with assets.gathered(model) as files:
        for name, source in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            with replacing(path / name) as file, source.open("rb") as content:
                shutil.copyfileobj(content, file)
    for name, text in ((METADATA, metadata()), (CONFIG, configuration.write(model, training))):
        with replacing(path / name, "w") as file:
            file.write(text)


def load(path: Path, custom_objects: Mapping[str, object] | None, compiled: bool) -> Any:
    """Read a model from a folder.

    Raises:
        ValueError, TypeError: it is no such folder, damaged, or names what nkeras lacks.
    """
    if (path / "saved_model.pb").is_file():
        raise ValueError(
            f"load_model: the folder {short(str(path))} is a SavedModel of TensorFlow, which is a "
            "program for it. Load it with the Keras that wrote it, save it there as `.keras` or "
            "`.h5`, and load that."
        )
    for name in (CONFIG, WEIGHTS):
        if not (path / name).is_file():
            raise ValueError(f"load_model: the folder {str(path)!r} has no file {name}.")
    text = (path / CONFIG).read_bytes()
    with hdf5.Reader(path / WEIGHTS, f"{path.name}/{WEIGHTS}") as reader:
        model = weights.make(
            lambda: configuration.read(text, path.name, custom_objects, compiled),
            reader,
            reader.size,
        )
    inside = path / assets.ASSETS
    files = [one for one in inside.rglob("*") if one.is_file() and not one.is_symlink()]
    names = [one.relative_to(path).as_posix() for one in files]
    assets.load(model, names, lambda name: (path / name).read_bytes(), path.name)
    return model
