"""Plain values into a file of weights: numbers, texts, arrays, and lists and dicts of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np

from nkeras.core.errors import short
from nkeras.core.typing import Structure
from nkeras.saving.configuration import parse

_TEXT = "json"


def write(value: Structure, store: MutableMapping[str, Any]) -> None:
    """Put a value into the mapping of one object's arrays.

    Args:
        value: number, text, None, array, NumPy's random generator (of the usual kind), or lists,
            tuples and dicts of them. Tuples become lists.
        store: takes the arrays, and the rest as one of bytes.

    Raises:
        TypeError: the value holds something else.
    """
    arrays: list[np.ndarray] = []
    text = json.dumps({"value": _encoded(value, arrays)})
    store[_TEXT] = np.frombuffer(text.encode(), "uint8")
    for number, array in enumerate(arrays):
        store[str(number)] = array


def read(store: Mapping[str, np.ndarray], name: str) -> Structure:
    """What `write` has written.

    Args:
        store: the arrays.
        name: of the file, for messages.

    Raises:
        ValueError: it is damaged.
    """
    if _TEXT not in store:
        raise ValueError(f"{name}: the file has no state of a training.")
    text = store[_TEXT]
    if text.dtype != np.uint8 or text.ndim != 1:
        raise ValueError(f"{name}: the state of the training is no text.")
    try:
        return _decoded(parse(text.tobytes(), name)["value"], store)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{name}: the state of the training is damaged: {short(error)}") from None


def _encoded(value: Any, arrays: list[np.ndarray]) -> Any:
    if value is None or isinstance(value, (bool, float, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else {"integer": hex(value)}
    if isinstance(value, (list, tuple)):
        return [_encoded(item, arrays) for item in value]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"a dict with the key {short(key)}, which is no text")
        return {"dict": {key: _encoded(item, arrays) for key, item in value.items()}}
    if isinstance(value, np.random.Generator):
        return {"generator": _encoded(dict(value.bit_generator.state), arrays)}
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fiubc":
        arrays.append(np.asarray(value))
        return {"array": len(arrays) - 1}
    raise TypeError(f"{short(value)} (of type {type(value).__name__})")


def _decoded(value: Any, store: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_decoded(item, store) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind == "dict":
        return {key: _decoded(item, store) for key, item in held.items()}
    if kind == "array":
        return store[str(held)]
    if kind == "integer":
        return int(held, 16)
    if kind == "generator":
        generator = np.random.Generator(np.random.PCG64())
        generator.bit_generator.state = _decoded(held, store)
        return generator
    raise KeyError(kind)
