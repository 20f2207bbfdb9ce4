"""Objects to configuration dicts and back, in Keras' format.

Source: https://keras.io/api/models/model_saving_apis/serialization_utils/
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

from nkeras.core import allowed, dtypes, naming
from nkeras.core.errors import cut_text, short
from nkeras.core.graph import KerasTensor
from nkeras.core.tensor import Tensor, as_tensor
from nkeras.core.typing import Config, Structure

T = TypeVar("T")

_custom: dict[str, Any] = {}
_names: dict[object, str] = {}
_scoped: ContextVar[dict[str, object] | None] = ContextVar("nkeras_custom_objects", default=None)
_written: ContextVar[list[Any] | None] = ContextVar("nkeras_objects_written", default=None)
_read: ContextVar[dict[object, Any] | None] = ContextVar("nkeras_objects_read", default=None)


@contextmanager
def sharing() -> Generator[None, None, None]:
    """Inside, an object that configurations describe in two places is one object again."""
    token = _read.set({})
    try:
        yield
    finally:
        _read.reset(token)


def serialize_with_sharing(obj: Any) -> Structure:
    """As `serialize_keras_object`; what stands in two places is marked as one object."""
    token = _written.set([])
    try:
        described = serialize_keras_object(obj)
    finally:
        _written.reset(token)
    marked = _marked(described)
    counts = Counter(config[_MARK] for config in marked)
    numbers = {mark: number for number, mark in enumerate(counts, 1)}
    for config in marked:
        mark = config.pop(_MARK)
        if counts[mark] > 1:
            config[_MARK] = numbers[mark]
    return described


_MARK = "shared_object_id"
_PLAIN = frozenset((bool, int, float, str, type(None)))


def _marked(described: Structure) -> list[Config]:
    """The configurations in a structure that have the mark of an object."""
    found, level = [], [described]
    for part in level:  # which grows
        if isinstance(part, dict):
            found += [part] if _MARK in part else []
            level += part.values()
        elif isinstance(part, (list, tuple)):
            level += part
    return found


_failed: ContextVar[list[str] | None] = ContextVar("failed", default=None)


@contextmanager
def noting_failures() -> Generator[list[str], None, None]:
    """Inside, an object that cannot be made from its configuration is noted, the innermost first.

    Yields:
        Classes and names.
    """
    parts: list[str] = []
    token = _failed.set(parts)
    try:
        yield parts
    finally:
        _failed.reset(token)


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[T], T]:
    """Decorator: make a class or function known to deserialization as `package>name`.

    Args:
        package: prefix.
        name: name; that of the object by default.

    Raises:
        ValueError: a class without `get_config`.
    """

    def register(thing: Any) -> Any:
        if inspect.isclass(thing) and not hasattr(thing, "get_config"):
            raise ValueError(f"Cannot register the class {thing.__name__}: it has no get_config().")
        registered = f"{package}>{name or thing.__name__}"
        _custom[registered] = thing
        _names[thing] = registered
        return thing

    return register


def get_registered_name(thing: Any) -> str:
    """The registered name of a class or function, or its own name."""
    return _names.get(thing) or thing.__name__


def get_registered_object(
    name: str,
    custom_objects: Mapping[str, object] | None = None,
    module_objects: Mapping[str, object] | None = None,
) -> Any:
    """The class or function of a (registered) name, or None."""
    for table in (_scoped.get() or {}, _custom, custom_objects or {}, module_objects or {}):
        if name in table:
            return table[name]
    return None


@contextmanager
def custom_object_scope(
    custom_objects: Mapping[str, object] | None,
) -> Generator[None, None, None]:
    """Inside, deserialization also knows these classes and functions by name.

    Args:
        custom_objects: classes and functions by name. Those of a scope around stay known.

    Example:
        >>> import nkeras
        >>> def double(x):
        ...     return x * 2
        >>> with nkeras.saving.custom_object_scope({"double": double}):
        ...     layer = nkeras.layers.Dense(3, activation="double")
        >>> layer.activation is double
        True

    Source: https://keras.io/api/models/model_saving_apis/serialization_utils/
    """
    token = _scoped.set({**(_scoped.get() or {}), **(custom_objects or {})})
    try:
        yield
    finally:
        _scoped.reset(token)


def get_custom_objects() -> Config:
    """The registered objects; what is added to the dict is known to deserialization."""
    return _custom


def serialize_keras_object(obj: Any) -> Structure:
    """A JSON-compatible description of an object, as Keras writes it."""
    if type(obj) in _PLAIN or isinstance(obj, (int, float, str)):
        return obj
    if isinstance(obj, dict):
        return _serialize_config(obj)
    if isinstance(obj, (list, tuple)):
        items = [serialize_keras_object(item) for item in obj]
        return tuple(items) if isinstance(obj, tuple) else items
    if isinstance(obj, (np.integer, np.floating, np.bool_)):
        return obj.item()
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("utf-8")}}
    if isinstance(obj, slice):
        parts = {"start": obj.start, "stop": obj.stop, "step": obj.step}
        return {"class_name": "__slice__", "config": _serialize_config(parts)}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, KerasTensor):
        return _describe_symbolic(obj)
    if isinstance(obj, Tensor):
        config = {"value": obj.numpy().tolist(), "dtype": obj.dtype}
        return {"class_name": "__tensor__", "config": config}
    if isinstance(obj, np.ndarray) and obj.ndim == 0:
        return obj.item()
    if isinstance(obj, np.ndarray):
        config = {"value": obj.tolist(), "dtype": obj.dtype.name}
        return {"class_name": "__numpy__", "config": config}
    if isinstance(obj, FunctionType) or inspect.isbuiltin(obj) or not hasattr(obj, "get_config"):
        return _serialize_function(obj)
    module = _public_module(type(obj))
    custom = (
        type(obj) in _names
        or module.startswith(_PRIVATE)
        or not type(obj).__module__.startswith("nkeras.")
    )
    described: Config = {
        "module": module,
        "class_name": type(obj).__name__,
        "config": _serialize_config(obj.get_config()),
        "registered_name": get_registered_name(type(obj)) if custom else None,
    }
    build_config = obj.get_build_config() if hasattr(obj, "get_build_config") else None
    if build_config is not None:
        described["build_config"] = serialize_keras_object(build_config)
    compile_config = obj.get_compile_config() if hasattr(obj, "get_compile_config") else None
    if compile_config:
        described["compile_config"] = serialize_keras_object(compile_config)
    alive = _written.get()
    if alive is not None:
        alive.append(obj)  # so that its id is its own
        described[_MARK] = id(obj)
    return described


def _describe_symbolic(tensor: KerasTensor) -> Config:
    history: Any = tensor._keras_history  # pyright: ignore[reportPrivateUsage]  Keras' name
    if history is not None:
        operation, *place = history
        history = [getattr(operation, "name", None) or operation.__name__, *place]
    config = {"shape": tensor.shape, "dtype": tensor.dtype, "keras_history": history}
    return {"class_name": "__keras_tensor__", "config": config}


def _serialize_config(config: Config) -> Config:
    return {
        key: value if type(value) in _PLAIN else serialize_keras_object(value)
        for key, value in config.items()
    }


def _serialize_function(function: Any) -> str | Config:
    name = getattr(function, "__name__", None)
    if name is None or name == "<lambda>":
        raise ValueError(
            f"{short(function)} cannot be serialized: it has neither get_config() nor a name. "
            "Define a named function and register it with register_keras_serializable."
        )
    if function.__module__.startswith("nkeras."):
        return name
    return {
        "module": "builtins",
        "class_name": "function",
        "config": get_registered_name(function),
        "registered_name": "function",
    }


_POLICIES = "keras.dtype_policies"
_PRIVATE = "keras.src.applications."


def _public_module(cls: type) -> str:
    """`keras.layers` for a class of nkeras, its own module for a class of the user's."""
    package = cls.__module__.split(".")
    if package[0] != "nkeras":
        return cls.__module__
    if cls.__name__ == "Functional":  # which Keras writes with its private module
        return "keras.src.models.functional"
    if "keras_module" in cls.__dict__:
        return cls.__dict__["keras_module"]
    if cls.__module__ == "nkeras.core.policies":
        return "keras" if cls.__name__ in ("DTypePolicy", "FloatDTypePolicy") else _POLICIES
    if cls.__name__ == "SeedGenerator":
        return "keras.random"
    if package[1:3] == ["optimizers", "schedules"]:
        return "keras.optimizers.schedules"
    return f"keras.{ {'models': 'models', 'core': 'utils'}.get(package[1], package[1]) }"


def deserialize_keras_object(
    config: Structure,
    custom_objects: Mapping[str, object] | None = None,
    safe_mode: bool = True,
    module_objects: Mapping[str, object] | None = None,
) -> Any:
    """The inverse of `serialize_keras_object`.

    Args:
        config: what `serialize_keras_object` returned.
        custom_objects: classes and functions by name.
        safe_mode: refuse lambdas (nkeras never runs code from a file).
        module_objects: further ones; where `config` is their name alone, it stands for them.

    Raises:
        ValueError, TypeError: the config names something unknown.

    Example:
        >>> import nkeras
        >>> config = nkeras.saving.serialize_keras_object(nkeras.layers.Dense(3, name="out"))
        >>> nkeras.saving.deserialize_keras_object(config).units
        3
    """
    with custom_object_scope({**(module_objects or {}), **(custom_objects or {})}):
        if isinstance(config, str):
            found = get_registered_object(config)
            is_ours = inspect.isclass(found) and config in (module_objects or {})
            return found() if is_ours else config if found is None else found
        return _deserialize(config)


def _deserialize(config: Structure) -> Structure:
    if type(config) in _PLAIN:
        return config
    if isinstance(config, (list, tuple)):
        return type(config)(_deserialize(item) for item in config)
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return _deserialize_config(config)
    name, inner = config["class_name"], config["config"]
    if name == "__tuple__":
        return tuple(_deserialize(item) for item in inner)
    if name == "__tensor__":
        return as_tensor(np.array(inner["value"]), inner["dtype"])
    if name == "__numpy__":
        return np.array(inner["value"], dtype=dtypes.to_numpy(inner["dtype"]))
    if name == "__bytes__":
        return inner["value"].encode("utf-8")
    if name == "__slice__":
        return slice(*(_deserialize(inner[part]) for part in ("start", "stop", "step")))
    if name == "__ellipsis__":
        return Ellipsis
    if name == "__keras_tensor__":
        return KerasTensor(inner["shape"], inner["dtype"])
    if name == "__lambda__":
        raise ValueError(
            "nkeras does not load lambdas from a configuration: it would run its code."
        )
    if name == "function":
        return _find_function(inner, config.get("module"), config.get("registered_name"))
    shared, number = _read.get(), config.get(_MARK)
    if shared is not None and number in shared:
        return shared[number]
    try:
        made = _object(config)
    except Exception:
        parts = _failed.get()
        if parts is not None:
            named = inner.get("name") if isinstance(inner, dict) else None
            kind = cut_text(" ".join(str(name).split()), 60)
            parts.append(f"{kind} {short(named, 60)}" if named else kind)
        raise
    if shared is not None and number is not None:
        shared[number] = made
    return made


def _object(config: Config) -> Any:
    inner = config["config"]
    cls = find_class(config["class_name"], config.get("module"), config.get("registered_name"))
    if _nests(cls):
        made = cls.from_config(inner)
    else:
        with _scope_of(cls, inner):  # layers inside may be built: in the scope of this one
            made = cls.from_config(_deserialize_config(inner))
    build_config = config.get("build_config")
    if build_config and hasattr(made, "build_from_config"):
        made.build_from_config(_deserialize(build_config))
    compile_config = config.get("compile_config")
    if compile_config and hasattr(made, "compile_from_config"):
        made.compile_from_config(compile_config)
    return made


def _nests(cls: type) -> bool:
    """Whether the class deserializes its nested configs itself."""
    return bool(getattr(cls, "deserializes_itself", False))


def _scope_of(cls: type, config: Config) -> AbstractContextManager[object]:
    """The scope of names in which a layer builds the layers inside."""
    name = config.get("name")
    if hasattr(cls, "add_weight") and isinstance(name, str):
        return naming.root_scope(*naming.scope_path(), name)
    return nullcontext()


def _deserialize_config(config: Config) -> Config:
    return {
        key: value if type(value) in _PLAIN else _deserialize(value)
        for key, value in config.items()
    }


def find_class(name: str, module: str | None, registered_name: str | None = None) -> Any:
    """The class or function that a config names: one of the user's, or one that nkeras allows.

    Nothing is imported, and no attribute is looked up, because a configuration says so.

    Raises:
        TypeError: there is none; the message says how to make it known.
    """
    for key in (registered_name, name):
        found = get_registered_object(key) if key else None
        if found is not None:
            return found
    found = allowed.find(name, module)
    if found is not None:
        if registered_name and registered_name not in (name, "function"):
            raise ValueError(
                f"The registered name {short(registered_name, 60)} is not known, and "
                f"{short(name, 60)} of module {short(module, 60)} goes by its own name. Register "
                "the class, or leave `registered_name` out."
            )
        return found
    raise TypeError(
        f"Unknown class or function {short(name)} (module {short(module, 60)}, registered name "
        f"{short(registered_name, 60)}). Pass it in `custom_objects` or register it with "
        "register_keras_serializable."
    )


def _find_function(name: object, module: str | None, registered_name: str | None) -> Any:
    """The function of a config; Keras 3.6 and before left out the package of registered ones."""
    if not isinstance(name, str):
        raise TypeError(f"The config of a function must be its name. Received: {short(name)}")
    if get_registered_object(name) is None and allowed.find(name, module) is None:
        for table in (_scoped.get() or {}, _custom):
            for registered, thing in table.items():
                if registered.endswith(f">{name}"):
                    return thing
    return find_class(name, module, registered_name)
