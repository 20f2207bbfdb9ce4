"""Sums and means of values, and metrics that are means of a function of targets and predictions.

Source: https://keras.io/api/metrics/reduction_metrics/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from nkeras.core.families import resolve
from nkeras.core.graph import get_mask
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Config, PolicyLike, Self, TensorLike
from nkeras.losses.identifiers import TABLE as LOSSES
from nkeras.losses.named import FUNCTIONS
from nkeras.losses.weighting import (
    apply_mask,
    squeeze_or_expand_to_same_rank,
    weighted,
)
from nkeras.metrics.adding import add_to
from nkeras.metrics.metric import Metric
from nkeras.ops.elementwise import divide_no_nan
from nkeras.ops.reduction import mean
from nkeras.ops.reduction import sum as sum_
from nkeras.ops.shape import broadcast_to, cast


def samplewise(
    values: TensorLike,
    sample_weight: TensorLike | None,
    reduce: Callable[..., Tensor],
    dtype: str,
) -> tuple[Tensor, TensorLike | None]:
    """Values reduced to one per sample and multiplied by their weights, and these weights.

    Args:
        values: tensor `(batch, ...)` or a scalar.
        sample_weight: None, or a tensor of the leading dimensions of `values`.
        reduce: what happens to the dimensions behind the first: `sum` or `mean`.
        dtype: dtype of the results.
    """
    mask = get_mask(values)
    values = cast(to_tensor(values), dtype)
    if sample_weight is not None:
        weight = cast(to_tensor(sample_weight), dtype)
        if mask is not None:
            weight = apply_mask(weight, mask, dtype, "sum")
        values, weight = squeeze_or_expand_to_same_rank(values, weight)
        rank, weight_rank = len(values.shape), len(weight.shape)
        if rank > weight_rank:
            values = reduce(values, axis=tuple(range(weight_rank, rank)))
        values = weighted(values, weight)
        sample_weight = broadcast_to(weight, values.shape)
        if weight_rank > 1:
            sample_weight = reduce(sample_weight, axis=tuple(range(1, weight_rank)))
    if len(values.shape) > 1:
        values = reduce(values, axis=tuple(range(1, len(values.shape))))
    return values, sample_weight


class Sum(Metric):
    """Sum of all values, weighted.

    Args:
        name: name.
        dtype: dtype to compute in.

    Example:
        >>> import nkeras
        >>> float(nkeras.metrics.Sum()([1.0, 3.0, 5.0]))
        9.0

    Source: https://keras.io/api/metrics/reduction_metrics/#sum-class
    """

    def __init__(self, name: str = "sum", dtype: PolicyLike = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), None, dtype=self.dtype, name="total")

    def update_state(self, values: TensorLike, sample_weight: TensorLike | None = None) -> None:
        """Add values `(batch, ...)`, times weights of their leading dimensions."""
        values, _ = samplewise(values, sample_weight, sum_, self.dtype)
        self.total.assign_add(sum_(values))

    def result(self) -> Tensor:
        """The sum, a scalar."""
        return cast(self.total.value, self.dtype)


class Mean(Metric):
    """Mean of all values, weighted: `sum(values * weights) / sum(weights)`.

    Args:
        name: name.
        dtype: dtype to compute in.

    Example:
        >>> import nkeras
        >>> float(nkeras.metrics.Mean()([1.0, 3.0, 5.0], sample_weight=[1, 1, 0]))
        2.0

    Source: https://keras.io/api/metrics/reduction_metrics/#mean-class
    """

    def __init__(self, name: str | None = "mean", dtype: PolicyLike = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), None, dtype=self.dtype, name="total")
        self.count = self.add_variable((), None, dtype=self.dtype, name="count")

    def update_state(self, values: TensorLike, sample_weight: TensorLike | None = None) -> None:
        """Take in values `(batch, ...)`, with weights of their leading dimensions."""
        values, weight = samplewise(values, sample_weight, mean, self.dtype)
        samples = float(values.shape[0] if values.shape else 1) if weight is None else sum_(weight)
        add_to((self.total, sum_(values)), (self.count, samples))

    def result(self) -> Tensor:
        """The mean, a scalar; 0 before the first update."""
        return divide_no_nan(self.total, self.count)


class MeanMetricWrapper(Mean):
    """Mean of `fn(y_true, y_pred, **kwargs)`, weighted and masked.

    Args:
        fn: function that returns values `(batch, ...)`.
        name: name.
        dtype: dtype to compute in.
        **kwargs: passed on to `fn`.

    Source: https://keras.io/api/metrics/reduction_metrics/#meanmetricwrapper-class
    """

    config_reads: ClassVar[Mapping[str, str]] = {**Metric.config_reads, "fn": "_fn"}

    def __init__(
        self,
        fn: Callable[..., Tensor],
        name: str | None = None,
        dtype: PolicyLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        if any(fn is known or type(fn) is known for known in LOSSES.values()):
            self._direction = "down"

    def update_state(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Take in a batch.

        Args:
            y_true: targets.
            y_pred: predictions; a mask attached to them is heeded.
            sample_weight: None, or weights of the leading dimensions of what `fn` returns.
        """
        values = self._fn(y_true, y_pred, **self._fn_options())
        weight = apply_mask(sample_weight, get_mask(y_pred), self.dtype, "sum")
        super().update_state(values, sample_weight=weight)

    def _fn_options(self) -> Config:
        return self._fn_kwargs

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The inverse of `get_config`."""
        if isinstance(config.get("fn"), str):
            config = {**config, "fn": resolve(config["fn"], FUNCTIONS, "metric function")}
        return super().from_config(config)
