"""Margins as metrics.

Source: https://keras.io/api/metrics/hinge_metrics/
"""

from __future__ import annotations

from typing import Any

from nkeras.losses.margin import categorical_hinge, hinge, squared_hinge
from nkeras.metrics.reduction import NamedMetric


class Hinge(NamedMetric):
    """Mean of `nkeras.losses.hinge`.

    Args:
        name: name.
        dtype: dtype to compute in.

    Source: https://keras.io/api/metrics/hinge_metrics/
    """

    def __init__(self, name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(hinge, name, dtype)


class SquaredHinge(NamedMetric):
    """Mean of `nkeras.losses.squared_hinge`.

    Args:
        name: name.
        dtype: dtype to compute in.

    Source: https://keras.io/api/metrics/hinge_metrics/
    """

    def __init__(self, name: str = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(squared_hinge, name, dtype)


class CategoricalHinge(NamedMetric):
    """Mean of `nkeras.losses.categorical_hinge`.

    Args:
        name: name.
        dtype: dtype to compute in.

    Source: https://keras.io/api/metrics/hinge_metrics/
    """

    def __init__(self, name: str = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(categorical_hinge, name, dtype)
