"""Backends: what they are, and how they are found. Also what scripts for Keras 2 look for here."""

from typing import TYPE_CHECKING

from nkeras.core import missing

# Not imported here: they stand on higher floors.
_FROM_KERAS = {
    "backend": "core.config",
    "clear_session": "core.session",
    "epsilon": "core.config",
    "floatx": "core.config",
    "get_uid": "core.naming",
    "image_data_format": "core.config",
    "is_float_dtype": "core.dtypes",
    "is_int_dtype": "core.dtypes",
    "is_keras_tensor": "core.graph",
    "result_type": "core.dtypes",
    "set_epsilon": "core.config",
    "set_floatx": "core.config",
    "set_image_data_format": "core.config",
    "standardize_dtype": "core.dtypes",
}

if TYPE_CHECKING:
    from nkeras.core.config import backend as backend
    from nkeras.core.config import epsilon as epsilon
    from nkeras.core.config import floatx as floatx
    from nkeras.core.config import image_data_format as image_data_format
    from nkeras.core.config import set_epsilon as set_epsilon
    from nkeras.core.config import set_floatx as set_floatx
    from nkeras.core.config import set_image_data_format as set_image_data_format
    from nkeras.core.dtypes import is_float_dtype as is_float_dtype
    from nkeras.core.dtypes import is_int_dtype as is_int_dtype
    from nkeras.core.dtypes import result_type as result_type
    from nkeras.core.dtypes import standardize_dtype as standardize_dtype
    from nkeras.core.graph import is_keras_tensor as is_keras_tensor
    from nkeras.core.naming import get_uid as get_uid
    from nkeras.core.session import clear_session as clear_session

missing.explain(__name__, _FROM_KERAS)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FROM_KERAS])
