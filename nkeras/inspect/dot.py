"""A model's graph in Graphviz' language."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from nkeras.core.errors import short
from nkeras.core.files import replacing
from nkeras.inspect.labels import Label, label
from nkeras.inspect.outline import Box, Outline, outline

if TYPE_CHECKING:
    from nkeras.models.model import Model

DIRECTIONS = ("TB", "BT", "LR", "RL")
SPLINES = ("ortho", "curved", "polyline", "spline", "line")


class Dot:
    """A graph in the language of Graphviz' program `dot`, as text.

    Args:
        source: the text.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    def to_string(self) -> str:
        """The text."""
        return self.source

    def __str__(self) -> str:
        return self.source

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the text into a file; Graphviz' `dot -Tsvg file` draws it."""
        with replacing(path, "w") as file:
            file.write(self.source)


def model_to_dot(
    model: Model,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
    **kwargs: object,
) -> Dot:
    """The graph of a model as text for Graphviz; Keras returns an object of pydot instead.

    Args:
        model: a built model.
        show_shapes: whether to name shapes.
        show_dtype: whether to name dtypes.
        show_layer_names: whether to name layers.
        rankdir: `"TB"` from top to bottom, or `"BT"`, `"LR"`, `"RL"`.
        expand_nested: whether layers of nested models are shown, in frames.
        dpi: pixels in an inch.
        subgraph: whether to make a cluster for another graph.
        show_layer_activations: whether to name activations.
        show_trainable: whether to say which layers are trained.
        splines: how edges run, one of `"ortho"`, `"curved"`, `"polyline"`, `"spline"`, `"line"`.
        **kwargs: refused.

    Returns:
        A `Dot`; its text is `str(dot)`.

    Raises:
        ValueError: the model is not built, or an argument is not known.

    Example:
        >>> import nkeras
        >>> model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2, name="a")])
        >>> print(str(model_to_dot(model)).splitlines()[-2])
          n0 -> n1;

    Source: https://keras.io/api/utils/model_plotting_utils/
    """
    check_arguments("model_to_dot", rankdir, splines, kwargs)
    found = outline(model, expand_nested)

    def text(box: Box) -> Label:
        return label(
            box, show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable
        )

    lines: list[str] = []
    _write(lines, found, text, "n", "  ")
    opening = ["digraph {", f"  rankdir={rankdir}; dpi={dpi:d}; splines={splines};"]
    if subgraph:
        opening = ["subgraph cluster_n {", f"  label={_quoted(model.name)}; style=dashed;"]
    return Dot("\n".join([*opening, "  node [shape=box];", *lines, "}", ""]))


def check_arguments(name: str, rankdir: str, splines: str, others: dict[str, object]) -> None:
    """Refuse what Keras' drawings of models do not know.

    Raises:
        ValueError: as it says.
    """
    if others.pop("layer_range", None) is not None:
        raise ValueError(f"{name}: argument `layer_range` is no longer supported.")
    if others:
        raise ValueError(f"{name}: unknown arguments {short(sorted(others))}.")
    for argument, value, known in (
        ("rankdir", rankdir, DIRECTIONS),
        ("splines", splines, SPLINES),
    ):
        if value not in known:
            raise ValueError(
                f"{name}: argument `{argument}` must be one of {known}. "
                f"Received: {argument}={short(value)}"
            )


def _write(
    lines: list[str], found: Outline, text: Callable[[Box], Label], prefix: str, indent: str
) -> None:
    for number, box in enumerate(found.boxes):
        key = f"{prefix}{number}"
        own = text(box)
        if box.inner is None:
            words = [own.title, *own.lines]
            if own.trained is not None:
                words.append("trainable" if own.trained else "not trainable")
            lines.append(f"{indent}{key} [label={_quoted(*words)}];")
            continue
        lines.append(f"{indent}subgraph cluster_{key} {{")
        lines.append(f"{indent}  label={_quoted(own.title)}; style=dashed;")
        _write(lines, box.inner, text, f"{key}_", indent + "  ")
        lines.append(f"{indent}}}")
    for source, target in dict.fromkeys(
        (_end(found, ends[0], prefix, True), _end(found, ends[1], prefix, False))
        for ends in found.edges
    ):
        lines.append(f"{indent}{source} -> {target};")


def _end(found: Outline, end: tuple[int, int], prefix: str, is_source: bool) -> str:
    """The innermost box that an edge begins or ends at."""
    number, tensor = end
    key, inner = f"{prefix}{number}", found.boxes[number].inner
    if inner is None:
        return key
    ends = inner.outputs if is_source else inner.inputs
    return _end(inner, ends[min(tensor, len(ends) - 1)], f"{key}_", is_source)


def _quoted(*lines: str) -> str:
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(" ".join(line.split("\n")) for line in escaped) + '"'
