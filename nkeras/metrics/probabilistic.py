"""Cross-entropies and divergences as metrics.

Source: https://keras.io/api/metrics/probabilistic_metrics/
"""

from __future__ import annotations

from nkeras.core.typing import PolicyLike
from nkeras.losses.crossentropy import binary_crossentropy, categorical_crossentropy
from nkeras.losses.divergence import kl_divergence, poisson
from nkeras.losses.sparse_crossentropy import sparse_categorical_crossentropy
from nkeras.metrics.named import NamedMetric


class KLDivergence(NamedMetric, fn=kl_divergence):
    """Mean of `nkeras.losses.kl_divergence`."""


class Poisson(NamedMetric, fn=poisson):
    """Mean of `nkeras.losses.poisson`."""


class BinaryCrossentropy(NamedMetric, fn=binary_crossentropy):
    """Mean of `nkeras.losses.binary_crossentropy`."""

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: PolicyLike = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing


class CategoricalCrossentropy(NamedMetric, fn=categorical_crossentropy):
    """Mean of `nkeras.losses.categorical_crossentropy`."""

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: PolicyLike = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


class SparseCategoricalCrossentropy(NamedMetric, fn=sparse_categorical_crossentropy):
    """Mean of `nkeras.losses.sparse_categorical_crossentropy`."""

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: PolicyLike = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis
