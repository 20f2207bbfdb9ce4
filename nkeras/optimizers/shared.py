"""The arguments that all optimizers share: written and documented once, in Optimizer."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from nkeras.core.signatures import complete_docstring, taking
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
    cls.__init__ = taking(
        init, [*order, *(value for name, value in shared.items() if name not in own)]
    )
    complete_docstring(cls, Optimizer)
    return cls
