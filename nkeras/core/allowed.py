"""What a configuration may name: classes of nkeras that have one, and pure functions."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# The module that Keras writes, without `keras.` or `keras.src.`, and where nkeras has its classes.
_PACKAGES = {
    "": "nkeras.models",
    "layers": "nkeras.layers",
    "models": "nkeras.models",
    "engine": "nkeras.models",  # Keras 2
    "losses": "nkeras.losses",
    "metrics": "nkeras.metrics",
    "optimizers": "nkeras.optimizers",
    "optimizers.schedules": "nkeras.optimizers.schedules",
    "initializers": "nkeras.initializers",
    "regularizers": "nkeras.regularizers",
    "constraints": "nkeras.constraints",
    "activations": "nkeras.activations",
    "quantizers": "nkeras.quantizers",
    "dtype_policies": "nkeras.dtype_policies",
    "distillation": "nkeras.distillation",
    "random": "nkeras.random",
    "utils": "nkeras.utils",
    "layers.preprocessing.feature_space": "nkeras.utils.feature_space",
    # Classes that Keras writes with their private module.
    "applications.convnext": "nkeras.applications.convnext",
    "applications.inception_resnet_v2": "nkeras.applications.inception_resnet_v2",
}
_LATER = {("nkeras.utils", "FeatureSpace"): "nkeras.utils.feature_space"}
_OF_FUNCTIONS = ("nkeras.activations", "nkeras.losses", "nkeras.metrics")
_NO_CALCULATION = ("deserialize", "get", "serialize")


def find(name: str, module: str | None) -> Any:
    """The class or function that a configuration may name so, or None.

    Args:
        name: of the class or function.
        module: public or private module of Keras or nkeras in which the configuration says it is.
    """
    if module == "builtins":  # how Keras writes functions, those of its own too
        found = (find(name, package.replace("nkeras", "keras")) for package in _OF_FUNCTIONS)
        return next((one for one in found if one is not None and not isinstance(one, type)), None)
    known = _found.get((name, module))
    if known is None and (known := _find(name, module)) is not None:
        _found[name, module] = known
    return known


_found: dict[tuple[str, str | None], Any] = {}


def _find(name: str, module: str | None) -> Any:
    package = _package(module)
    if package is None:
        return None
    package = _LATER.get((package, name), package)
    found = vars(import_module(package)).get(name)
    if found is None and package == "nkeras.models":
        found = vars(import_module("nkeras.dtype_policies")).get(name)  # `keras.DTypePolicy`
    if not getattr(found, "__module__", "").startswith("nkeras."):
        return None
    if isinstance(found, type):
        return found if hasattr(found, "get_config") else None
    is_function = package in _OF_FUNCTIONS and callable(found) and name not in _NO_CALCULATION
    return found if is_function else None


def _package(module: str | None) -> str | None:
    """Where nkeras has what Keras has in a module."""
    parts = (module or "").split(".")
    if parts[0] not in ("keras", "nkeras"):
        return None
    parts = parts[2 if parts[1:2] == ["src"] else 1 :]
    names = (".".join(parts[:length]) for length in (len(parts), 2, 1))
    return next((_PACKAGES[name] for name in names if name in _PACKAGES), None)
