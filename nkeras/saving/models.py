"""`save_model`, `load_model`, `save_weights`, `load_weights`: the format goes by the name."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeGuard

from nkeras.core.errors import nearest, refuse, short, warn
from nkeras.core.files import replacing
from nkeras.saving import (
    folder,
    hdf5,
    keras_file,
    safetensors,
    shards,
    tensor_file,
    weights,
)
from nkeras.saving.archive import Archive

if TYPE_CHECKING:
    from nkeras.models.model import Model

PathLike = str | os.PathLike[str]

_SHARDS = ".weights.json"
_LEGACY = (".h5", ".hdf5")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def save_model(
    model: Model,
    filepath: PathLike | IO[bytes],
    overwrite: bool = True,
    zipped: bool | None = None,
    **kwargs: Any,
) -> None:
    """Write a model into a file: its configuration, weights, and state of training.

    The file of before stays until the new one is whole.

    Args:
        model: model; it must be built.
        filepath: path that ends in `.keras`, or in `.h5` or `.hdf5` for the older format, or an
            open file. With `zipped=False`, the path of a folder.
        overwrite: whether to replace a file; otherwise ask on the terminal.
        zipped: False for a folder instead of an archive.
        **kwargs: only `include_optimizer`: whether to write how the model was compiled, and the
            optimizer's state (Keras 3.15 heeds it for `.h5` alone).

    Raises:
        ValueError: the path has another ending, or an argument is unknown.
        OSError: the file cannot be written; one of before is as it was.

    Example:
        >>> import os, tempfile, nkeras
        >>> path = os.path.join(tempfile.mkdtemp(), "model.keras")
        >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2)])
        >>> nkeras.saving.save_model(model, path)
        >>> nkeras.saving.load_model(path).count_params()
        8

    Source: https://keras.io/api/models/model_saving_apis/model_saving_and_loading/
    """
    training = bool(kwargs.pop("include_optimizer", True))
    if kwargs.pop("save_format", None) is not None:
        warn("save_model: the argument `save_format` has no effect: the path says the format.")
    if kwargs:
        known = ["overwrite", "zipped", "include_optimizer"]
        raise ValueError(
            f"save_model: unknown arguments {short(list(kwargs))}."
            f"{nearest(next(iter(kwargs)), known)}"
        )
    if not _has_weights(model):
        warn(
            "save_model: the model is not built, so it has no weights to save. Call it on data, or "
            "`build()` it, before."
        )
    if isinstance(filepath, io.IOBase) or hasattr(filepath, "write"):
        keras_file.save(model, filepath, training)  # type: ignore[arg-type]
        return
    path = _path(filepath, "save_model")
    if not _may_write(path, overwrite):
        return
    if zipped is False:
        folder.save(model, path, training)
    elif path.suffix == ".keras":
        with replacing(path, "w+b") as file:
            keras_file.save(model, file, training, in_place=True)
    elif path.suffix in _LEGACY:
        from nkeras.saving import legacy_h5  # only with such files

        path.parent.mkdir(parents=True, exist_ok=True)  # as Keras does for these files alone
        with replacing(path, "w+b") as file:
            legacy_h5.save(model, file, training)
    else:
        raise ValueError(
            "save_model: argument `filepath` must end in .keras (or .h5). Received: "
            f"{short(str(path))}. `model.export(path)` writes models for other programs."
        )


def load_model(
    filepath: PathLike | IO[bytes],
    custom_objects: Mapping[str, object] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Read a model from a file.

    A file is data: nothing in it is run or imported, and no array is made before its shape was
    compared with that of the weight it is for. Classes and functions of your own are those that you
    hand over, or have registered.

    Args:
        filepath: path of a `.keras` file or folder, of an `.h5` or `.hdf5` file of Keras 1 to 3, or
            an open file.
        custom_objects: classes and functions by name; in `.h5` files, the function of a `Lambda` by
            its own name, or that of the layer.
        compile: whether to compile the model as it was when it was saved.
        safe_mode: only True; a function that a file would have to bring along is given by name in
            `custom_objects`.

    Returns:
        The model.

    Raises:
        ValueError, TypeError: the file is damaged, hostile, or names what is not known here.
        OSError: it cannot be read.

    Source: https://keras.io/api/models/model_saving_apis/model_saving_and_loading/
    """
    if not safe_mode:
        raise ValueError(
            "load_model: argument `safe_mode` can only be True: nkeras runs no code from files. "
            "Hand functions over by their names: custom_objects={'my_function': my_function}."
        )
    if isinstance(filepath, io.IOBase) or hasattr(filepath, "read"):
        name = getattr(filepath, "name", "the file")
        return keras_file.load(filepath, str(name), custom_objects, compile)  # type: ignore[arg-type]
    path = _path(filepath, "load_model")
    if path.is_dir():
        return folder.load(path, custom_objects, compile)
    if not path.exists():
        raise ValueError(f"load_model: there is no file {short(str(path))}.")
    if path.suffix in _LEGACY or (path.suffix == ".keras" and _is_hdf5(path)):
        from nkeras.saving import legacy_h5  # only with such files

        return legacy_h5.load(path, custom_objects, compile)
    if path.suffix == ".keras":
        with path.open("rb", buffering=0) as file:
            return keras_file.load(file, path.name, custom_objects, compile)
    raise ValueError(
        f"load_model: the format of {short(str(path))} is not known. Files end in .keras or .h5."
    )


def save_weights(
    model: Model,
    filepath: PathLike,
    overwrite: bool = True,
    max_shard_size: float | None = None,
    **kwargs: Any,
) -> None:
    """Write the weights of a model into a file.

    Args:
        model: model; it must be built.
        filepath: path that ends in `.weights.h5` or `.safetensors`, or with `max_shard_size` in
            `.weights.json`. All hold the same, the optimizer's state included. In a file of
            safetensors the names of arrays are the paths of variables, such as `dense/kernel`.
        overwrite: whether to replace a file; otherwise ask on the terminal.
        max_shard_size: gigabytes that a file may have; more go into further files.
        **kwargs: only `objects_to_skip`: layers to leave out.

    Raises:
        ValueError: the model is not built, or the path has another ending.
        OSError: the file cannot be written; one of before is as it was.

    Example:
        >>> import os, tempfile, nkeras
        >>> path = os.path.join(tempfile.mkdtemp(), "model.weights.h5")
        >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2)])
        >>> model.save_weights(path)
        >>> model.load_weights(path)

    Source: https://keras.io/api/models/model_saving_apis/weights_saving_and_loading/
    """
    skipped = _skipped(kwargs, "save_weights")
    path = _path(filepath, "save_weights")
    _need_built(model, "save_weights")
    if max_shard_size is not None:
        path = _shards_path(path)
        if _may_write(path, overwrite):
            shards.save(model, path, max_shard_size, skipped)
        return
    ending = _ending(path, _WRITERS, "save_weights")
    if _may_write(path, overwrite):
        _WRITERS[ending](path, model, skipped)


def _shards_path(path: Path) -> Path:
    if path.name.endswith(".weights.h5"):
        other = path.with_suffix(".json")
        warn(
            "save_weights: weights in several files are named by one that ends in .json. "
            f"{str(path)!r} becomes {str(other)!r}."
        )
        return other
    _ending(path, (_SHARDS,), "save_weights")
    return path


def load_weights(
    model: Model, filepath: PathLike, skip_mismatch: bool = False, **kwargs: Any
) -> None:
    """Read the weights of a model from a file: all, or none.

    Args:
        model: model of the same structure; it must be built.
        filepath: path of a `.weights.h5`, `.weights.json`, `.safetensors` or `.keras` file, or of
            an `.h5` file of Keras 1 to 3. Arrays of safetensors go by the paths of variables. If
            not all weights of layers are found in this way, they go by the structure of the model,
            as in the other formats, where nkeras wrote the file.
        skip_mismatch: leave layers that do not fit as they are, and warn.
        **kwargs: only `objects_to_skip`: layers to leave out; for `.h5`, `by_name`: whether to find
            layers by their names instead of their order.

    Raises:
        ValueError: the weights do not fit (then none has changed), or the file is damaged.
        OSError: it cannot be read.

    Source: https://keras.io/api/models/model_saving_apis/weights_saving_and_loading/
    """
    by_name = kwargs.pop("by_name", None)
    skipped = _skipped(kwargs, "load_weights")
    path = _path(filepath, "load_weights")
    _need_built(model, "load_weights")
    with _opened(path, model) as source:
        if _lists_layers(source, path):
            if skipped:
                raise ValueError(
                    "load_weights: argument `objects_to_skip` is for .weights.h5 files; for .h5 "
                    "files `by_name=True` leaves out layers of other names. Received: "
                    f"{short(str(path))}"
                )
            from nkeras.saving import legacy_h5  # only with such files

            legacy_h5.load_weights(model, source, bool(by_name), skip_mismatch)
            return
        if by_name is not None:
            raise ValueError(
                "load_weights: argument `by_name` is for .h5 files that list layers. Received: "
                f"{short(str(path))}"
            )
        weights.load(model, source, skip_mismatch, skipped)


def _is_hdf5(path: Path) -> bool:
    """Whether a file is HDF5: until 2023, Keras 2 wrote that under the ending `.keras` too."""
    with path.open("rb") as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE


def _opened(path: Path, model: Model) -> AbstractContextManager[weights.Source]:
    if path.suffix in _LEGACY and not path.name.endswith(".weights.h5"):
        return hdf5.Reader(path, path.name)
    return _READERS[_ending(path, _READERS, "load_weights")](path, model)


def _lists_layers(source: weights.Source, path: Path) -> TypeGuard[hdf5.Reader]:
    """Whether a file of weights is as Keras 1 and 2 wrote them, under any ending of HDF5."""
    if not isinstance(source, hdf5.Reader) or path.suffix not in _LEGACY:
        return False
    listed = {"layer_names", "layer_names0"} & set(source.file.attrs)
    return bool(listed) or not path.name.endswith(".weights.h5")


def _write_hdf5(path: Path, model: Model, skipped: Collection[object]) -> None:
    with replacing(path, "w+b") as file, hdf5.Writer(file) as writer:
        weights.save(model, writer, skipped)


def _write_tensors(path: Path, model: Model, skipped: Collection[object]) -> None:
    with replacing(path) as file:
        tensor_file.save(model, file, skipped)


@contextmanager
def _read_hdf5(path: Path, model: Model) -> Generator[weights.Source, None, None]:
    with hdf5.Reader(path, path.name) as reader:
        yield reader


@contextmanager
def _read_archive(path: Path, model: Model) -> Generator[weights.Source, None, None]:
    with path.open("rb", buffering=0) as file:
        with hdf5.Reader(keras_file.weights_of(Archive(file, path.name)), path.name) as reader:
            yield reader


@contextmanager
def _read_shards(path: Path, model: Model) -> Generator[weights.Source, None, None]:
    with shards.Source(path) as source:
        yield source


@contextmanager
def _read_tensors(path: Path, model: Model) -> Generator[weights.Source, None, None]:
    with path.open("rb", buffering=0) as file:
        yield tensor_file.Source(safetensors.Reader(file, path.name), model)


# By the ending of the path: what writes and what opens a file of weights.
_WRITERS: dict[str, Callable[[Path, Model, Collection[object]], None]] = {
    ".weights.h5": _write_hdf5,
    ".safetensors": _write_tensors,
}
_READERS: dict[str, Callable[[Path, Model], AbstractContextManager[weights.Source]]] = {
    ".weights.h5": _read_hdf5,
    ".keras": _read_archive,
    ".safetensors": _read_tensors,
    _SHARDS: _read_shards,
}


def _ending(path: Path, known: Collection[str], function: str) -> str:
    for ending in known:
        if path.name.endswith(ending):
            return ending
    if path.name.endswith(_SHARDS):
        raise ValueError(
            f"{function}: for {short(str(path))}, weights in several files, argument "
            "`max_shard_size` says how many gigabytes each may have."
        )
    raise ValueError(
        f"{function}: argument `filepath` must end in {' or '.join(known)}. Received: "
        f"{short(str(path))}"
    )


def _path(given: Any, function: str) -> Path:
    if not isinstance(given, (str, os.PathLike)):
        refuse("filepath", given, "a path", function)
    if "://" in str(given):
        raise ValueError(
            f"{function}: argument `filepath` must be a path of this machine; nkeras neither sends "
            f"nor fetches models. Received: {short(str(given))}"
        )
    return Path(given)


def _skipped(kwargs: dict[str, Any], function: str) -> list[object]:
    skipped = kwargs.pop("objects_to_skip", None)
    if kwargs:
        raise ValueError(f"{function}: unknown arguments {short(list(kwargs))}.")
    return list(skipped or ())


def _has_weights(model: Model) -> bool:
    """Whether it is built, or all its layers are, which a `train_step` may call by themselves."""
    inside = model._flatten_layers(include_self=False)  # pyright: ignore[reportPrivateUsage]
    return model.built or (bool(inside) and all(layer.built for layer in inside))


def _need_built(model: Model, function: str) -> None:
    if not _has_weights(model):
        raise ValueError(
            f"{function}: the model {short(model.name)} is not built, so it has no weights yet. "
            "Call it on data, or `build()` it, before."
        )


def _may_write(path: Path, overwrite: bool) -> bool:
    """Ask where a file would be replaced against the user's will."""
    if overwrite or not path.exists():
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise FileExistsError(f"{str(path)!r} is there already, and `overwrite` is False.")
    answer = input(f"[WARNING] {path} already exists - overwrite? [y/n] ").strip().lower()
    while answer not in ("y", "n"):
        answer = input("Enter y to overwrite, n to cancel: ").strip().lower()
    return answer == "y"
