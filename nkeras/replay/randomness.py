"""The host's random numbers: whether Python or NumPy has drawn some."""

from __future__ import annotations

import pickle
import random
import threading

import numpy as np


def host_randomness() -> object:
    """The state of `random` and `np.random`, where no other thread can be who draws."""
    if threading.active_count() > 1:
        return None
    return random.getstate(), pickle.dumps(np.random.get_state(legacy=False))  # noqa: NPY002
