"""Configurations and files, as `keras.saving`."""

from nkeras.core import missing
from nkeras.core.serialization import custom_object_scope as custom_object_scope
from nkeras.core.serialization import deserialize_keras_object as deserialize_keras_object
from nkeras.core.serialization import get_custom_objects as get_custom_objects
from nkeras.core.serialization import get_registered_name as get_registered_name
from nkeras.core.serialization import get_registered_object as get_registered_object
from nkeras.core.serialization import register_keras_serializable as register_keras_serializable
from nkeras.core.serialization import serialize_keras_object as serialize_keras_object
from nkeras.saving.file_editor import KerasFileEditor as KerasFileEditor
from nkeras.saving.models import load_model as load_model
from nkeras.saving.models import load_weights as load_weights
from nkeras.saving.models import save_model as save_model
from nkeras.saving.models import save_weights as save_weights

CustomObjectScope = custom_object_scope

missing.explain(__name__)
