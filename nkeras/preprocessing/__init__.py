"""Images, sequences and series, as `keras.preprocessing` names what `nkeras.utils` has too."""

from nkeras.core import missing
from nkeras.preprocessing import image as image
from nkeras.preprocessing import sequence as sequence
from nkeras.utils.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array

missing.explain(__name__)
