"""Cross-entropies and divergences as metrics.

Source: https://keras.io/api/metrics/probabilistic_metrics/
"""

from __future__ import annotations

from typing import Any

from nkeras.losses.crossentropy import binary_crossentropy, categorical_crossentropy
from nkeras.losses.divergence import kl_divergence, poisson
from nkeras.losses.sparse_crossentropy import sparse_categorical_crossentropy
from nkeras.metrics.reduction import NamedMetric


class KLDivergence(NamedMetric):
    """Mean of `nkeras.losses.kl_divergence`.

    Args:
        name: name.
        dtype: dtype to compute in.

    Source: https://keras.io/api/metrics/probabilistic_metrics/
    """

    def __init__(self, name: str = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(kl_divergence, name, dtype)


class Poisson(NamedMetric):
    """Mean of `nkeras.losses.poisson`.

    Args:
        name: name.
        dtype: dtype to compute in.

    Source: https://keras.io/api/metrics/probabilistic_metrics/
    """

    def __init__(self, name: str = "poisson", dtype: Any = None) -> None:
        super().__init__(poisson, name, dtype)


class BinaryCrossentropy(NamedMetric):
    """Mean of `nkeras.losses.binary_crossentropy`.

    Args:
        name: name.
        dtype: dtype to compute in.
        from_logits: whether predictions are logits.
        label_smoothing: in [0, 1]; pulls targets towards the middle.

    Source: https://keras.io/api/metrics/probabilistic_metrics/
    """

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(
            binary_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


class CategoricalCrossentropy(NamedMetric):
    """Mean of `nkeras.losses.categorical_crossentropy`.

    Args:
        name: name.
        dtype: dtype to compute in.
        from_logits: whether predictions are logits.
        label_smoothing: in [0, 1]; pulls targets towards the middle.
        axis: axis of the classes.

    Source: https://keras.io/api/metrics/probabilistic_metrics/
    """

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(
            categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class SparseCategoricalCrossentropy(NamedMetric):
    """Mean of `nkeras.losses.sparse_categorical_crossentropy`.

    Args:
        name: name.
        dtype: dtype to compute in.
        from_logits: whether predictions are logits.
        ignore_class: a label whose elements do not count.
        axis: axis of the classes.

    Source: https://keras.io/api/metrics/probabilistic_metrics/
    """

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(
            sparse_categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )
