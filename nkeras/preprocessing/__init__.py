"""Images, texts and series, as `keras.preprocessing` names what `nkeras.utils` has too."""

from typing import TYPE_CHECKING

from nkeras.core import missing
from nkeras.preprocessing import image as image
from nkeras.preprocessing import sequence as sequence
from nkeras.utils.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array

_LATER = {
    "image_dataset_from_directory": "data.image_folder",
    "text_dataset_from_directory": "data.text_folder",
}

if TYPE_CHECKING:
    from nkeras.data.image_folder import (
        image_dataset_from_directory as image_dataset_from_directory,
    )
    from nkeras.data.text_folder import text_dataset_from_directory as text_dataset_from_directory

missing.explain(__name__, _LATER)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
