"""A file in another format: models, weights, and what of both goes into the other."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nkeras.core.errors import short
from nkeras.core.files import replacing
from nkeras.models.from_onnx import from_onnx
from nkeras.saving import hdf5, safetensors, shards, weights
from nkeras.saving.models import load_model, save_model
from nkeras.saving.stored import Stored

MODELS = (".keras", ".h5", ".hdf5", ".onnx")
WEIGHTS = (".weights.h5", ".weights.json", ".safetensors")


def convert(source: Path, target: Path, max_shard_size: float | None = None) -> None:
    """Write what is in a file in the format that the name of another one asks for.

    A model becomes a model or, without its structure, weights. Weights become weights: no model is
    made, arrays go from place to place. Names in a new file of safetensors are then the places,
    such as `layers/dense/vars/0`.

    Args:
        source: path of a file that ends in one of `MODELS` or `WEIGHTS`.
        target: path of the file to write; an old one stays until the new one is whole.
        max_shard_size: gigabytes that a file may have; for `.weights.json`.

    Raises:
        ValueError, TypeError: a file is damaged, or cannot be had in the other format.
        OSError: a file cannot be read or written.
    """
    before, after = ending(source), ending(target)
    if before in WEIGHTS and after in MODELS:
        raise ValueError(
            f"{source.name} has weights alone, which are no model for {target.name}: make the "
            "model in Python and call `model.load_weights`."
        )
    if before in WEIGHTS:
        _convert_weights(source, target, max_shard_size)
        return
    model = from_onnx(source) if before == ".onnx" else load_model(source)
    if after == ".onnx":
        model.export(target, format="onnx", verbose=False)
    elif after in MODELS:
        save_model(model, target)
    else:
        model.save_weights(target, max_shard_size=max_shard_size)


def ending(path: Path) -> str:
    """What the name of a file says of its format.

    Raises:
        ValueError: nothing that is known.
    """
    for known in (*WEIGHTS, *MODELS):
        if path.name.endswith(known):
            return known
    raise ValueError(
        f"The format of {short(path.name)} is not known. Models end in {', '.join(MODELS)}, "
        f"weights in {', '.join(WEIGHTS)}."
    )


def _convert_weights(source: Path, target: Path, max_shard_size: float | None) -> None:
    with opened(source) as (arrays, notes):
        if target.name.endswith(".safetensors"):
            with replacing(target) as file:
                safetensors.write(file, arrays, {place: place for place in arrays})
        elif target.name.endswith(".weights.json"):
            if max_shard_size is None:
                raise ValueError(f"{target.name}: how many gigabytes may each of its files have?")
            shards.write(target, max_shard_size, lambda new: _fill(new, arrays, notes))
        else:
            with replacing(target, "w+b") as file, hdf5.Writer(file) as writer:
                _fill(writer, arrays, notes)


def _fill(target: weights.Target, arrays: Mapping[str, Stored], notes: Mapping[str, str]) -> None:
    for place, array in arrays.items():
        group, _, key = place.rpartition("/")
        if not group.endswith("vars"):
            raise ValueError(f"{short(place)} is no place of a weight in a model of Keras.")
        owner = group.removesuffix("vars").rstrip("/")
        target.weights_of(owner, notes.get(group))[key] = array


@contextmanager
def opened(path: Path) -> Generator[tuple[Mapping[str, Stored], Mapping[str, str]], None, None]:
    """The arrays of a file of weights by their places, not read yet, and names of their layers.

    Raises:
        ValueError: the file is damaged, or its places are not known.
        OSError: it cannot be read.
    """
    if path.name.endswith(".weights.h5"):
        with hdf5.Reader(path, path.name) as reader:
            yield reader.arrays(), names_of_layers(reader)
    elif path.name.endswith(".weights.json"):
        with shards.Source(path) as source:
            yield (
                {
                    f"{group}/{key}": a
                    for group, found in source.places.items()
                    for key, a in found.items()
                },
                {},
            )
    else:
        with path.open("rb") as file:
            reader = safetensors.Reader(file, path.name)
            placed = {place: reader.tensors[name] for place, name in reader.places().items()}
            if len(placed) < len(reader.tensors):
                raise ValueError(
                    f"{path.name}: it does not say where its arrays belong in a model. Make the "
                    "model in Python, and call `load_weights` and `save_weights`."
                )
            yield placed, {}


def names_of_layers(reader: hdf5.Reader) -> dict[str, str]:
    """The names that are noted at groups of weights."""
    found: dict[str, str] = {}
    for path in reader.groups():
        name = reader.note(path, "name")
        if name is not None:
            found[path] = name
    return found
