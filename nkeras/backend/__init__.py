"""Backends: what they are, and how they are found. Also what scripts for Keras 2 look for here."""

from typing import TYPE_CHECKING

from nkeras.core import missing

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

if TYPE_CHECKING:
    from nkeras.core.config import epsilon as epsilon
    from nkeras.core.config import floatx as floatx
    from nkeras.core.config import image_data_format as image_data_format
    from nkeras.core.config import set_epsilon as set_epsilon
    from nkeras.core.config import set_floatx as set_floatx
    from nkeras.core.config import set_image_data_format as set_image_data_format
    from nkeras.core.session import clear_session as clear_session

missing.explain(__name__, _FROM_KERAS)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FROM_KERAS])
