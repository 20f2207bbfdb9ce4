"""Margins as metrics.

Source: https://keras.io/api/metrics/hinge_metrics/
"""

from __future__ import annotations

from nkeras.losses.margin import categorical_hinge, hinge, squared_hinge
from nkeras.metrics.named import NamedMetric


class Hinge(NamedMetric, fn=hinge):
    """Mean of `nkeras.losses.hinge`."""


class SquaredHinge(NamedMetric, fn=squared_hinge):
    """Mean of `nkeras.losses.squared_hinge`."""


class CategoricalHinge(NamedMetric, fn=categorical_hinge):
    """Mean of `nkeras.losses.categorical_hinge`."""
