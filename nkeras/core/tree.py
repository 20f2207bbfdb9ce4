"""Nested structures of lists, tuples, named tuples, deques and dicts, as `keras.tree`.

The leaves of a dict come in the order of its keys, those of an OrderedDict as they stand there.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator

from nkeras.core.errors import short
from nkeras.core.typing import Structure


def is_nested(structure: Structure) -> bool:
    """Whether it is a list, tuple, deque or dict.

    Example:
        >>> is_nested([1, 2]), is_nested(1)
        (True, False)
    """
    return isinstance(structure, (list, tuple, dict, deque))


def flatten(structure: Structure) -> list[Structure]:
    """The leaves, depth first.

    Example:
        >>> flatten({"b": [2, 3], "a": 1})
        [1, 2, 3]
    """
    if isinstance(structure, dict):
        structure = [structure[key] for key in keys(structure)]
    elif not isinstance(structure, (list, tuple, deque)):
        return [structure]
    leaves: list[Structure] = []
    for item in structure:
        if isinstance(item, (dict, list, tuple, deque)):
            leaves += flatten(item)
        else:
            leaves.append(item)
    return leaves


def keys(mapping: dict[Structure, Structure]) -> list[Structure]:
    """The keys of a dict in the order of its leaves."""
    if isinstance(mapping, OrderedDict):
        return list(mapping)
    try:
        return sorted(mapping)
    except TypeError:  # keys of several types keep their order
        return list(mapping)


def flatten_with_path(structure: Structure) -> list[tuple[tuple[Hashable, ...], Structure]]:
    """Pairs of (path, leaf)."""
    if isinstance(structure, dict):
        children = [(key, structure[key]) for key in keys(structure)]
    elif isinstance(structure, (list, tuple, deque)):
        children = list(enumerate(structure))
    else:
        return [((), structure)]
    return [
        ((key, *path), leaf) for key, child in children for path, leaf in flatten_with_path(child)
    ]


def map_structure(function: Callable[..., Structure], *structures: Structure) -> Structure:
    """Apply a function to the leaves of structures of the same shape, in the order of `flatten`.

    Example:
        >>> map_structure(lambda a, b: a + b, (1, [2]), (10, [20]))
        (11, [22])
    """
    first = structures[0]
    if not isinstance(first, (dict, list, tuple, deque)):
        return function(*structures)
    if isinstance(first, dict):
        for other in structures[1:]:
            if not isinstance(other, dict) or set(other) != set(first):
                raise ValueError(f"Structures differ: {short(first)} and {short(other)}.")
        mapped = {  # in the order of `flatten`: a function may count
            key: map_structure(function, *(structure[key] for structure in structures))
            for key in keys(first)
        }
        return rebuilt(first, [mapped[key] for key in first])
    for other in structures[1:]:
        if not isinstance(other, (list, tuple, deque)) or len(other) != len(first):
            raise ValueError(f"Structures differ: {short(first)} and {short(other)}.")
    items = [
        map_structure(function, *[structure[i] for structure in structures])
        for i in range(len(first))
    ]
    return rebuilt(first, items)


def rebuilt(structure: Structure, children: list[Structure]) -> Structure:
    """A list, tuple, deque or dict of the same kind and keys with other children, in its order."""
    kind = type(structure)
    if isinstance(structure, defaultdict):
        return kind(structure.default_factory, zip(structure, children, strict=True))
    if isinstance(structure, dict):
        return kind(zip(structure, children, strict=True))
    if isinstance(structure, deque):
        return kind(children, structure.maxlen)
    return kind(*children) if hasattr(structure, "_fields") else kind(children)


def pack_sequence_as(structure: Structure, flat_sequence: Iterable[Structure]) -> Structure:
    """A structure of the same shape with other leaves.

    Raises:
        ValueError: the number of leaves differs.
    """
    leaves = list(flat_sequence)
    if len(leaves) != len(flatten(structure)):
        raise ValueError(f"{len(leaves)} leaves do not fit the structure {short(structure)}.")
    rest = iter(leaves)
    return pack_sequence_as_from(structure, rest)


def pack_sequence_as_from(structure: Structure, rest: Iterator[Structure]) -> Structure:
    """As `pack_sequence_as`, taking leaves from an iterator."""
    if isinstance(structure, dict):
        ordered = {key: pack_sequence_as_from(structure[key], rest) for key in keys(structure)}
        return rebuilt(structure, [ordered[key] for key in structure])
    if isinstance(structure, (list, tuple, deque)):
        items = [
            pack_sequence_as_from(item, rest)
            if isinstance(item, (dict, list, tuple, deque))
            else next(rest)
            for item in structure
        ]
        return rebuilt(structure, items)
    return next(rest)
