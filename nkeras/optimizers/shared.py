"""The arguments that all optimizers share: written and documented once, in Optimizer."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from nkeras.core.signatures import complete_docstring, taking
from nkeras.optimizers.optimizer import Optimizer

Kind = TypeVar("Kind", bound=type[Optimizer])


def with_shared_arguments(cls: Kind) -> Kind:
    """Decorator of an optimizer whose constructor hands `**shared` on to Optimizer.

    Signature and docstring show what these are, and they may be given by position. They come behind
    the optimizer's own arguments, but before those that its constructor takes by name alone.
    """
    init: Any = cls.__init__
    own = inspect.signature(init).parameters
    shared = inspect.signature(Optimizer.__init__).parameters
    order = [value for value in own.values() if value.kind is value.POSITIONAL_OR_KEYWORD]
    order += [value for name, value in shared.items() if name not in own]
    behind = [value for value in own.values() if value.kind is value.KEYWORD_ONLY]
    at = next((i for i, value in enumerate(order) if value.kind is value.VAR_KEYWORD), len(order))
    order[at:at] = [value.replace(kind=value.POSITIONAL_OR_KEYWORD) for value in behind]
    cls.__init__ = taking(init, order)
    complete_docstring(cls, Optimizer)
    return cls
