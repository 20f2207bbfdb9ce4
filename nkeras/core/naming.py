"""Names: snake case, unique names per session, name scopes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from threading import Lock

from nkeras.core.errors import is_a, short
from nkeras.core.scope import Scope

_counts: dict[str, int] = defaultdict(int)
_scopes: ContextVar[tuple[str, ...]] = ContextVar("nkeras_name_scopes", default=())
_lock = Lock()


@lru_cache(4096)
def to_snake_case(name: str) -> str:
    """`Conv2DTranspose` becomes `conv2d_transpose`, as in Keras."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix: str) -> str:
    """A name that is unique in this session: `dense`, `dense_1`, ..."""
    return uniquify(to_snake_case(prefix))


def uniquify(name: str) -> str:
    """The name, with a number behind it from its second use on."""
    with _lock:
        count = _counts[name]
        _counts[name] += 1
    return f"{name}_{count}" if count else name


def get_uid(prefix: str = "") -> int:
    """Count how often a prefix was used in this session: 1, 2, ...

    Args:
        prefix: any string; automatic names of layers count too.

    Returns:
        int.

    Example:
        >>> get_uid("an example"), get_uid("an example")
        (1, 2)

    Source: https://keras.io/api/utils/backend_utils/
    """
    with _lock:
        _counts[prefix] += 1
        return _counts[prefix]


def reset() -> None:
    """Forget all names used so far."""
    _counts.clear()


@contextmanager
def name_scope(name: str) -> Generator[None, None, None]:
    """Variables created inside have `name` in their path.

    Example:
        >>> import nkeras
        >>> with nkeras.name_scope("encoder"):
        ...     nkeras.Variable(1.0, name="scale").path
        'encoder/scale'
    """
    if not is_a(name, str) or not name or "/" in name:
        raise ValueError(
            f"name_scope: argument `name` must be a string without '/'. Received: {short(name)}"
        )
    token = _scopes.set((*_scopes.get(), name))
    try:
        yield
    finally:
        _scopes.reset(token)


def root_scope(*names: str) -> Scope[tuple[str, ...]]:
    """Replace the whole scope inside the block."""
    return Scope(_scopes, names)


def scope_path() -> tuple[str, ...]:
    """Names of the scopes around."""
    return _scopes.get()
