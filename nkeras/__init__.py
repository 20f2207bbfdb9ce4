"""nkeras is Keras on Numba: `import nkeras as keras` and go.

Names are loaded when they are first used: `import nkeras` loads neither numba nor h5py.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_MODULES = (
    "activations backend callbacks config constraints datasets initializers layers losses metrics "
    "models ops optimizers random regularizers training tree utils"
).split()

_NAMES = {
    "DTypePolicy": "core.policies",
    "GradientTape": "core.tape",
    "Initializer": "initializers",
    "Input": "layers.core",
    "InputSpec": "layers.input_spec",
    "KerasTensor": "core.graph",
    "Layer": "layers.base",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models.model",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "SeedGenerator": "core.random",
    "Sequential": "models.sequential",
    "Tensor": "core.tensor",
    "Variable": "core.variable",
    "backends": "backend.registry",
    "custom_gradient": "ops.core",
    "elementwise": "ops.custom",
    "get_backend": "backend.registry",
    "grad": "core.transforms",
    "name_scope": "core.naming",
    "set_backend": "backend.registry",
    "stop_gradient": "ops.core",
    "use_backend": "backend.registry",
    "value_and_grad": "core.transforms",
}

__all__ = ["__version__", *_MODULES, *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"nkeras.{name}")
    if name in _NAMES:
        value = getattr(import_module(f"nkeras.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'nkeras' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from nkeras.backend.registry import backends, get_backend, set_backend, use_backend
    from nkeras.core.graph import KerasTensor
    from nkeras.core.naming import name_scope
    from nkeras.core.policies import DTypePolicy
    from nkeras.core.random import SeedGenerator
    from nkeras.core.tape import GradientTape
    from nkeras.core.tensor import Tensor
    from nkeras.core.transforms import grad, value_and_grad
    from nkeras.core.variable import Variable
    from nkeras.initializers import Initializer
    from nkeras.layers.base import Layer
    from nkeras.layers.core import Input
    from nkeras.layers.input_spec import InputSpec
    from nkeras.losses import Loss
    from nkeras.metrics import Metric
    from nkeras.models.model import Model
    from nkeras.models.sequential import Sequential
    from nkeras.ops.core import custom_gradient, stop_gradient
    from nkeras.ops.custom import elementwise
    from nkeras.optimizers import Optimizer
    from nkeras.regularizers import Regularizer
