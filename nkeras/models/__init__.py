"""Models, as `keras.models`."""

from nkeras.core import missing
from nkeras.models.cloning import clone_model
from nkeras.models.model import Functional, Model, model_from_json
from nkeras.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential", "clone_model", "model_from_json"]

missing.explain(__name__)
