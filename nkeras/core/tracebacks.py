"""Tracebacks that end where the user can do something: frames of nkeras are left out.

A public entry, such as `fit`, the call of a layer or an op, lets an error pass with its traceback
cut to the frames of others. The layer in which it happened adds which one it is and what it was
called with. `nkeras.config.disable_traceback_filtering()` shows all frames again.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from nkeras.core import config
from nkeras.core.errors import OURS, cut_text, short
from nkeras.core.strings import STRING, TextGiven, no_text

if TYPE_CHECKING:
    from nkeras.layers.base import Layer

# NumPy's frames below ours, or below the user's line, say nothing that the message does not.
_HIDDEN = (*OURS, str(Path(np.__file__).parent) + os.sep)

_Function = TypeVar("_Function", bound=Callable[..., object])


def cut(error: Exception) -> None:
    """Take frames of nkeras out of a traceback and its causes. A bare `raise` behind adds none."""
    if config.is_traceback_filtering_enabled():
        cause: BaseException | None = error
        while cause is not None:
            cause.__traceback__ = _of_others(cause.__traceback__)
            cause = cause.__cause__ or cause.__context__
        if sys.version_info < (3, 11):  # where a bare `raise` brings the frames back
            raise error


def entry(function: _Function) -> _Function:
    """Decorator of a public function whose errors are cut."""

    @functools.wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except Exception as error:
            cut(error)
            raise

    return wrapper  # type: ignore[return-value]


def pass_layer(
    error: Exception, layer: Layer, arguments: Mapping[str, object], is_outermost: bool
) -> None:
    """Let an error pass out of the call of a layer; the innermost one tells what it was given.

    Behind the outermost call, the error has a note with the path of the innermost layer.
    """
    if not config.is_traceback_filtering_enabled():
        return
    with suppress(AttributeError):  # an error with slots cannot be told
        told = error.__dict__.setdefault("_layers", [])
        if not told:
            lines = [f"  - {name}={_described(argument)}" for name, argument in arguments.items()]
            error.__dict__["_call"] = (f"{type(layer).__name__}.call()", lines)
            if isinstance(error, TextGiven):
                given = [key for key, value in arguments.items() if _is_text(value)]
                owner = f"Layer {short(layer.name)} ({type(layer).__name__})"
                error.args = no_text(", ".join([owner, *given[:1]])).args
        told.append(layer.name)
        if is_outermost and not error.__dict__.get("_is_told", False):
            error.__dict__["_is_told"] = True
            _add_note(error)
    if is_outermost:
        cut(error)


def _is_text(value: Any) -> bool:
    return getattr(value, "dtype", None) == STRING


def _add_note(error: Exception) -> None:
    (call, lines), path = error.__dict__["_call"], "/".join(reversed(error.__dict__["_layers"]))
    text = f"Exception encountered when calling {call} of layer {short(path)}."
    text = cut_text("\n".join([text, *(["Arguments received:", *lines] if lines else [])]), 400)
    add_note = getattr(error, "add_note", None)
    if add_note is not None:
        add_note(text)
    elif error.args and isinstance(error.args[0], str):  # Python 3.10 has no notes
        error.args = (f"{error.args[0]}\n\n{text}", *error.args[1:])


def _described(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{type(value).__name__}(shape={tuple(value.shape)}, dtype={value.dtype})"
    if type(value) in (list, tuple) and len(value) <= 4:
        return f"[{', '.join(map(_described, value))}]"
    if type(value) is dict and len(value) <= 4:
        return "{" + ", ".join(f"{key!r}: {_described(item)}" for key, item in value.items()) + "}"
    return short(value, 60)


def _of_others(traceback: TracebackType | None) -> TracebackType | None:
    frames: list[TracebackType] = []
    last = traceback
    while last is not None:
        if not last.tb_frame.f_code.co_filename.startswith(_HIDDEN):
            frames.append(last)
        last = last.tb_next
    chain: TracebackType | None = None
    for frame in reversed(frames):
        chain = TracebackType(chain, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return chain
