"""The variables of a model as dicts in dicts, by the parts of their paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from nkeras.core.errors import short, warn
from nkeras.core.typing import Config
from nkeras.core.variable import Variable

_KINDS = (
    "trainable_variables",
    "non_trainable_variables",
    "optimizer_variables",
    "metrics_variables",
)
_FORMATS = ("backend_tensor", "numpy_array")


def read(model: Any, value_format: str) -> Config:
    """What `Model.get_state_tree` returns.

    Raises:
        ValueError: the format is another one, or two variables have one path.
    """
    if value_format not in _FORMATS:
        raise ValueError(
            f"get_state_tree: argument `value_format` must be one of {list(_FORMATS)}. Received: "
            f"{short(value_format)}"
        )
    return {kind: _nested(_variables(model, kind), value_format) for kind in _KINDS}


def write(model: Any, state_tree: Config) -> None:
    """What `Model.set_state_tree` does.

    Raises:
        ValueError: it names another kind of variables, or a value has another shape.
    """
    for kind, inside in state_tree.items():
        if kind not in _KINDS:
            raise ValueError(
                f"set_state_tree: unknown variable name {short(kind)}. Known are {list(_KINDS)}."
            )
        values = dict(_flat(inside, ""))
        for variable in _variables(model, kind):
            if variable.path in values:
                variable.assign(values[variable.path])
        unknown = values.keys() - {variable.path for variable in _variables(model, kind)}
        if unknown:
            warn(f"set_state_tree: {kind} has no variables {short(sorted(unknown))}.")


def _variables(model: Any, kind: str) -> list[Variable]:
    if kind == "optimizer_variables":
        return [] if model.optimizer is None else model.optimizer.variables
    return getattr(model, kind)


def _nested(variables: Iterable[Variable], value_format: str) -> Config:
    nested: Config = {}
    seen: set[str] = set()
    for variable in variables:
        *above, name = variable.path.split("/")
        if variable.path in seen:
            raise ValueError(
                "The following variable path is found twice in the model: "
                f"{short(variable.path)}. `get_state_tree()` can only be called when all variable "
                "paths are unique. Give layers and other objects names of their own."
            )
        seen.add(variable.path)
        inside = nested
        for part in above:
            inside = inside.setdefault(part, {})
            if not isinstance(inside, dict):
                break
        if not isinstance(inside, dict) or name in inside:
            raise ValueError(
                f"The path {short(variable.path)} leads on from that of another variable. Give "
                "layers and other objects names of their own."
            )
        inside[name] = variable.value if value_format == "backend_tensor" else variable.numpy()
    return nested


def _flat(inside: Config, path: str) -> Iterator[tuple[str, Any]]:
    for name, value in inside.items():
        below = f"{path}/{name}" if path else name
        if isinstance(value, dict):
            yield from _flat(value, below)
        else:
            yield below, value
