"""Tensors and layers as HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from nkeras.utils.value_picture import value_picture

if TYPE_CHECKING:
    from nkeras.core.tensor import Tensor
    from nkeras.core.variable import Variable
    from nkeras.layers.base import Layer

_LONGEST = 200
_MOST_WEIGHTS = 100


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; cells are text.

    Example:
        >>> "<td" in table(["a"], [["<b>"]]), "<b>" in table(["a"], [["<b>"]])
        (True, False)
    """
    head = "".join(f"<th>{cell(name)}</th>" for name in headers)
    body = "".join(f"<tr>{''.join(map(_td, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _td(value: object) -> str:
    return f"<td>{cell(value)}</td>"


def cell(value: object) -> str:
    """Text of any value, escaped and cut."""
    text = str(value)
    return escape(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


def tensor_html(tensor: Tensor) -> str:
    """Shape, dtype and backend of a tensor, what its values are like, a picture, the values."""
    array = tensor.numpy()
    picture = value_picture(array) if _is_real(array) else None
    facts = [
        ("shape", tensor.shape),
        ("dtype", tensor.dtype),
        ("backend", tensor.backend.name),
        *_statistics(array),
    ]
    with np.printoptions(threshold=100, edgeitems=3):
        values = escape(str(array))
    names, found = zip(*facts, strict=True)
    return f"{table(names, [found])}{picture or ''}<pre>{values}</pre>"


def _is_real(array: np.ndarray) -> bool:
    return array.dtype.kind in "iufb" or "float" in array.dtype.name


def _statistics(array: np.ndarray) -> list[tuple[str, object]]:
    if not array.size or array.dtype.kind == "b" or not _is_real(array):
        return []
    wide = array.astype(np.float64)
    finite = wide[np.isfinite(wide)]
    found: list[tuple[str, object]] = []
    if finite.size:
        named = {"min": finite.min(), "mean": finite.mean(), "max": finite.max()}
        found = [(name, f"{value:.4g}") for name, value in named.items()]
    if finite.size < wide.size:
        found.append(("not finite", wide.size - finite.size))
    return found


def layer_html(layer: Layer) -> str:
    """Name and class of a layer, its configuration and its weights."""
    title = f"<b>{cell(layer.name)}</b> ({cell(type(layer).__name__)})"
    if not layer.built:
        title += ", not built"
    try:
        config = layer.get_config()
    except NotImplementedError:  # a class of the user's that does not say
        config = {}
    rows = [(name, value) for name, value in config.items() if name != "name"]
    title += f", {layer.count_params():,} parameters" if layer.built else ""
    weights = [_weight_row(weight) for weight in layer.weights[:_MOST_WEIGHTS]]
    parts = [f"<div>{title}</div>", table(["argument", "value"], rows)]
    if weights:
        names = ["weight", "shape", "dtype", "trainable", "min", "mean", "max", "not finite"]
        parts.append(table(names, weights))
    left_out = len(layer.weights) - len(weights)
    if left_out:
        parts.append(f"<div>{left_out:,} weights more</div>")
    return "".join(parts)


def _weight_row(weight: Variable) -> tuple[object, ...]:
    found = dict(_statistics(np.asarray(weight.numpy())))
    values = (found.get(name, "") for name in ("min", "mean", "max", "not finite"))
    return (weight.path, weight.shape, weight.dtype, "yes" if weight.trainable else "no", *values)
