"""The description of a model in a file: JSON, read with limits."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from nkeras.core.errors import cut_text, short
from nkeras.core.serialization import (
    deserialize_keras_object,
    noting_failures,
    serialize_with_sharing,
    sharing,
)
from nkeras.core.typing import Config

_MAX_BYTES = 1 << 27
_MAX_DEPTH = 200
_MAX_VALUES = 5_000_000
_LARGEST = 2**63 - 1
_HALVES = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")  # of characters in UTF-16
_MOST_TEXT = 500  # of what an object says of its configuration
# What constructors and calls raise where a value of a damaged configuration surprises them.
_DAMAGED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
)


def write(model: Any, training: bool = True) -> str:
    """The configuration of a model as JSON; objects that are used twice are marked as one.

    Args:
        model: model, layer or another object with a configuration.
        training: whether to write how the model was compiled.
    """
    described = serialize_with_sharing(model)
    if not training and isinstance(described, dict):
        described.pop("compile_config", None)
    return json.dumps(described)


def read(
    text: bytes | str, name: str, custom_objects: Mapping[str, object] | None, compiled: bool
) -> Any:
    """The object that a text describes.

    Args:
        text: JSON.
        name: of the file, for messages.
        custom_objects: classes and functions by name.
        compiled: whether to compile models that were.

    Raises:
        ValueError, TypeError: the text is damaged, exceeds a limit, or names what nkeras lacks.
    """
    config = parse(text, name)
    if "class_name" not in config:
        raise ValueError(f"{name}: the configuration describes no object: {short(config)}")
    if not compiled:
        config["compile_config"] = None
    with sharing(), noting_failures() as failed:
        try:
            made = deserialize_keras_object(config, custom_objects)
        except _DAMAGED as error:
            what = f"{type(error).__name__} {short(str(error))}"
            where = f"{name}, {failed[0]}" if failed else name
            raise ValueError(f"{where}: the configuration cannot be built: {what}") from error
        except (ValueError, TypeError) as error:
            kind = ValueError if isinstance(error, ValueError) else TypeError
            where = f"{name}, {failed[0]}" if failed else name
            what = str(error).partition("\n\n")[0]  # without the notes of Python 3.10
            raise kind(f"{where}: {cut_text(what, _MOST_TEXT)}") from error
    if not hasattr(made, "get_config") or isinstance(made, type):
        raise ValueError(f"{name}: the configuration describes no object: {short(config)}")
    return made


def decoded(text: bytes | str, **options: Any) -> Any:
    """JSON whose texts are whole: Python would take halves of characters, which no file can hold.

    Args:
        text: UTF-8.
        options: of `json.loads`.

    Raises:
        ValueError: it is damaged.
        RecursionError: it is nested too deeply.
    """
    text = text if isinstance(text, str) else bytes(text).decode()
    found = json.loads(text, **options)
    if _HALVES.search(text):
        json.dumps(found, ensure_ascii=False).encode()  # two of them may make one
    return found


def parse(text: bytes | str, name: str) -> Config:
    """JSON within limits.

    Raises:
        ValueError: it is damaged or exceeds one.
    """
    if len(text) > _MAX_BYTES:
        raise ValueError(f"{name}: the configuration has {len(text)} bytes, over {_MAX_BYTES}.")
    try:
        parsed = decoded(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name}: the configuration is damaged: {short(error)}") from None
    _check(parsed, name)
    if not isinstance(parsed, dict):
        raise ValueError(f"{name}: the configuration describes no object: {short(parsed)}")
    return parsed


def _check(parsed: object, name: str) -> None:
    """Refuse what is too deep, too much, or an integer that nothing needs."""
    level: list[Any] = [parsed]
    count = 0
    for _ in range(_MAX_DEPTH):
        count += len(level)
        if count > _MAX_VALUES:
            raise ValueError(f"{name}: the configuration has over {_MAX_VALUES} values.")
        below: list[Any] = []
        for value in level:
            kind = type(value)  # JSON makes no others than these
            if kind is dict:
                below += value.values()
            elif kind is list:
                below += value
            elif kind is int and not -_LARGEST <= value <= _LARGEST:
                raise ValueError(f"{name}: the configuration has the integer {short(value)}.")
        if not below:
            return
        level = below
    raise ValueError(f"{name}: the configuration is nested over {_MAX_DEPTH} times.")
