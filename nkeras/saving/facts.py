"""What a file says of itself: layers, weights, and what a model of it would need.

No model is made and no array is read.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nkeras.core import allowed, naming
from nkeras.core.errors import short
from nkeras.core.typing import Config
from nkeras.models import operations
from nkeras.saving import configuration, hdf5, keras_file, safetensors, shards, weights
from nkeras.saving.archive import Archive
from nkeras.saving.stored import Stored

_MAX_CONFIG = 1 << 27
_OPTIMIZERS = ("optimizer", "optimizer_weights")


@dataclass
class Layer:
    """A layer in a configuration.

    Attributes:
        name: its name.
        kind: name of its class.
        level: how many models it is in.
        input_shape: shape that it was built for, as text; empty where none is noted.
        parameters: how many numbers its weights have.
        size: their bytes.
    """

    name: str
    kind: str
    level: int
    input_shape: str
    parameters: int
    size: int


@dataclass
class Facts:
    """What a file says of itself.

    Attributes:
        name: of the file.
        size: of the file, or of all files of a set, in bytes.
        model: kind and name of the model; empty for weights alone.
        saved: version of Keras, and date; empty where it is not noted.
        layers: the layers, those of nested models behind them.
        weights: all arrays by their name in the file.
        places: their places in the model by name, where names are others.
        dtypes: dtypes of weights, and policies of layers.
        compiled: optimizer, loss and metrics.
        custom: classes and functions that only the caller can give.
        code: layers that bring code along, which nkeras never runs.
        further: other members of an archive.
    """

    name: str
    size: int
    model: str = ""
    saved: str = ""
    layers: list[Layer] = field(default_factory=list[Layer])
    weights: dict[str, Stored] = field(default_factory=dict[str, Stored])
    places: dict[str, str] = field(default_factory=dict[str, str])
    dtypes: list[str] = field(default_factory=list[str])
    compiled: dict[str, str] = field(default_factory=dict[str, str])
    custom: list[str] = field(default_factory=list[str])
    code: list[str] = field(default_factory=list[str])
    further: list[str] = field(default_factory=list[str])

    def parts(self) -> dict[str, dict[str, Stored]]:
        """The arrays of `"layers"`, of the `"optimizer"` and of `"seeds"`."""
        parts: dict[str, dict[str, Stored]] = {"layers": {}, "optimizer": {}, "seeds": {}}
        for name, array in self.weights.items():
            parts[_part(self.places.get(name, name))][name] = array
        return parts


def _part(place: str) -> str:
    parts = place.split("/")
    if parts[0] in _OPTIMIZERS:
        return "optimizer"
    return "seeds" if parts[-3:-1] == [weights.SEEDS, "vars"] else "layers"


def of_file(path: Path) -> Facts:
    """What a file says of itself.

    Args:
        path: path of a `.keras`, `.h5`, `.weights.h5`, `.weights.json`, `.safetensors` or `.onnx`
            file.

    Raises:
        ValueError: the file is damaged, or of another format.
        OSError: it cannot be read.
    """
    facts = Facts(path.name, os.stat(path).st_size)
    if path.suffix == ".keras":
        with path.open("rb") as file:
            _archive(facts, Archive(file, path.name))
    elif path.suffix in (".h5", ".hdf5"):
        with hdf5.Reader(path, path.name) as reader:
            _hdf5(facts, reader)
    elif path.name.endswith(".weights.json"):
        with shards.Source(path) as source:
            facts.size += sum(os.stat(path.with_name(name)).st_size for name in source.shards)
            for group, arrays in source.places.items():
                facts.weights.update({f"{group}/{key}": array for key, array in arrays.items()})
    elif path.suffix == ".safetensors":
        with path.open("rb") as file:
            reader = safetensors.Reader(file, path.name)
            facts.weights.update(reader.tensors)
            facts.places = {name: place for place, name in reader.places().items()}
    elif path.suffix == ".onnx":
        _onnx(facts, path)
    else:
        raise ValueError(
            f"The format of {short(path.name)} is not known. Files end in .keras, .h5, .weights.h5,"
            " .weights.json, .safetensors or .onnx."
        )
    facts.dtypes = sorted({array.dtype for array in facts.weights.values()} | {*facts.dtypes})
    return facts


def _onnx(facts: Facts, path: Path) -> None:
    from nkeras.saving.onnx_facts import OnnxFacts  # only with such files

    found = OnnxFacts(path)
    facts.model, facts.compiled = found.model, found.about
    facts.weights.update(found.weights)
    facts.layers = [
        Layer(name, kind, 0, shape, numbers, size)
        for name, kind, shape, numbers, size in found.nodes
    ]


def _archive(facts: Facts, archive: Archive) -> None:
    config, said = keras_file.config_of(archive), keras_file.metadata_of(archive)
    facts.saved = ", ".join(
        str(said[key])[:100] for key in ("keras_version", "date_saved") if key in said
    )
    known = (keras_file.CONFIG, keras_file.METADATA, keras_file.WEIGHTS)
    facts.further = [name for name in archive.names() if name not in known]
    with hdf5.Reader(keras_file.weights_of(archive), archive.name) as reader:
        facts.weights.update(reader.arrays())
    _model(facts, config, _Places("", by_class=True))
    _compiled(facts, config.get("compile_config"))


def _hdf5(facts: Facts, reader: hdf5.Reader) -> None:
    facts.weights.update(reader.arrays())
    version = reader.note("", "keras_version")
    facts.saved = version or ""
    for name, take in (("model_config", _legacy), ("training_config", _compiled)):
        text = reader.note("", name, _MAX_CONFIG)
        if text is not None:
            take(facts, configuration.parse(text, f"{reader.name}/{name}"))


def _legacy(facts: Facts, config: Config) -> None:
    _model(facts, config, _Places("model_weights/", by_class=False))


def _model(facts: Facts, config: Config, places: _Places) -> None:
    facts.model = f"{config.get('class_name')} {_name(config)!r}"
    facts.layers = list(_layers(config, places, facts.parts()["layers"], 0))
    custom: dict[str, None] = {}
    policies: set[str] = set()
    for thing in _described(config):
        kind, inner = thing["class_name"], thing.get("config")
        if kind == "Lambda" and "__lambda__" in json.dumps(inner):
            facts.code.append(f"Lambda {_name(thing)!r}")
        elif kind.endswith("DTypePolicy") and isinstance(inner, dict):
            policies.add(str(inner.get("name")))
        elif not kind.startswith("__") and not _is_ours(thing):
            name = inner if kind == "function" else thing.get("registered_name") or kind
            custom[str(name)] = None
    facts.custom = list(custom)
    facts.dtypes = sorted(policies)


def _is_ours(thing: Config) -> bool:
    kind, module = thing["class_name"], thing.get("module")
    if "module" not in thing:
        return any(allowed.find(kind, f"keras.{where}") for where in ("layers", "models"))
    if not isinstance(module, str):
        return False
    if module.startswith(("nkeras.ops", "keras.src.ops.")):
        try:
            return operations.find(thing) is not None
        except (ValueError, TypeError):
            return False
    name = thing.get("config") if kind == "function" else kind
    is_plain = module == "builtins" and kind != "function"
    return is_plain or (isinstance(name, str) and allowed.find(name, module) is not None)


def _described(config: Any) -> Iterator[Config]:
    """All objects in a configuration, which is checked already: it is not too deep."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str) and "config" in config:
            yield config
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _described(value)


@dataclass
class _Places:
    """Where the weights of layers stand in a file: by their class and number, or their name."""

    prefix: str
    by_class: bool

    def of(self, layers: list[Config]) -> list[str]:
        if not self.by_class:
            return [f"{self.prefix}{_name(layer)}/" for layer in layers]
        counts: dict[str, int] = {}
        found: list[str] = []
        for layer in layers:
            name = naming.to_snake_case(str(layer.get("class_name")))
            counts[name] = number = counts.get(name, -1) + 1
            found.append(f"{self.prefix}layers/{name}{f'_{number}' if number else ''}/")
        return found


def _layers(
    config: Config, places: _Places, arrays: Mapping[str, Stored], level: int
) -> Iterator[Layer]:
    inner = config.get("config")
    listed: Any = inner.get("layers") if isinstance(inner, dict) else inner
    known: list[Any] = listed if isinstance(listed, list) else []
    layers: list[Config] = [layer for layer in known if isinstance(layer, dict)]
    for layer, place in zip(layers, places.of(layers), strict=True):
        own = [array for name, array in arrays.items() if name.startswith(place)]
        yield Layer(
            _name(layer),
            str(layer.get("class_name")),
            level,
            _input_shape(layer),
            sum(math.prod(array.shape) for array in own),
            sum(array.nbytes for array in own),
        )
        below = _Places(place if places.by_class else places.prefix, places.by_class)
        yield from _layers(layer, below, arrays, level + 1)


def _name(layer: Config) -> str:
    inner = layer.get("config")
    return str((inner.get("name") if isinstance(inner, dict) else None) or layer.get("name", ""))


def _input_shape(layer: Config) -> str:
    inner, built = layer.get("config"), layer.get("build_config")
    shape = built.get("input_shape") if isinstance(built, dict) else None
    if shape is None and isinstance(inner, dict):
        shape = inner.get("batch_shape") or inner.get("batch_input_shape")
    return short(shape, 60).replace("[", "(").replace("]", ")") if shape else ""


def _compiled(facts: Facts, config: Any) -> None:
    if not isinstance(config, dict):
        return
    facts.compiled = {
        kind: _called(config[name])
        for kind, name in (
            ("optimizer", "optimizer"),
            ("optimizer", "optimizer_config"),
            ("loss", "loss"),
            ("metrics", "metrics"),
        )
        if config.get(name)
    }


def _called(thing: Any) -> str:
    """The names of what is described."""
    if isinstance(thing, dict):
        if "class_name" in thing:
            named = thing.get("config") if thing["class_name"] == "function" else None
            return str(named or thing["class_name"])
        return ", ".join(f"{key}: {_called(value)}" for key, value in thing.items())
    if isinstance(thing, list):
        return ", ".join(_called(value) for value in thing)
    return str(thing)
