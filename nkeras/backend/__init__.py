"""Backends: what they are, and how they are found. Also what scripts for Keras 2 look for here."""

from importlib import import_module
from typing import Any

# Not imported here: they stand on higher floors.
_FROM_KERAS = {
    "clear_session": "core.session",
    "epsilon": "core.config",
    "floatx": "core.config",
    "image_data_format": "core.config",
    "set_epsilon": "core.config",
    "set_floatx": "core.config",
    "set_image_data_format": "core.config",
}


def __getattr__(name: str) -> Any:
    if name in _FROM_KERAS:
        return getattr(import_module(f"nkeras.{_FROM_KERAS[name]}"), name)
    raise AttributeError(f"module 'nkeras.backend' has no attribute {name!r}")
