"""nkeras is Keras on Numba: `import nkeras as keras` and go.

Names are loaded when they are first used: `import nkeras` loads neither numba nor h5py.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_MODULES = (
    "activations applications backend callbacks config constraints datasets distillation "
    "dtype_policies export initializers layers legacy losses metrics mixed_precision models ops "
    "optimizers preprocessing quantizers random regularizers saving training tree utils "
    "visualization wrappers"
).split()

_NAMES = {
    "DTypePolicy": "core.policies",
    "FloatDTypePolicy": "core.policies",
    "Function": "models.function",
    "GradientTape": "core.tape",
    "Initializer": "initializers",
    "Input": "layers.core",
    "InputSpec": "layers.input_spec",
    "KerasTensor": "core.graph",
    "Layer": "layers.base",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models.model",
    "Operation": "core.operation",
    "Optimizer": "optimizers",
    "Quantizer": "quantizers",
    "Regularizer": "regularizers",
    "SeedGenerator": "core.random",
    "RematScope": "core.remat",
    "Sequential": "models.sequential",
    "StatelessScope": "core.stateless",
    "Tensor": "core.tensor",
    "Variable": "core.variable",
    "backends": "backend.registry",
    "custom_gradient": "ops.core",
    "device": "backend.registry",
    "elementwise": "ops.custom",
    "function": "training.function",
    "get_backend": "backend.registry",
    "grad": "core.transforms",
    "kernel": "ops.kernel",
    "name_scope": "core.naming",
    "remat": "core.remat",
    "set_backend": "backend.registry",
    "stop_gradient": "ops.core",
    "use_backend": "backend.registry",
    "value_and_grad": "core.transforms",
    "visualise": "inspect.visualise",
}


def version() -> str:
    """The version of nkeras.

    Example:
        >>> version() == __version__
        True
    """
    return __version__


__all__ = ["__version__", "version", *_MODULES, *_NAMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"nkeras.{name}")
    if name in _NAMES:
        value = getattr(import_module(f"nkeras.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    from nkeras.core.missing import error

    raise error(__name__, name)


def __dir__() -> list[str]:
    return sorted(__all__)
