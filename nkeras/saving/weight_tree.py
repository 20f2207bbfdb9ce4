"""Weights as a tree of dicts: made of a file or a model, compared, and shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from nkeras.core.errors import short
from nkeras.saving import hdf5, weights
from nkeras.saving.tree import walk

Tree: TypeAlias = "dict[str, Any]"
"""Objects by name, each a tree again, and arrays by name."""

_CELLS = 16


def of_file(reader: hdf5.Reader) -> tuple[Tree, dict[str, dict[str, str]]]:
    """All arrays of a file, read, and what is noted of objects, by their path.

    Raises:
        ValueError: something is at one place in two forms.
    """
    tree: Tree = {}
    notes: dict[str, dict[str, str]] = {}
    for path, stored in sorted(reader.arrays().items(), key=lambda item: in_order(item[0])):
        *objects, name = path.split("/")
        inside = tree
        for number, part in enumerate(objects):
            if part == "vars" and number == len(objects) - 1:
                break
            inside = inside.setdefault(part, {})
            if not isinstance(inside, dict):
                break
        if not isinstance(inside, dict) or name in inside:
            raise ValueError(f"{reader.name}: {short(path)} is there in two forms.")
        inside[name] = np.asarray(stored)
    for path in reader.groups():
        owner, _, last = path.rpartition("/")
        note = reader.note(path, "name") if last == "vars" else None
        if note is not None and has(tree, owner):
            notes[owner] = {"name": note}
    return tree, notes


def in_order(path: str) -> list[tuple[int, str]]:
    """A key to sort paths by: numbers in the order of their size."""
    return [(len(part) if part.isdigit() else 0, part) for part in path.split("/")]


def of_model(model: Any) -> Tree:
    """What a file of a model's weights would have: without the states of seeds."""
    tree: Tree = {}
    for path, thing in walk(model):
        if hasattr(thing, "save_own_variables"):
            store: dict[str, Any] = {}
            thing.save_own_variables(store)
            inside = tree
            for part in path.split("/") if store and path else ():
                inside = inside.setdefault(part, {})
            inside.update({name: np.asarray(value) for name, value in store.items()})
    return tree


def has(tree: Tree, path: str) -> bool:
    """Whether there is an object at a path."""
    inside: Any = tree
    for part in path.split("/") if path else ():
        if not isinstance(inside, dict) or part not in inside:
            return False
        inside = inside[part]
    return isinstance(inside, dict)


def differences(found: Tree, expected: Tree, path: str = "") -> Iterator[tuple[str, str]]:
    """What differs between a file and a model, or equal weights, each as kind and text.

    An object that is missing is one difference, whatever is in it.

    Yields:
        `("match", path)`, or `("error", sentence)`.
    """
    for name in dict.fromkeys([*expected, *found]):
        inner = f"{path}/{name}" if path else name
        if name not in found:
            yield "error", f"{_kind(expected[name])} {inner} is in the model, not in the file."
        elif name not in expected:
            if not _only_seeds(name, found[name]):
                yield "error", f"{_kind(found[name])} {inner} is in the file, not in the model."
        elif isinstance(found[name], dict) and isinstance(expected[name], dict):
            yield from differences(found[name], expected[name], inner)
        elif isinstance(found[name], dict) or isinstance(expected[name], dict):
            yield "error", f"{inner} is a weight in one of both, and an object in the other."
        elif found[name].shape != expected[name].shape:
            yield (
                "error",
                f"Weight {inner} has shape {expected[name].shape} in the model, and "
                f"{found[name].shape} in the file.",
            )
        else:
            yield "match", inner


def _only_seeds(name: str, thing: Any) -> bool:
    return isinstance(thing, dict) and (
        name == weights.SEEDS or all(_only_seeds(below, thing[below]) for below in thing)
    )


def _kind(thing: object) -> str:
    return "Object" if isinstance(thing, dict) else "Weight"


def save(tree: Tree, writer: hdf5.Writer, notes: Mapping[str, Mapping[str, str]]) -> None:
    """Write a tree as a file of weights."""
    _save(tree, "", writer, notes)


def _save(tree: Tree, path: str, writer: hdf5.Writer, notes: Mapping[str, Any]) -> None:
    arrays = {name: value for name, value in tree.items() if not isinstance(value, dict)}
    if arrays or path in notes:
        store = writer.weights_of(path, notes.get(path, {}).get("name"))
        for name, value in arrays.items():
            store[name] = value
    for name, value in tree.items():
        if isinstance(value, dict):
            _save(value, f"{path}/{name}" if path else name, writer, notes)


def lines(tree: Tree, notes: Mapping[str, Mapping[str, str]], path: str = "") -> Iterator[str]:
    """The tree as text, an object or a weight in each line."""
    for number, (name, value) in enumerate(tree.items(), 1):
        is_last = number == len(tree)
        branch, beside = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        inner = f"{path}/{name}" if path else name
        if isinstance(value, dict):
            called = notes.get(inner, {}).get("name")
            yield branch + printable(name) + (f" ({printable(called)!r})" if called else "")
            for line in lines(value, notes, inner):
                yield beside + line
        else:
            yield f"{branch}{printable(name)}: shape={value.shape}, dtype={value.dtype}"


def printable(text: str) -> str:
    """A text from a file, in which nothing speaks to the terminal."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def as_html(tree: Tree, notes: Mapping[str, Mapping[str, str]], path: str = "") -> str:
    """The tree for a notebook: objects fold, weights have numbers and a picture."""
    parts: list[str] = []
    for name, value in tree.items():
        inner = f"{path}/{name}" if path else name
        if isinstance(value, dict):
            called = notes.get(inner, {}).get("name")
            title = f"<b>{_text(name)}</b>" + (f" ({_text(called)})" if called else "")
            body = as_html(value, notes, inner)
        else:
            title = f"{_text(name)}: shape={value.shape}, dtype={_text(str(value.dtype))}"
            body = _numbers(value)
        parts.append(
            f'<details style="margin-left: 1.5em"><summary>{title}</summary>{body}</details>'
        )
    return "".join(parts)


def _text(text: str) -> str:
    import html  # its table of names costs time where nobody looks

    return html.escape(printable(text))


def _numbers(array: np.ndarray) -> str:
    """Least, mean and largest number, and means of blocks as a picture."""
    if not array.size or array.dtype.kind == "c":
        return ""
    matrix = np.atleast_2d(array.astype("float64"))
    matrix = matrix.reshape(-1, matrix.shape[-1])
    facts = ", ".join(
        f"{name} {value:.4g}"
        for name, value in (
            ("min", matrix.min()),
            ("mean", matrix.mean()),
            ("max", matrix.max()),
            ("standard deviation", matrix.std()),
        )
    )
    rows, columns = (np.array_split(np.arange(n), min(n, _CELLS)) for n in matrix.shape)
    blocks = [[matrix[np.ix_(row, column)].mean() for column in columns] for row in rows]
    largest = max((abs(x) for row in blocks for x in row if np.isfinite(x)), default=0) or 1
    cells = "".join(
        f'<rect x="{12 * x}" y="{12 * y}" width="12" height="12" '
        f'fill="{_colour(value / largest)}"/>'
        for y, row in enumerate(blocks)
        for x, value in enumerate(row)
    )
    size = f'width="{12 * len(columns)}" height="{12 * len(rows)}"'
    return f'<div style="margin-left: 1.5em">{facts}<br><svg {size}>{cells}</svg></div>'


def _colour(value: float) -> str:
    """Blue for -1, white for 0, red for 1, black for what is no number."""
    if not np.isfinite(value):
        return "#000"
    strong = round(255 * (1 - min(1.0, abs(value))))
    return f"rgb(255,{strong},{strong})" if value > 0 else f"rgb({strong},{strong},255)"
