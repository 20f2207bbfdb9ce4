"""How a layer is called: its signature, the context of nested calls, masks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING

from nkeras.core import tree
from nkeras.core.errors import cut_text
from nkeras.core.graph import get_mask
from nkeras.core.typing import Masks

if TYPE_CHECKING:
    from nkeras.layers.base import Layer


class CallContext:
    """Shared by all layers called inside one outermost call."""

    __slots__ = ("entry", "training")

    def __init__(self, entry: Layer) -> None:
        self.entry = entry
        self.training: bool | None = None


context: ContextVar[CallContext | None] = ContextVar("nkeras_call_context", default=None)


class CallSignature:
    """What is known of a layer class' `call` from its signature."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.signature = inspect.signature(function)
        parameters = list(self.signature.parameters.values())[1:]  # without self
        self.names = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        self.positional = [
            p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        self.required = {
            p.name
            for p in parameters
            if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        }
        self.accepts_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self.first = self.names[0] if self.names else ""
        self.has_training = "training" in self.names
        self.default_training = (
            self.signature.parameters["training"].default if self.has_training else None
        )
        self.mask_names = [name for name in self.names if name == "mask" or name.endswith("_mask")]

    def bind(
        self, layer: Layer, arguments: tuple[object, ...], named: dict[str, object]
    ) -> dict[str, object]:
        """The given arguments by name, in the order of the signature.

        Raises:
            TypeError: they do not fit the signature.
        """
        if len(arguments) <= len(self.positional):
            given = {self.positional[i]: value for i, value in enumerate(arguments)}
            if named:
                given |= {name: named[name] for name in self.names if name in named}
            if len(given) == len(arguments) + len(named) and self.required.issubset(given):
                return given
        try:  # the rare kinds of parameters, and mistakes
            bound = self.signature.bind(layer, *arguments, **named)
        except TypeError as error:
            raise TypeError(f"{type(layer).__name__}.call(): {cut_text(str(error), 200)}") from None
        given = dict(bound.arguments)
        given.pop(next(iter(self.signature.parameters)))
        return given


@cache
def signature_of(function: Callable[..., object]) -> CallSignature:
    """The signature of a `call` function, read once."""
    return CallSignature(function)


def masks_of(structure: object) -> Masks:
    """The masks of all tensors in a structure."""
    return tree.map_structure(get_mask, structure)


def has_mask(structure: object) -> bool:
    """Whether any tensor in a structure carries a mask."""
    if hasattr(structure, "shape"):
        return get_mask(structure) is not None
    return any(get_mask(leaf) is not None for leaf in tree.flatten(structure))
