"""The objects of a model that have weights, each with its path in files.

A path is made of the names of attributes, as Keras makes it: files depend on them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, TypeGuard

from nkeras.core import naming
from nkeras.layers.tracking import Tracked
from nkeras.losses import Loss
from nkeras.metrics import Metric
from nkeras.optimizers import Optimizer

_KINDS = (Tracked, Optimizer, Metric, Loss)
_CONTAINERS = (list, tuple, dict)


def walk(root: Any, skipped: Collection[object] = ()) -> Iterator[tuple[str, Any]]:
    """Layers, optimizers and the like in and below an object, each once, with its path.

    Args:
        root: model, layer or optimizer; its own path is empty.
        skipped: objects to leave out, with what is below them.
    """
    yield from _walk(root, "", {id(thing): thing for thing in skipped})


def other_paths(root: Any) -> dict[int, list[str]]:
    """Further paths of objects that have several, by identity: a property shows what it returns."""
    found: dict[int, list[str]] = {}
    for _ in _walk(root, "", {}, found):
        pass
    return found


def _walk(
    thing: Any, path: str, seen: dict[int, Any], others: dict[int, list[str]] | None = None
) -> Iterator[tuple[str, Any]]:
    """As `walk`; what was seen is kept: a list that a property makes must not get a freed id."""
    if id(thing) in seen:
        if others is not None:
            others.setdefault(id(thing), []).append(path)
        return
    seen[id(thing)] = thing
    yield path, thing
    for name, child in _children(thing):
        yield from _walk_child(child, f"{path}/{name}" if path else name, seen, others)


def _walk_child(
    child: Any, path: str, seen: dict[int, Any], others: dict[int, list[str]] | None
) -> Iterator[tuple[str, Any]]:
    if _is_saved(child):
        yield from _walk(child, path, seen, others)
    elif isinstance(child, _CONTAINERS) and id(child) not in seen:
        seen[id(child)] = child
        names: dict[str, int] = {}
        for item in child.values() if isinstance(child, dict) else child:
            if _is_saved(item):
                name = getattr(type(item), "saved_name", naming.to_snake_case(type(item).__name__))
            elif isinstance(item, _CONTAINERS):
                name = "container"
            else:
                continue
            names[name] = number = names.get(name, -1) + 1
            yield from _walk_child(
                item, f"{path}/{name}_{number}" if number else f"{path}/{name}", seen, others
            )


def _is_saved(thing: object) -> TypeGuard[Any]:
    return isinstance(thing, _KINDS)


def _children(thing: Any) -> list[tuple[str, Any]]:
    """Attributes by name, private ones last; the layers of a model first."""
    found = {
        _name_of(thing, name): value
        for name, value in _attributes(thing).items()
        if _is_saved(value) or isinstance(value, _CONTAINERS)
    }
    ordered = sorted(found.items(), key=lambda item: (item[0].startswith("_"), item[0]))
    if getattr(thing, "saves_layers_first", False):
        return [("layers", thing.layers), *ordered]
    return ordered


def _name_of(thing: Any, attribute: str) -> str:
    return getattr(type(thing), "saved_as", {}).get(attribute, attribute)


def _attributes(thing: Any) -> dict[str, Any]:
    """Those that the object has itself, and the properties of classes of the user's."""
    found = {name: value for name, value in vars(thing).items() if name not in _BOOKKEEPING}
    for cls in type(thing).__mro__:
        if cls.__module__.partition(".")[0] not in ("nkeras", "builtins"):
            for name, value in vars(cls).items():
                if isinstance(value, property) and not name.startswith("__"):
                    try:
                        found.setdefault(name, getattr(thing, name))
                    except Exception:  # a property need not have a value now
                        continue
    return found


# What nkeras keeps for itself: it holds what is reached by other names, or nothing with weights.
_BOOKKEEPING = frozenset(
    """_captured _inbound_nodes _owned_variables _own_losses _plans _compiled _graph _tracked_names
    _build_shapes _stack""".split()
)
