"""What is said of targets that their loss cannot mean: by one batch, never in each step."""

from __future__ import annotations

import numpy as np

from nkeras import losses
from nkeras.core.errors import cut_text, short, warn
from nkeras.core.tensor import Tensor, is_on_host
from nkeras.losses.sparse_crossentropy import host_labels
from nkeras.training.outputs import name_of

_OF_LABELS = (losses.sparse_categorical_crossentropy, losses.categorical_generalized_cross_entropy)
_OF_PROBABILITIES = (
    losses.binary_crossentropy,
    losses.binary_focal_crossentropy,
    losses.categorical_crossentropy,
    losses.categorical_focal_crossentropy,
)


def is_checked(loss: object) -> bool:
    """Whether a loss has targets of which something can be said."""
    return _function(loss) in (*_OF_LABELS, *_OF_PROBABILITIES)


def check_targets(loss: object, y_true: object, name: str) -> None:
    """Warn of labels with fractions, which are cut off, and of probabilities that are none.

    Masks that a script has resized have such labels. Labels that are out of range are refused by
    the loss itself, in every step; on a device, which no step waits for, their loss is NaN.

    Args:
        loss: of which `is_checked` is true.
        y_true: its targets.
        name: of the output, or of the loss where the output has none.
    """
    values = _values(y_true)
    if values is None or not values.size or values.dtype.kind not in "biuf":
        return
    owner = f"{cut_text(name_of(loss))} of {short(name)}"
    if _function(loss) in _OF_PROBABILITIES:
        if values.min() < 0 or values.max() > 1:
            warn(
                f"{owner}: targets must be in [0, 1]. Received targets from "
                f"{float(values.min()):g} to {float(values.max()):g}."
            )
    elif values.dtype.kind == "f" and (values != np.floor(values)).any():
        wrong = float(values[values != np.floor(values)].flat[0])
        warn(
            f"{owner}: labels must be whole numbers, fractions are cut off. Received: {wrong:g} in "
            f"targets of shape {values.shape} and dtype {values.dtype}"
        )


def _values(y_true: object) -> np.ndarray | None:
    """The targets; those on a device are copied, which one batch is worth."""
    if isinstance(y_true, Tensor) and not is_on_host(y_true):
        return y_true.backend.to_numpy(y_true.data)
    return host_labels(y_true)  # type: ignore[arg-type]


def _function(loss: object) -> object:
    return getattr(loss, "fn", None) or getattr(loss, "function", None)
