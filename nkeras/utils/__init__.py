"""Utilities, as `keras.utils` names them."""

from typing import TYPE_CHECKING

from nkeras.core import missing
from nkeras.core.dtypes import standardize_dtype as standardize_dtype
from nkeras.core.graph import get_source_inputs as get_source_inputs
from nkeras.core.graph import is_keras_tensor as is_keras_tensor
from nkeras.core.serialization import custom_object_scope as custom_object_scope
from nkeras.core.serialization import deserialize_keras_object as deserialize_keras_object
from nkeras.core.serialization import get_custom_objects as get_custom_objects
from nkeras.core.serialization import get_registered_name as get_registered_name
from nkeras.core.serialization import get_registered_object as get_registered_object
from nkeras.core.serialization import register_keras_serializable as register_keras_serializable
from nkeras.core.serialization import serialize_keras_object as serialize_keras_object
from nkeras.core.session import clear_session as clear_session
from nkeras.core.session import set_random_seed as set_random_seed
from nkeras.utils import legacy as legacy
from nkeras.utils.config import Config as Config
from nkeras.utils.io_utils import disable_interactive_logging as disable_interactive_logging
from nkeras.utils.io_utils import enable_interactive_logging as enable_interactive_logging
from nkeras.utils.io_utils import is_interactive_logging_enabled as is_interactive_logging_enabled
from nkeras.utils.numerical import normalize as normalize
from nkeras.utils.numerical import to_categorical as to_categorical
from nkeras.utils.progbar import Progbar as Progbar
from nkeras.utils.py_dataset import PyDataset as PyDataset
from nkeras.utils.samples import split_dataset as split_dataset
from nkeras.utils.sequences import pad_sequences as pad_sequences
from nkeras.utils.summary import print_summary as print_summary
from nkeras.utils.timeseries import (
    timeseries_dataset_from_array as timeseries_dataset_from_array,
)

CustomObjectScope = custom_object_scope
Sequence = PyDataset  # its name in Keras 2

# From floors that themselves use this package, and what loads more than most scripts need.
_LATER = {
    "FeatureSpace": "utils.feature_space",
    "array_to_img": "data.images",
    "audio_dataset_from_directory": "data.audio_folder",
    "get_file": "utils.file_utils",
    "image_dataset_from_directory": "data.image_folder",
    "img_to_array": "data.images",
    "load_img": "data.images",
    "pack_x_y_sample_weight": "training.data",
    "save_img": "data.images",
    "text_dataset_from_directory": "data.text_folder",
    "model_to_dot": "inspect.dot",
    "plot_model": "inspect.plot",
    "unpack_x_y_sample_weight": "training.data",
}


if TYPE_CHECKING:
    from nkeras.data.audio_folder import (
        audio_dataset_from_directory as audio_dataset_from_directory,
    )
    from nkeras.data.image_folder import (
        image_dataset_from_directory as image_dataset_from_directory,
    )
    from nkeras.data.images import array_to_img as array_to_img
    from nkeras.data.images import img_to_array as img_to_array
    from nkeras.data.images import load_img as load_img
    from nkeras.data.images import save_img as save_img
    from nkeras.data.text_folder import text_dataset_from_directory as text_dataset_from_directory
    from nkeras.inspect.dot import model_to_dot as model_to_dot
    from nkeras.inspect.plot import plot_model as plot_model
    from nkeras.training.data import pack_x_y_sample_weight as pack_x_y_sample_weight
    from nkeras.training.data import unpack_x_y_sample_weight as unpack_x_y_sample_weight
    from nkeras.utils import bounding_boxes as bounding_boxes
    from nkeras.utils.feature_space import FeatureSpace as FeatureSpace
    from nkeras.utils.file_utils import get_file as get_file

missing.explain(__name__, _LATER, inside=("bounding_boxes",))


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, "bounding_boxes"})
