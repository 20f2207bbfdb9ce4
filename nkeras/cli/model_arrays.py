"""Arrays of a file as inputs of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nkeras.core.errors import short

if TYPE_CHECKING:
    import numpy as np


def for_inputs(model: Any, given: dict[str, np.ndarray]) -> Any:
    """The arrays as `predict` takes them: by the names of inputs, or in the file's order."""
    names = names_of(model, "input_names")
    if len(given) == 1 and len(names) <= 1:
        return next(iter(given.values()))
    if set(given) == set(names):
        return given
    if len(names) in (0, len(given)) and all(name.startswith("arr_") for name in given):
        return list(given.values())  # NumPy has numbered them
    raise ValueError(
        f"the model has inputs of the names {short(names)}. Received arrays of the names "
        f"{short(list(given))}."
    )


def names_of(model: Any, kind: str) -> list[str]:
    """Those of inputs or outputs; none of a model without a graph."""
    return list(getattr(model, kind, ()))
