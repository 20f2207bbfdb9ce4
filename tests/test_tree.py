"""`nkeras.tree` against `keras.tree`."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import pytest

import nkeras
from tests.harness import oracle

SETUP = """
from collections import OrderedDict, defaultdict, deque, namedtuple
Point = namedtuple("Point", ["x", "y"])
NAMES = {"OrderedDict": OrderedDict, "defaultdict": defaultdict, "deque": deque, "Point": Point}
def shown(expression, tree):
    try:
        return repr(eval(expression, {**NAMES, "tree": tree}))
    except Exception as error:
        return type(error).__name__
"""
LOCAL: dict[str, Any] = {}
exec(SETUP, LOCAL)

STRUCTURES = (
    "1",
    "None",
    "[]",
    "()",
    "{}",
    "[1, None, 'a']",
    "(1, [2, (3,)])",
    "Point(y=2, x=[1])",
    "{'b': 2, 'a': [1]}",
    "OrderedDict([('b', 2), ('a', (1, 5))])",
    "defaultdict(int, {'b': 2, 'a': [1]})",
    "deque([1, [2]], 4)",
    "[{'a': deque([1]), 'c': None}, Point(1, (2, 3))]",
)
ON_ONE = (
    "tree.is_nested({})",
    "tree.flatten({})",
    "tree.flatten_with_path({})",
    "tree.map_structure(lambda x: (x, 0), {})",
    "tree.map_structure(lambda x: str(x), {}, none_is_leaf=False)",
    "tree.lists_to_tuples({})",
    "tree.map_shape_structure(lambda x: ('shape', x), {})",
    "tree.pack_sequence_as({}, ['p', 'q'])",
    "tree.pack_sequence_as({}, ['p', 'q', 'r', 's'])",
    "(lambda seen: (tree.traverse(seen.append, {}), seen))([])",
    "(lambda seen: (tree.traverse(seen.append, {}, top_down=False), seen))([])",
    "tree.traverse(lambda x: tree.MAP_TO_NONE if isinstance(x, list) else None, {})",
    "tree.traverse(lambda x: 'n' if isinstance(x, tuple) else None, {}, top_down=False)",
)
ON_TWO = (
    "tree.map_structure(lambda x, y: (x, y), {}, {})",
    "tree.map_structure_up_to({}, lambda x: ('part', x), {})",
    "tree.assert_same_structure({}, {})",
    "tree.assert_same_paths({}, {})",
)
PAIRS = [
    *((one, one) for one in STRUCTURES),
    ("[1]", "(1,)"),
    ("[1]", "deque([1])"),
    ("[1]", "[1, 2]"),
    ("[None, None]", "[[1, 2], (3,)]"),
    ("[[1], 2]", "[3, 4]"),
    ("{'a': 1}", "{'b': 1}"),
    ("{'a': 1}", "{'a': 1, 'b': 2}"),
    ("{'a': 1, 'b': [2]}", "OrderedDict([('b', [2]), ('a', 1)])"),
    ("(1, 2)", "Point(1, 2)"),
    ("1", "[1]"),
]
UP_TO_NONE = tuple(
    f"tree.map_structure_up_to({start}" for start in ("None", "[1, None", "[None", "[{'a': deque")
)
EXPRESSIONS = [
    *(text.replace("{}", one) for text in ON_ONE for one in STRUCTURES),
    *(text.replace("{}", a, 1).replace("{}", b, 1) for text in ON_TWO for a, b in PAIRS),
    "tree.map_structure(lambda x: x)",
    "tree.map_structure(1, [2])",
    "tree.map_structure_up_to([1], lambda x: x)",
    "tree.map_shape_structure(lambda x: x, {'a': (None, 2), 'b': [[1, 2], (3, None)]})",
]


@oracle.requires_keras
def test_results_are_those_of_keras() -> None:
    code = SETUP + "result = [shown(text, keras.tree) for text in expressions]"
    expected = oracle.run(code, expressions=EXPRESSIONS)
    differing = [
        (text, ours, keras)
        for text, keras in zip(EXPRESSIONS, expected, strict=True)
        if (ours := LOCAL["shown"](text, nkeras.tree)) != keras
        if not (keras == "ValueError" and text.startswith(UP_TO_NONE))
    ]
    assert differing == []


def test_the_shallow_structure_may_have_none() -> None:
    """As in the example of Keras' docstring, which Keras 3.15 itself refuses with optree."""
    assert nkeras.tree.map_structure_up_to([None, None], len, [[1, 1], [2]]) == [2, 1]


Point = namedtuple("Point", ["x", "y"])


@pytest.mark.parametrize(
    "structure",
    [deque([1, 2], 3), defaultdict(list, a=1), OrderedDict(b=1, a=2), Point(1, 2)],
    ids=lambda structure: type(structure).__name__,
)
def test_kinds_are_kept(structure: Any) -> None:
    made = nkeras.tree.map_structure(lambda x: x + 1, structure)
    assert type(made) is type(structure)
    assert getattr(made, "maxlen", None) == getattr(structure, "maxlen", None)
    assert getattr(made, "default_factory", None) == getattr(structure, "default_factory", None)
    assert nkeras.tree.pack_sequence_as(structure, nkeras.tree.flatten(structure)) == structure


def test_check_types_has_no_effect() -> None:
    with pytest.warns(DeprecationWarning, match="check_types"):
        nkeras.tree.assert_same_structure([1], [2], check_types=True)


def test_errors_name_what_came() -> None:
    with pytest.raises(ValueError, match=r"same nested structure\. Received: \[1\] and \(1,\)"):
        nkeras.tree.assert_same_structure([1], (1,))
    with pytest.raises(ValueError, match=r"missing in `b`: \[\('a',\)\]"):
        nkeras.tree.assert_same_paths({"a": 1}, {})
    with pytest.raises(TypeError, match="`func` must be callable"):
        nkeras.tree.traverse(3, [1])  # pyright: ignore[reportArgumentType]


def test_leaves_are_mapped_in_the_order_of_flatten() -> None:
    structure = {"b": 1, "a": [2, {"d": 3, "c": 4}]}
    seen: list[int] = []
    mapped = nkeras.tree.map_structure(lambda leaf: seen.append(leaf) or -leaf, structure)
    assert seen == nkeras.tree.flatten(structure) == [2, 4, 3, 1]
    assert list(mapped) == ["b", "a"]
    assert mapped == {"b": -1, "a": [-2, {"d": -3, "c": -4}]}
