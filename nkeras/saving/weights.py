"""The weights of a model into a file, and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Protocol

from nkeras.core.errors import short, warn
from nkeras.core.variable import Variable, postponed_values
from nkeras.layers.tracking import Tracked
from nkeras.layers.weights import Weighted
from nkeras.saving.tree import other_paths, walk

SEEDS = "seeds"
"""Beside `vars`: the states of seeds, which Keras does not save, and passes over."""


_SMALL = 1 << 22  # elements that a model may have which are not in its file


class Source(Protocol):
    """A file from which weights are read."""

    name: str

    def weights_of(self, path: str) -> Any:
        """The mapping of stored arrays of the object at a path."""
        ...


class Target(Protocol):
    """A file into which weights are written."""

    def weights_of(self, path: str, name: str | None = None) -> MutableMapping[str, Any]:
        """The mapping that takes the arrays of the object at a path."""
        ...


def save(model: Any, target: Target, skipped: Collection[object] = ()) -> None:
    """Write the weights of a model and all in it, its optimizer included.

    Args:
        model: model or layer.
        target: where to.
        skipped: objects to leave out, with what is in them.
    """
    for path, thing in walk(model, skipped):
        if hasattr(thing, "save_own_variables"):
            thing.save_own_variables(target.weights_of(path, getattr(thing, "name", None)))
        seeds = _seeds_of(thing)
        if seeds:
            store = target.weights_of(_below(path, SEEDS))
            for number, state in enumerate(seeds):
                store[str(number)] = state.frozen()


def make(build: Callable[[], Any], source: Source, stored: int) -> Any:
    """A new object with the weights of a file.

    Args:
        build: makes the object. Its variables get no values of their own.
        source: where the weights are read from.
        stored: bytes of all arrays in it.

    Raises:
        ValueError: the object does not fit the file, or is larger than what the file holds.
    """
    with postponed_values() as variables:
        made = build()
        count = sum(math.prod(variable.shape) for variable in variables)
        if count > stored + _SMALL:
            largest = max(variables, key=lambda variable: math.prod(variable.shape))
            raise ValueError(
                f"{source.name}: the configuration describes weights of {count} numbers, the file "
                f"has {stored} bytes of them. The largest is {short(largest.path)} of shape "
                f"{largest.shape}."
            )
        load(made, source)
    return made


def load(
    model: Any, source: Source, skip_mismatch: bool = False, skipped: Collection[object] = ()
) -> None:
    """Read the weights of a model and all in it: all, or none.

    Args:
        model: model or layer.
        source: where from.
        skip_mismatch: leave the weights of layers that do not fit as they are, and warn.
        skipped: objects to leave out, with what is in them.

    Raises:
        ValueError: something does not fit; no weight has changed, unless by a `load_own_variables`
            of the user's.
    """
    things = [
        (path, thing)
        for path, thing in walk(model, skipped)
        if hasattr(thing, "load_own_variables")
    ]
    problems = {
        path: problem
        for path, thing in things
        if (problem := _mismatch(path, thing, source.weights_of(path)))
    }
    under = _other_places(model, things, problems, source) if problems else {}
    problems = {path: problem for path, problem in problems.items() if path not in under}
    if problems:
        _report(problems, source, skip_mismatch)
    for path, thing in things:
        if path not in problems:
            place = under.get(path, path)
            thing.load_own_variables(source.weights_of(place))
            _load_seeds(thing, source.weights_of(_below(place, SEEDS)))


def _other_places(
    model: Any, things: Sequence[tuple[str, Any]], problems: Collection[str], source: Source
) -> dict[str, str]:
    """Where the weights of objects lie that do not fit under their paths, and have further ones."""
    others = other_paths(model)
    found: dict[str, str] = {}
    for above, thing in things:
        for other in others.get(id(thing), ()):
            for path, below in things:
                if path in problems and path not in found and _is_in(path, above):
                    place = other + path[len(above) :]
                    store = source.weights_of(place)
                    if len(store) and not _mismatch(place, below, store):
                        found[path] = place
    return found


def _is_in(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}/")


def places(model: Any) -> Iterator[tuple[str, Variable, bool]]:
    """The variables of a model with their places in files, such as `"layers/dense/vars/0"`.

    Args:
        model: model or layer.

    Yields:
        Place, variable, and whether it is a layer's.
    """
    for path, thing in walk(model):
        if hasattr(thing, "save_own_variables"):
            is_layer = isinstance(thing, Weighted)
            own = thing.saved_weights() if is_layer else thing.variables
            for number, variable in enumerate(own):
                yield _below(path, f"vars/{number}"), variable, is_layer
        for number, state in enumerate(_seeds_of(thing)):
            yield _below(path, f"{SEEDS}/vars/{number}"), state, False


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _seeds_of(thing: Any) -> list[Variable]:
    return thing.seed_states if isinstance(thing, Tracked) else []


def _load_seeds(thing: Any, store: Any) -> None:
    """A file of Keras has none: then they start anew."""
    seeds = _seeds_of(thing)
    if len(store) == len(seeds):
        for number, state in enumerate(seeds):
            if store.stored(str(number)).shape == state.shape:
                state.assign(store.stored(str(number)))


def _mismatch(path: str, thing: Any, store: Any) -> str:
    """What does not fit between the weights of an object and what is stored of it."""
    if type(thing).load_own_variables.__module__.partition(".")[0] != "nkeras":
        return ""  # the user's own function knows
    if getattr(thing, "knows_its_variables", False):
        return ""
    if not isinstance(thing, Weighted):
        weights = thing.variables
        if len(weights) != len(store):
            return ""  # an optimizer warns, and goes on without, or was not built yet
    else:
        weights = thing.saved_weights()
    kind = f"{type(thing).__name__} {short(thing.name)} ({short(path or 'the model itself')})"
    if len(weights) != len(store):
        if not weights and not getattr(thing, "built", True):
            return (
                f"{kind} has {len(store)} weights in the file, and was never built. Its outer "
                "layer should build it in `build()`."
            )
        return f"{kind} has {len(weights)} weights, {len(store)} of them are in the file"
    for number, variable in enumerate(weights):
        if str(number) not in store:
            return f"{kind}: its weight {number} is missing"
        shape = store.stored(str(number)).shape
        if shape != variable.shape:
            return f"{kind}: {variable.name} has shape {variable.shape}, in the file {shape}"
    return ""


def _report(problems: Mapping[str, str], source: Source, skip_mismatch: bool) -> None:
    first = next(iter(problems.values()))
    more = f" {len(problems) - 1} more do not fit: {short(list(problems)[1:])}." * (
        len(problems) > 1
    )
    if skip_mismatch:
        warn(f"{source.name}: some weights stay as they are. {first}.{more}")
        return
    raise ValueError(f"{source.name}: the weights do not fit the model. {first}.{more}")
