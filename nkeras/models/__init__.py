"""Models, as `keras.models`."""

from nkeras.core import missing
from nkeras.models.cloning import clone_model
from nkeras.models.model import Functional, Model, model_from_json
from nkeras.models.sequential import Sequential
from nkeras.saving.models import load_model, save_model

__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]

missing.explain(__name__)
