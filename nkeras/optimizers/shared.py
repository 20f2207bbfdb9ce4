"""The arguments that all optimizers share: written and documented once, in Optimizer."""

from __future__ import annotations

import functools
import inspect
import re
from typing import Any, TypeVar

from nkeras.optimizers.optimizer import Optimizer

Kind = TypeVar("Kind", bound=type[Optimizer])


def with_shared_arguments(cls: Kind) -> Kind:
    """Decorator of an optimizer whose constructor hands `**shared` on to Optimizer.

    Signature and docstring show what these are, and they may be given by position.
    """
    init: Any = cls.__init__
    own = inspect.signature(init).parameters
    shared = inspect.signature(Optimizer.__init__).parameters
    order = [value for value in own.values() if value.kind is not value.VAR_KEYWORD]
    order += [value for name, value in shared.items() if name not in own]
    signature = inspect.Signature(order, return_annotation="None")

    @functools.wraps(init)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            arguments = dict(signature.bind(*args, **kwargs).arguments)
        except TypeError as error:
            raise TypeError(f"{type(args[0]).__name__}: {error}") from None
        init(**arguments.pop("kwargs", {}), **arguments)

    vars(wrapper)["__signature__"] = signature
    cls.__init__ = wrapper
    cls.__doc__ = _completed(cls.__doc__ or "", Optimizer.__doc__ or "")
    return cls


def _completed(text: str, of_all: str) -> str:
    """A docstring with the entries of Optimizer's further arguments in place of `**shared`."""
    found = re.search(r"^( *)\*\*shared: .*\n", text, re.MULTILINE)
    if found is None:
        return text
    indent = found[1]
    entries = re.findall(rf"^{indent}\w+: .*\n(?:{indent} +.*\n)*", of_all, re.MULTILINE)
    further = [entry for entry in entries if f"\n{entry.partition(':')[0]}:" not in text]
    return text[: found.start()] + "".join(further) + text[found.end() :]
