"""Sequences and time series, as `keras.preprocessing` names what is also in `nkeras.utils`."""

from nkeras.core import missing
from nkeras.preprocessing import sequence as sequence
from nkeras.utils.timeseries import timeseries_dataset_from_array as timeseries_dataset_from_array

missing.explain(__name__)
