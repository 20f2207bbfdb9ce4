"""Models, as `keras.models`."""

from typing import TYPE_CHECKING

from nkeras.core import missing
from nkeras.models.cloning import clone_model
from nkeras.models.from_onnx import from_onnx
from nkeras.models.model import Functional, Model, model_from_json
from nkeras.models.parameter import Parameter
from nkeras.models.sequential import Sequential

if TYPE_CHECKING:
    from nkeras.saving.models import load_model, save_model

__all__ = [
    "Functional",
    "Model",
    "Parameter",
    "Sequential",
    "clone_model",
    "from_onnx",
    "load_model",
    "model_from_json",
    "save_model",
]

# Formats of files are loaded with the first file.
_LATER = {"load_model": "saving.models", "save_model": "saving.models"}
missing.explain(__name__, _LATER)
