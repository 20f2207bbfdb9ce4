"""Signatures and docstrings of classes, of what is written once elsewhere."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

_SECTION = re.compile(r"^Args:\n((?: +.*\n?)+)", re.MULTILINE)
_ENTRY = re.compile(r"^    \**(\w+): .*\n?(?:     +.*\n?)*", re.MULTILINE)


def taking(
    init: Callable[..., None], parameters: Iterable[inspect.Parameter]
) -> Callable[..., None]:
    """A constructor that shows and takes other parameters, and hands them on by name."""
    signature = inspect.Signature(list(parameters), return_annotation="None")

    @functools.wraps(init)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(args[0]).__name__}: {error}") from None
        bound.apply_defaults()
        arguments = bound.arguments
        init(**arguments.pop("kwargs", {}), **arguments)

    vars(wrapper)["__signature__"] = signature
    return wrapper


@functools.cache
def argument_entries(docstring: str) -> dict[str, str]:
    """What a docstring says of each argument."""
    section = _SECTION.search(inspect.cleandoc(docstring))
    found = _ENTRY.finditer(section[1] if section else "")
    return {entry[1]: entry[0].rstrip() for entry in found}


def complete_docstring(cls: type, *sources: object) -> None:
    """Give the docstring of a class an entry for each argument of its constructor.

    What it lacks comes from the docstrings of the sources: from the first that has it.
    """
    if not cls.__doc__:
        return  # Python runs without docstrings
    text = inspect.cleandoc(cls.__doc__)
    entries: dict[str, str] = {}
    for source in (*sources[::-1], cls):
        entries |= argument_entries(source.__doc__ or "")
    names = inspect.signature(cls.__init__).parameters
    arguments = "\n".join(["Args:", *(entries[name] for name in names if name in entries)])
    if own := _SECTION.search(text):
        cls.__doc__ = f"{text[: own.start()]}{arguments}\n{text[own.end() :]}"
    else:
        summary, _, rest = text.partition("\n\n")
        cls.__doc__ = "\n\n".join(filter(None, (summary, arguments, rest)))
