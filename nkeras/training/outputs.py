"""Outputs of a model in one flat order, and what belongs to each of them."""

from __future__ import annotations

from nkeras.core import tree
from nkeras.core.errors import short
from nkeras.core.typing import Structure


def names_of(y_pred: Structure, output_names: list[str] | None) -> list[str | None]:
    """A name for each output in flat order: dict keys, the model's names, or None."""
    paths = [path for path, _ in tree.flatten_with_path(y_pred)]
    if all(path and isinstance(path[-1], str) for path in paths):
        return ["/".join(map(str, path)) for path in paths]
    if output_names is not None and len(output_names) == len(paths):
        return list(output_names)
    return [None] * len(paths)


def flatten_like(
    structure: Structure,
    y_pred: Structure,
    output_names: list[str] | None,
    argument: str,
    wanted: list[int] | None = None,
) -> list[Structure]:
    """The leaves of `structure`, one for each output.

    Args:
        structure: targets or weights: as the outputs, or by name, or a flat list; one leaf stands
            for the only output.
        y_pred: the outputs.
        output_names: the model's names of them.
        argument: for the error message.
        wanted: indices of the outputs that need a leaf; `structure` may have leaves for them only.

    Raises:
        ValueError: the structures do not match.
    """
    outputs = len(tree.flatten(y_pred))
    if isinstance(structure, dict):
        keys = set(structure)
        if isinstance(y_pred, dict):
            if keys == set(y_pred):
                return tree.flatten(structure)
            if wanted is not None and keys <= set(y_pred):
                filled = {
                    key: structure.get(key, tree.map_structure(lambda _: None, y_pred[key]))
                    for key in y_pred
                }
                return tree.flatten(filled)
        elif output_names is not None and keys == set(output_names):
            return [structure[name] for name in output_names]
        elif output_names is not None and wanted is not None and keys <= set(output_names):
            return [structure.get(name) for name in output_names]
        elif outputs == 1 and len(keys) == 1:
            return tree.flatten(structure)
    else:
        leaves = tree.flatten(structure)
        if len(leaves) == outputs:
            if outputs > 1 and isinstance(y_pred, dict) and list(y_pred) != sorted(y_pred):
                raise ValueError(
                    f"Argument `{argument}` must be a dict, as the outputs {short(list(y_pred))} "
                    "are: a list could be in the order of the dict or of the sorted names."
                )
            return leaves
        if wanted is not None and len(leaves) == len(wanted):
            placed = dict(zip(wanted, leaves, strict=True))
            return [placed.get(i) for i in range(outputs)]
    unknown = []
    if isinstance(structure, dict):
        known = list(y_pred) if isinstance(y_pred, dict) else output_names or []
        unknown = [key for key in structure if key not in known]
    raise ValueError(
        f"{argument} and y_pred have different structures.\n"
        f"{argument}: {short(_outline(structure), 80)}\n"
        f"y_pred: {short(_outline(y_pred), 80)}"
        + (f"\nThere are no outputs {short(unknown, 60)}." if unknown else "")
        + (f"\nThe model's outputs are named {short(output_names, 80)}." if output_names else "")
    )


def weights_like(
    sample_weight: Structure, y_pred: Structure, output_names: list[str] | None
) -> list[Structure]:
    """Sample weights for each output; one array stands for all."""
    outputs = len(tree.flatten(y_pred))
    if not tree.is_nested(sample_weight):
        return [sample_weight] * outputs
    if len(tree.flatten(sample_weight)) == 1 and not isinstance(sample_weight, dict):
        return tree.flatten(sample_weight) * outputs
    return flatten_like(
        sample_weight, y_pred, output_names, "sample_weight", wanted=list(range(outputs))
    )


def kind_of_classes(y_true: Structure, y_pred: Structure) -> str:
    """`"binary"`, `"sparse_categorical"` or `"categorical"`, by the shapes."""
    if y_pred.shape and y_pred.shape[-1] == 1:
        return "binary"
    fewer = len(y_true.shape) < len(y_pred.shape)
    if fewer or (y_true.shape[-1] == 1 and y_pred.shape[-1] > 1):
        return "sparse_categorical"
    return "categorical"


def name_of(thing: Structure) -> str:
    """The name of a loss, a metric or a function."""
    if hasattr(thing, "name"):
        return thing.name
    if hasattr(thing, "__name__"):
        return thing.__name__
    from nkeras.core.naming import to_snake_case

    return to_snake_case(type(thing).__name__)


def _outline(structure: Structure) -> Structure:
    return tree.map_structure(
        lambda leaf: None if leaf is None else tuple(getattr(leaf, "shape", ())), structure
    )
