"""What built-in losses and metrics share: each is a function, whose arguments are attributes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import ClassVar

from nkeras.core.signatures import complete_docstring, taking
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Config

FUNCTIONS: dict[str, Callable[..., Tensor]] = {}
"""The functions of built-in losses and metrics, by the names that configurations have."""


class Named:
    """Made by a function: `class MeanSquaredError(NamedLoss, fn=mean_squared_error)`.

    A class without a constructor has that of its base, with the function's name as the name. Of the
    function's arguments, those that the constructor has are attributes; docstrings tell of them.
    """

    function: ClassVar[Callable[..., Tensor]]
    _options: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, fn: Callable[..., Tensor] | None = None) -> None:
        super().__init_subclass__()
        if fn is None:
            return
        cls.function = staticmethod(fn)
        FUNCTIONS[fn.__name__] = fn
        parameters = inspect.signature(cls.__init__).parameters
        if "__init__" not in vars(cls):
            name = parameters["name"].replace(default=fn.__name__)
            cls.__init__ = taking(cls.__init__, {**parameters, "name": name}.values())
        cls._options = tuple(n for n in inspect.signature(fn).parameters if n in parameters)
        complete_docstring(cls, fn, *cls.__mro__[1:])

    def _fn_options(self) -> Config:
        return {name: getattr(self, name) for name in self._options}
