"""State of the session: names and seeds."""

from __future__ import annotations

import random as python_random
import sys

import numpy as np

from nkeras.core import naming
from nkeras.core import random as seeds
from nkeras.core.errors import is_a, short


def clear_session(free_memory: bool = True) -> None:
    """Forget the names used so far and the global seed.

    Args:
        free_memory: also run the garbage collector.
    """
    naming.reset()
    seeds.reset_global_seed()
    if free_memory:
        import gc

        gc.collect()


def set_random_seed(seed: int) -> None:
    """Seed Python's `random`, NumPy and nkeras, so that a run can be repeated.

    TensorFlow and torch are seeded too where they are imported before: pipelines of `tf.data` and
    loaders of torch shuffle by their seeds.

    Args:
        seed: int in [0, 2**32 - 1].

    Raises:
        ValueError: it is no such int.

    Example:
        >>> set_random_seed(42)

    Source: https://keras.io/api/utils/python_utils/
    """
    if isinstance(seed, bool) or not is_a(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(
            f"set_random_seed: argument `seed` must be an int in [0, 2**32 - 1]. Received: "
            f"{short(seed)}"
        )
    python_random.seed(int(seed))
    np.random.seed(int(seed))  # noqa: NPY002  users' own np.random calls must repeat too
    seeds.reset_global_seed(int(seed))
    if tensorflow := sys.modules.get("tensorflow"):
        tensorflow.random.set_seed(int(seed))
    if torch := sys.modules.get("torch"):
        torch.manual_seed(int(seed))
