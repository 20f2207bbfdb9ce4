"""What callbacks and datasets remember from step to step, by the names that their classes give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nkeras.core.errors import short
from nkeras.core.typing import Config, Structure


def saved_attributes(thing: object) -> Config:
    """The attributes that a callback or dataset names in `saved_attributes`, by name."""
    return {name: getattr(thing, name) for name in _names(thing) if hasattr(thing, name)}


def restore_attributes(thing: object, state: Mapping[str, Structure]) -> None:
    """Put back what `saved_attributes` returned."""
    for name in _names(thing):
        if name in state:
            setattr(thing, name, state[name])


def _names(thing: object) -> list[str]:
    found = [name for cls in type(thing).__mro__ for name in vars(cls).get("saved_attributes", ())]
    return list(dict.fromkeys(found))


def part_of(state: Config, name: str, kind: type) -> Any:
    """An entry of a state, which must be of a kind.

    Raises:
        ValueError: it is not.
    """
    found = state.get(name)
    if type(found) is not kind:
        raise ValueError(
            f"The state of a training must have {name!r}, of type {kind.__name__}. "
            f"Received: {short(found)}"
        )
    return found


def count_of(state: Config, name: str) -> int:
    """An entry of a state, which must be a number from 0.

    Raises:
        ValueError: it is not.
    """
    found = part_of(state, name, int)
    if found < 0:
        raise ValueError(f"The state of a training has {name}={found}, which is negative.")
    return found
