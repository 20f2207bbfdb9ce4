"""Nested structures, as `keras.tree`."""

from __future__ import annotations

from collections.abc import Callable

from nkeras.core import missing
from nkeras.core import tree as core_tree
from nkeras.core.errors import short, warn
from nkeras.core.tree import flatten, flatten_with_path, is_nested, pack_sequence_as, rebuilt
from nkeras.core.typing import Structure

__all__ = [
    "MAP_TO_NONE",
    "assert_same_paths",
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "map_structure_up_to",
    "pack_sequence_as",
    "traverse",
]


class MAP_TO_NONE:
    """What the function of `traverse` returns to put None in the place of a part."""


def map_structure(
    func: Callable[..., Structure], *structures: Structure, none_is_leaf: bool = True
) -> Structure:
    """Apply a function to the leaves of one or more structures of the same kinds and sizes.

    Args:
        func: function of as many leaves as there are structures.
        *structures: lists, tuples, deques, dicts or leaves.
        none_is_leaf: whether `func` gets None; else None stays what it is.

    Returns:
        The structure with the function's results as leaves.

    Raises:
        TypeError: `func` cannot be called.
        ValueError: there is no structure, or they differ.

    Example:
        >>> map_structure(lambda a, b: a + b, (1, [2]), (10, [20]))
        (11, [22])

    Source: https://keras.io/api/utils/tree/
    """
    _check_function("map_structure", func)
    if not structures:
        raise ValueError("map_structure: at least one structure is needed. Received none.")
    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    if none_is_leaf:
        return core_tree.map_structure(func, *structures)

    def unless_none(*leaves: Structure) -> Structure:
        return None if leaves[0] is None else func(*leaves)

    return core_tree.map_structure(unless_none, *structures)


def map_structure_up_to(
    shallow_structure: Structure, func: Callable[..., Structure], *structures: Structure
) -> Structure:
    """Apply a function to parts of structures: those that stand where the first has leaves.

    Args:
        shallow_structure: says how deep to go; its leaves are not used.
        func: function of as many parts as there are structures.
        *structures: structures that are at least as deep.

    Returns:
        The shallow structure with the function's results as leaves.

    Raises:
        TypeError: `func` cannot be called.
        ValueError: there is no structure, or one differs from the shallow one, or ends above it.

    Example:
        >>> map_structure_up_to([None, None], len, [[1, 1], [2, 2, 2]])
        [2, 3]

    Source: https://keras.io/api/utils/tree/ (whose example Keras 3.15 refuses for its None).
    """
    _check_function("map_structure_up_to", func)
    if not structures:
        raise ValueError("map_structure_up_to: at least one structure is needed. Received none.")
    return _map_up_to(shallow_structure, func, structures)


def _map_up_to(
    shallow: Structure, func: Callable[..., Structure], structures: tuple[Structure, ...]
) -> Structure:
    if not is_nested(shallow):
        return func(*structures)
    for other in structures:
        _check_same_kind(shallow, other)
    keys = _keys(shallow)
    return rebuilt(
        shallow,
        [_map_up_to(shallow[key], func, tuple(part[key] for part in structures)) for key in keys],
    )


def map_shape_structure(func: Callable[..., Structure], structure: Structure) -> Structure:
    """Apply a function to the shapes in a structure: lists and tuples of int and None.

    Args:
        func: function of a shape.
        structure: lists, tuples, deques and dicts of shapes.

    Returns:
        The structure with the function's results in the place of shapes.

    Raises:
        TypeError: `func` cannot be called.

    Example:
        >>> map_shape_structure(len, {"image": (None, 8, 8), "label": [None]})
        {'image': 3, 'label': 1}

    Source: https://keras.io/api/utils/tree/
    """
    _check_function("map_shape_structure", func)
    if not is_nested(structure) or _is_shape(structure):
        return func(structure)
    parts = [map_shape_structure(func, structure[key]) for key in _keys(structure)]
    return rebuilt(structure, parts)


def traverse(
    func: Callable[[Structure], Structure], structure: Structure, top_down: bool = True
) -> Structure:
    """Apply a function to a structure and to all its parts, leaves included.

    Where the function returns None, the part stays; where it returns anything else, that stands in
    the part's place, and from the top down, what is inside is not visited.

    Args:
        func: function of a part. `MAP_TO_NONE` as its result puts None in the part's place.
        structure: lists, tuples, deques, dicts or leaves.
        top_down: whether parts come before what is inside them, or behind.

    Returns:
        The structure with what the function returned.

    Raises:
        TypeError: `func` cannot be called.

    Example:
        >>> traverse(lambda part: sum(part) if isinstance(part, tuple) else None, [(1, 2), 3])
        [3, 3]

    Source: https://keras.io/api/utils/tree/
    """
    _check_function("traverse", func)
    if top_down:
        result = func(structure)
        if result is None:
            return _traverse_inside(func, structure, top_down)
    else:
        structure = _traverse_inside(func, structure, top_down)
        result = func(structure)
        if result is None:
            return structure
    return None if result is MAP_TO_NONE else result


def _traverse_inside(
    func: Callable[[Structure], Structure], structure: Structure, top_down: bool
) -> Structure:
    if not is_nested(structure):
        return structure
    in_order = core_tree.keys(structure) if isinstance(structure, dict) else _keys(structure)
    parts = {key: traverse(func, structure[key], top_down) for key in in_order}
    return rebuilt(structure, [parts[key] for key in _keys(structure)])


def lists_to_tuples(structure: Structure) -> Structure:
    """The structure with a tuple in the place of each list.

    Args:
        structure: lists, tuples, deques, dicts or leaves.

    Returns:
        The structure.

    Example:
        >>> lists_to_tuples({"a": [1, [2]]})
        {'a': (1, (2,))}

    Source: https://keras.io/api/utils/tree/
    """
    return traverse(
        lambda part: tuple(part) if isinstance(part, list) else None, structure, top_down=False
    )


def assert_same_structure(a: Structure, b: Structure, check_types: bool | None = None) -> None:
    """Raise an error where two structures differ in kinds, sizes or keys.

    All kinds of dicts count as one; lists, tuples, named tuples and deques differ.

    Args:
        a: a structure.
        b: another one.
        check_types: has no effect, as in Keras, and gives a warning.

    Raises:
        ValueError: they differ.

    Example:
        >>> assert_same_structure([(0, 1)], [(2, 3)])

    Source: https://keras.io/api/utils/tree/
    """
    if check_types is not None:
        warn(
            "assert_same_structure: the argument `check_types` has no effect. "
            "Use assert_same_paths() to compare without types.",
            DeprecationWarning,
        )
    if not is_nested(a) and not is_nested(b):
        return
    _check_same_kind(a, b)
    for key in _keys(a):
        assert_same_structure(a[key], b[key])


def assert_same_paths(a: Structure, b: Structure) -> None:
    """Raise an error where two structures have leaves at other places; kinds may differ.

    Args:
        a: a structure.
        b: another one.

    Raises:
        ValueError: the paths of their leaves differ.

    Example:
        >>> assert_same_paths([0, 1], (2, 3))

    Source: https://keras.io/api/utils/tree/
    """
    of_a = {path for path, _ in flatten_with_path(a)}
    of_b = {path for path, _ in flatten_with_path(b)}
    if of_a != of_b:
        raise ValueError(
            "`a` and `b` don't have the same paths. "
            f"Paths in `a` missing in `b`: {short(sorted(of_a - of_b, key=repr))}. "
            f"Paths in `b` missing in `a`: {short(sorted(of_b - of_a, key=repr))}."
        )


def _check_same_kind(a: Structure, b: Structure) -> None:
    if isinstance(a, dict):
        same = isinstance(b, dict) and set(a) == set(b)
    else:
        same = type(a) is type(b) and len(a) == len(b)
    if not same:
        raise ValueError(
            f"Structures don't have the same nested structure. Received: {short(a)} and {short(b)}"
        )


def _keys(structure: Structure) -> list[Structure]:
    return list(structure) if isinstance(structure, dict) else list(range(len(structure)))


def _is_shape(structure: Structure) -> bool:
    return isinstance(structure, (list, tuple)) and all(
        size is None or isinstance(size, int) for size in structure
    )


def _check_function(owner: str, func: object) -> None:
    if not callable(func):
        raise TypeError(f"{owner}: argument `func` must be callable. Received: {short(func)}")


missing.explain(__name__)
