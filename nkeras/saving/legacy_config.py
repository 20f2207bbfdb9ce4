"""Models in the words of Keras 1, Keras 2, and Keras 3's `.h5` files, translated into today's.

A translation is made from data to data: nothing is built here, and classes are only looked up in
the list of what a file may name (`nkeras.core.allowed`) and among those that the user handed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nkeras.core import allowed
from nkeras.core.errors import short
from nkeras.core.serialization import get_registered_object
from nkeras.core.typing import Config
from nkeras.saving import legacy_arguments

_MODELS = {"Functional": "Functional", "Model": "Functional", "Sequential": "Sequential"}
_VALUES = ("__keras_tensor__", "__numpy__", "__tensor__", "__bytes__", "__slice__", "function")
_FAMILIES = ("layers", "initializers", "regularizers", "constraints", "losses", "metrics")


class Translation:
    """Translates configurations of one file; user's classes are those of the scope around.

    Args:
        file: its name, for messages.
        version: of Keras, 1, 2 or 3.
    """

    def __init__(self, file: str, version: int) -> None:
        self.file = file
        self.version = version

    def refuse(self, what: str) -> ValueError:
        """An error that names the file."""
        return ValueError(f"{self.file}: the configuration: {what}.")

    def model(self, described: Any) -> Config:
        """The configuration of a model, a layer or an operation of a graph.

        Raises:
            ValueError: it says something that no model of nkeras can do, or nothing sensible.
        """
        name, config = self._parts(described)
        if str(described.get("module")).startswith(("keras.src.ops.", "nkeras.ops")):
            return described
        rest = {key: described[key] for key in ("build_config", "name") if key in described}
        if self._is_users(name):
            return {**self._named(name, described), "config": self._values(config), **rest}
        if name in _MODELS:
            module = "keras.models"
            translated = self._graph(config) if _MODELS[name] == "Functional" else {}
            translated = translated or self._sequential(config)
            return {
                "module": module,
                "class_name": _MODELS[name],
                "config": translated,
                "registered_name": None,
                **rest,
            }
        if self.version == 3 and self._is_operation(name, config):
            return {
                "module": "keras.src.ops.numpy",
                "class_name": name,
                "config": self._values(config),
                "registered_name": None,
                **rest,
            }
        rest.pop("build_config", None)
        return {**self.layer(name, config, described), **rest}

    def layer(self, name: str, config: Any, described: Mapping[str, Any]) -> Config:
        """The configuration of a layer of Keras.

        Args:
            name: of its class.
            config: its arguments.
            described: the whole description.
        """
        if not isinstance(config, dict):
            raise self.refuse(f"the arguments of the layer {short(name)} are {short(config)}")
        config = dict(config)
        if self.version < 3:
            try:
                name, config = self._old(name, config)
            except ValueError as error:
                raise self.refuse(str(error)) from None
        if name == "Lambda":
            config = self._lambda(config)
        cls = allowed.find(name, "keras.layers")
        if not isinstance(cls, type):
            named = self._named(name, described)
            return {**named, "config": self._values(config)}
        config = {key: self._value(value, key) for key, value in config.items()}
        if self.version < 3:
            try:
                config = legacy_arguments.known(cls, config)
            except ValueError as error:
                raise self.refuse(str(error)) from None
        return {
            "module": "keras.layers",
            "class_name": name,
            "config": config,
            "registered_name": None,
        }

    def _old(self, name: str, config: Config) -> tuple[str, Config]:
        """A layer of Keras 1 or 2 with today's arguments."""
        shape = config.pop("batch_input_shape", None)
        dtype = config.pop("input_dtype", None)
        if self.version == 1:
            name, config = legacy_arguments.of_keras_1(name, config)
        name, config = legacy_arguments.of_keras_2(name, config)
        if name == "InputLayer":
            config = {"batch_shape": shape, **config}
            config["dtype"] = config.get("dtype") or dtype
        if "name" in config:
            config["name"] = self.safe(config["name"])
        axis = config.get("axis")
        if isinstance(axis, list) and len(axis) == 1:
            config["axis"] = axis[0]
        return name, config

    def safe(self, name: Any) -> Any:
        """The name of a layer: slashes, which Keras 2 allowed, become underscores."""
        return name.replace("/", "_") if isinstance(name, str) and self.version < 3 else name

    def _parts(self, described: Any) -> tuple[str, Any]:
        if not isinstance(described, dict):
            raise self.refuse(f"{short(described)} describes no layer")
        name, config = described.get("class_name"), described.get("config")
        if not isinstance(name, str) or not isinstance(config, (dict, list)):
            raise self.refuse(f"{short(described)} describes no layer")
        plain = name.removeprefix("Custom>")
        if plain != name and not self._is_users(name) and self._module_of(plain, _FAMILIES):
            name = plain  # so Keras 2.11 registered its own
        return name, config

    def _is_users(self, name: str) -> bool:
        return get_registered_object(name) is not None

    def _named(self, name: str, described: Mapping[str, Any]) -> Config:
        """A class that is the user's, or unknown: who builds it says so."""
        registered = described.get("registered_name") or name
        module = described.get("module")
        return {"module": module, "class_name": name, "registered_name": registered}

    def _is_operation(self, name: str, config: Any) -> bool:
        """Whether a node of a graph is a call of an operation: layers have more arguments."""
        is_layer = name == "InputLayer" or "trainable" in config
        return isinstance(config, dict) and "name" in config and not is_layer

    # Models.

    def _sequential(self, config: Any) -> Config:
        if isinstance(config, list):  # until Keras 2.2
            config = {"layers": config}
        layers = config.get("layers")
        if not isinstance(layers, list):
            raise self.refuse(f"the layers of a model are {short(layers)}")
        translated = [self.model(layer) for layer in layers]
        given = self._input_of(layers[0], translated[0]) if layers and self.version < 3 else None
        kept = {
            key: self._value(config[key], key)
            for key in ("name", "trainable", "dtype", "build_input_shape")
            if config.get(key) is not None
        }
        return {**kept, "layers": [given, *translated] if given else translated}

    def _input_of(self, described: Any, translated: Config) -> Config | None:
        """The input that the first layer of a Sequential told about."""
        _, config = self._parts(described)
        if translated["class_name"] in ("InputLayer", *_MODELS) or not isinstance(config, dict):
            return None
        shape = config.get("batch_input_shape")
        if shape is None:
            return None
        dtype = config.get("input_dtype") or config.get("dtype")
        given = {
            "batch_shape": shape,
            "dtype": dtype if isinstance(dtype, str) else None,
            "name": f"{self.safe(config.get('name'))}_input",
        }
        return self.layer("InputLayer", {"batch_input_shape": shape, **given}, {})

    def _graph(self, config: Any) -> Config:
        """A functional model; nothing where the configuration is that of another one."""
        if not isinstance(config, dict) or "input_layers" not in config:
            return {}
        layers = config.get("layers")
        if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
            raise self.refuse(f"the layers of a model are {short(layers)}")
        names = [self._name_of(layer) for layer in layers]
        first = self._first_calls(config, layers, names)
        graph = _References(self, frozenset(names), first)
        translated = []
        for name, layer in zip(names, layers, strict=True):
            made = self.model(layer)
            calls = layer.get("inbound_nodes") or []
            if not isinstance(calls, list):
                raise self.refuse(f"the calls of layer {short(name)} are {short(calls)}")
            made["name"] = name
            made["inbound_nodes"] = [graph.call(call, made["class_name"]) for call in calls]
            translated.append(made)
        return {
            "name": config.get("name"),
            "trainable": config.get("trainable", True) is not False,
            "layers": translated,
            "input_layers": self._end(graph.ends(config["input_layers"])),
            "output_layers": self._end(graph.ends(config.get("output_layers"))),
        }

    def _end(self, places: Any) -> Any:
        """Keras 1 and 2 put a list around the only input or output."""
        if self.version < 3 and isinstance(places, list) and len(places) == 1:
            return places[0]
        return places

    def _name_of(self, layer: Config) -> str:
        config = layer.get("config")
        name = layer.get("name") or (config.get("name") if isinstance(config, dict) else None)
        if not isinstance(name, str):
            raise self.refuse(f"the layer {short(layer)} has no name")
        return self.safe(name)

    def _first_calls(self, config: Config, layers: list[Any], names: list[str]) -> dict[str, int]:
        """By layer, the number of its first call in the file.

        Keras 1 and 2 counted from 1 where a model is called: 0 was how it had been made.
        """
        if self.version == 3:
            return {}
        counts = {
            name: len(layer.get("inbound_nodes") or [])
            for name, layer in zip(names, layers, strict=True)
            if layer.get("class_name") in _MODELS
        }
        used: dict[str, int] = {}
        ends = [config["input_layers"], config.get("output_layers")]
        level: list[Any] = [*ends, *[layer.get("inbound_nodes") for layer in layers]]
        while level:
            value = level.pop()
            if isinstance(value, dict):
                level += value.values()
            elif _is_reference(value):
                name = self.safe(value[0])
                used[name] = max(used.get(name, 0), value[1])
                level += value[3:]
            elif isinstance(value, list):
                level += value
        return {name: 1 for name, count in counts.items() if used.get(name, 0) >= count > 0}

    # Arguments.

    def _values(self, config: Any) -> Any:
        if not isinstance(config, dict):
            return config
        return {key: self._value(value, key) for key, value in config.items()}

    def _value(self, value: Any, key: str) -> Any:
        """An argument: what it describes gets the module that it is from."""
        if isinstance(value, list):
            return [self._value(item, key) for item in value]
        if not isinstance(value, dict):
            is_old = self.version < 3 and value == "hard_sigmoid" and key.endswith("activation")
            return "keras2_hard_sigmoid" if is_old else value
        name = value.get("class_name")
        if not isinstance(name, str):
            return self._values(value)
        if name in ("__tuple__", "TensorShape"):
            items = value.get("items", value.get("config"))
            return [self._value(item, key) for item in items or []]
        if name in _VALUES or name.startswith("__"):
            return value
        if key == "dtype":
            return self._policy(value)
        if not isinstance(value.get("config"), (dict, list)):
            return value
        if key in ("cell", "cells", "layer", "layers", "backward_layer") or name in _MODELS:
            return self.model(value)
        return self._object(value, key)

    def _policy(self, value: Config) -> Any:
        """A dtype policy; how Keras 2 scaled losses belongs to the optimizer today."""
        config = value.get("config")
        if "module" in value or not isinstance(config, dict):
            return value
        return {
            "module": "keras",
            "class_name": "DTypePolicy",
            "config": {"name": config.get("name")},
            "registered_name": None,
        }

    def _object(self, value: Config, key: str) -> Config:
        """An initializer, regularizer, constraint or another thing with a configuration."""
        name, config = self._parts(value)
        if self._is_users(name) or "module" in value:
            return {**self._named(name, value), "config": self._values(config)}
        family = f"{key.rpartition('_')[2]}s"
        families = [family, *_FAMILIES] if family in _FAMILIES else _FAMILIES
        module = self._module_of(name, families)
        if module == "keras.layers":
            return self.model(value)
        config = self._values(config)
        if module == "keras.initializers" and self.version < 3:
            config.pop("dtype", None)
            if config.get("distribution") == "normal":
                config["distribution"] = "truncated_normal"
        return {"module": module, "class_name": name, "config": config, "registered_name": name}

    @staticmethod
    def _module_of(name: str, families: Iterable[str]) -> str | None:
        modules = (f"keras.{family}" for family in families)
        return next((module for module in modules if allowed.find(name, module)), None)

    def _lambda(self, config: Config) -> Config:
        """A Lambda layer, whose function the user hands over: by its name, or that of the layer."""
        name, function = config.get("name"), config.get("function")
        known = get_registered_object(name) if isinstance(name, str) else None
        if isinstance(function, dict):
            function = function.get("config")
        if isinstance(function, str):
            known = known or get_registered_object(function)
        if known is None or not callable(known):
            what = (
                f"is the function {short(function)}"
                if isinstance(function, str)
                else "brings along code, which nkeras never runs"
            )
            key = function if isinstance(function, str) else name
            raise self.refuse(
                f"the layer Lambda {short(name)} {what}. Hand the function over: "
                f"custom_objects={{{short(key)}: function}}"
            )
        shape = config.get("output_shape")
        kept = {key: config[key] for key in ("name", "trainable", "dtype") if key in config}
        return {
            **kept,
            "function": known,
            "output_shape": shape if _is_plain_shape(shape) else None,
            "arguments": config.get("arguments") or {},
        }


class _References:
    """The calls of the layers of a graph, in the words of today."""

    def __init__(
        self, translation: Translation, names: frozenset[str], first: Mapping[str, int]
    ) -> None:
        self._translation = translation
        self._names = names
        self._first = first

    def call(self, call: Any, class_name: str) -> Config:
        """A call: its arguments, as today or as a list of inputs."""
        if isinstance(call, dict) and "args" in call:
            return call
        named: Config = {}
        inputs = self._inputs(call, named)
        if isinstance(inputs, list) and len(inputs) == 1:
            inputs = inputs[0]
        if class_name in legacy_arguments.RECURRENT and isinstance(inputs, list):
            named["initial_state"] = inputs[1:]
            inputs = inputs[0]
        return {"args": [inputs], "kwargs": named}

    def _inputs(self, value: Any, named: Config) -> Any:
        """The inputs of a call; named arguments stand behind each, and go into `named`."""
        if isinstance(value, dict):
            return {key: self._inputs(item, named) for key, item in value.items()}
        if isinstance(value, list) and value[:2] == ["_CONSTANT_VALUE", -1]:
            return value[2] if len(value) > 2 else None
        if _is_reference(value):
            if len(value) > 3 and isinstance(value[3], dict):
                for key, item in value[3].items():
                    if item is not None:
                        named[key] = self._argument(item)
            return self._tensor(value)
        if isinstance(value, list) and value:
            return [self._inputs(item, named) for item in value]
        raise self._translation.refuse(f"{short(value)} is no input of a layer")

    def _argument(self, value: Any) -> Any:
        if _is_reference(value) and self._translation.safe(value[0]) in self._names:
            return self._tensor(value)
        if isinstance(value, list):
            return [self._argument(item) for item in value]
        return value

    def _tensor(self, value: list[Any]) -> Config:
        history = self._place(value)
        return {
            "class_name": "__keras_tensor__",
            "config": {"shape": [], "dtype": "float32", "keras_history": history},
        }

    def _place(self, value: list[Any]) -> list[Any]:
        name = self._translation.safe(value[0])
        return [name, value[1] - self._first.get(name, 0), value[2]]

    def ends(self, value: Any) -> Any:
        """The inputs or outputs of the model."""
        if isinstance(value, dict):
            return {key: self.ends(item) for key, item in value.items()}
        if _is_reference(value):
            return self._place(value)
        if isinstance(value, list):
            return [self.ends(item) for item in value]
        raise self._translation.refuse(f"{short(value)} is no input or output of a model")


def _is_reference(value: Any) -> bool:
    """Whether it is the name of a layer, the number of a call, and that of a result."""
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(isinstance(number, int) for number in value[1:3])
        and value[1] >= 0
    )


def _is_plain_shape(shape: Any) -> bool:
    return isinstance(shape, list) and all(isinstance(size, (int, type(None))) for size in shape)
