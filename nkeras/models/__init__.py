"""Models, as `keras.models`."""

from nkeras.core import missing
from nkeras.models.cloning import clone_model
from nkeras.models.from_onnx import from_onnx
from nkeras.models.model import Functional, Model, model_from_json
from nkeras.models.parameter import Parameter
from nkeras.models.sequential import Sequential
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

missing.explain(__name__)
