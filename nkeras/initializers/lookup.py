"""Initializers by name: the table, `get`, `serialize` and `deserialize`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import short
from nkeras.core.families import Family
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, InitializerLike, ShapeLike
from nkeras.initializers.constant import Constant, Identity, Initializer, Ones, Zeros
from nkeras.initializers.fourier import STFT
from nkeras.initializers.random import (
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
from nkeras.initializers.scaled import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
)
from nkeras.ops.shape import cast

_CLASSES: tuple[type[Initializer], ...] = (
    *(Constant, Identity, Ones, Zeros, Orthogonal, RandomNormal, RandomUniform, TruncatedNormal),
    *(VarianceScaling, GlorotNormal, GlorotUniform, HeNormal, HeUniform),
    *(LecunNormal, LecunUniform, STFT),
)
INITIALIZERS = {
    **{cls.__name__: cls for cls in _CLASSES},
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    "STFTInitializer": STFT,
    "normal": RandomNormal,
    "uniform": RandomUniform,
    "one": Ones,
    "zero": Zeros,
}

_family = Family("initializer", INITIALIZERS)
serialize = _family.serialize
deserialize = _family.deserialize


def get(identifier: InitializerLike) -> Any:
    """The initializer that a name, config, class or callable stands for; None stays None.

    Args:
        identifier: class name (also in snake case), dict from `serialize`, class, callable, or
            array, for exactly these values.

    Returns:
        Callable or None.

    Raises:
        ValueError: there is no such initializer.

    Example:
        >>> import nkeras
        >>> type(nkeras.initializers.get("HeNormal")).__name__
        'HeNormal'
    """
    if isinstance(identifier, (Tensor, np.ndarray, np.generic)):
        return _exactly(identifier)
    return _family.get(identifier)


def _exactly(values: Tensor | np.ndarray | np.generic) -> Callable[..., Tensor]:
    def initialize(shape: ShapeLike, dtype: DTypeLike = None) -> Tensor:
        if tuple(shape) != tuple(values.shape):
            raise ValueError(
                f"An initializer given as an array of shape {tuple(values.shape)} cannot fill the "
                f"shape {short(tuple(shape))}."
            )
        return cast(to_tensor(values), dtypes.standardize(dtype))

    return initialize
