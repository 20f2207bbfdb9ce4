"""NamedMetric: the base class of metrics that are means of a function."""

from __future__ import annotations

from nkeras.core.typing import PolicyLike
from nkeras.losses.named import Named
from nkeras.metrics.reduction import MeanMetricWrapper


class NamedMetric(Named, MeanMetricWrapper):
    """A built-in mean of a function of targets and predictions.

    Args:
        name: name.
        dtype: dtype to compute in.
    """

    _direction: str | None = "down"

    def __init__(self, name: str | None = None, dtype: PolicyLike = None) -> None:
        MeanMetricWrapper.__init__(self, self.function, name, dtype)
