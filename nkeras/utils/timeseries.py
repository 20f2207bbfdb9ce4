"""Windows of a time series."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from nkeras.core.errors import refuse
from nkeras.core.typing import Structure
from nkeras.utils.samples import Batches, Samples

_OWNER = "timeseries_dataset_from_array"


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Batches | Samples:
    """A dataset of windows of a time series, cut out when they are asked for.

    Args:
        data: array `(steps, ...)`.
        targets: None, or array whose element i belongs to the window that begins at step i.
        sequence_length: steps of a window.
        sequence_stride: how far each window begins behind the one before.
        sampling_rate: every which step of `data` a window takes.
        batch_size: windows of a batch; None for a dataset of single windows.
        shuffle: whether windows come in random order, another one in each epoch.
        seed: seed for that.
        start_index: steps of `data` in front of it are not used.
        end_index: nor this one and those behind it.
        format: `"tf"` or `"grain"`, for Keras' sake: both give a dataset of nkeras.

    Returns:
        PyDataset of `windows (batch, sequence_length, ...)`, or of pairs with `targets`; `Samples`
        where `batch_size` is None.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> import numpy as np
        >>> series = np.arange(8.0)
        >>> windows = timeseries_dataset_from_array(series[:-3], series[3:], 3, batch_size=2)
        >>> windows[0]
        (array([[0., 1., 2.],
               [1., 2., 3.]]), array([3., 4.]))

    Source: https://keras.io/api/data_loading/timeseries/
    """
    if format not in ("tf", "grain"):
        refuse("format", format, '"tf" or "grain"', _OWNER)
    steps = len(data)
    _check_range("start_index", start_index, 0, steps - 1)
    _check_range("end_index", end_index, (start_index or 0) + 1, steps - 1)
    _check_range("sampling_rate", sampling_rate, 1, steps - 1)
    _check_range("sequence_stride", sequence_stride, 1, steps - 1)
    _check_range("sequence_length", sequence_length, 1, steps)
    first, end = start_index or 0, end_index or steps
    count = end - first - (sequence_length - 1) * sampling_rate
    if targets is not None:
        count = min(count, len(targets))
    starts = np.arange(0, count, sequence_stride)
    rng = None
    if shuffle:
        rng = np.random.RandomState(seed)
        rng.shuffle(starts)
    series = np.asarray(data)[first:end]
    answers = None if targets is None else np.asarray(targets)[first:end]
    offsets = np.arange(sequence_length) * sampling_rate
    windows = Samples(functools.partial(_windows, series, answers, offsets), starts, rng)
    return windows if batch_size is None else windows.batch(batch_size)


def _windows(
    series: np.ndarray, answers: np.ndarray | None, offsets: np.ndarray, starts: np.ndarray
) -> Structure:
    windows = series[starts[:, None] + offsets]
    return windows if answers is None else (windows, answers[starts])


def _check_range(name: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        refuse(name, value, f"in [{least}, {most}] for these data", _OWNER)
