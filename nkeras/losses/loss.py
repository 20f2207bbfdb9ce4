"""Loss: the base class of losses, and the wrapper that makes one of a function.

Source: https://keras.io/api/losses/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from nkeras.core import config as settings
from nkeras.core import naming, policies, tree
from nkeras.core.configurable import Configurable
from nkeras.core.families import resolve
from nkeras.core.graph import get_mask
from nkeras.core.guards import GuardedAttributes
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Config, PolicyLike, Self, Structure, TensorLike, TensorsLike
from nkeras.losses.named import FUNCTIONS, Named
from nkeras.losses.weighting import (
    reduce_weighted_values,
    squeeze_or_expand_to_same_rank,
    standardize_reduction,
)
from nkeras.ops.elementwise import logical_and
from nkeras.ops.shape import cast


class Loss(Configurable, GuardedAttributes):
    """Base class of losses: a subclass gives `call(y_true, y_pred)`.

    Args:
        name: name; snake case of the class name, made unique, by default.
        reduction: `"sum_over_batch_size"` or `"mean"` (mean of the weighted losses), `"sum"`,
            `"mean_with_sample_weight"` (sum divided by the sum of the weights), `"none"` or None.
        dtype: dtype or dtype policy to compute in; `floatx` by default.

    Raises:
        ValueError: unknown reduction or dtype.

    Example:
        >>> import numpy as np
        >>> import nkeras
        >>> class Squared(nkeras.losses.Loss):
        ...     def call(self, y_true, y_pred):
        ...         return (y_pred - y_true) ** 2
        >>> float(Squared()(np.array([1.0, 3.0]), np.array([1.0, 1.0])))
        2.0

    Source: https://keras.io/api/losses/#base-loss-api
    """

    config_reads: ClassVar[Mapping[str, str]] = {"dtype": "_given_dtype"}
    config_first: ClassVar[tuple[str, ...]] = ("name", "reduction")
    config_omits: ClassVar[Mapping[str, object]] = {"dtype": None}  # Keras never writes it

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: PolicyLike = None,
    ) -> None:
        self.name = name or naming.auto_name(type(self).__name__)
        self.reduction = standardize_reduction(reduction)
        self._dtype: str = policies.get(dtype or settings.floatx()).compute_dtype
        self._given_dtype = None if dtype is None else self._dtype

    @property
    def dtype(self) -> str:
        """The dtype that targets and predictions are cast to."""
        return self._dtype

    def __call__(
        self, y_true: TensorsLike, y_pred: TensorsLike, sample_weight: TensorLike | None = None
    ) -> Tensor:
        """The reduced loss.

        Args:
            y_true: targets `(batch, ...)`, or a structure of them.
            y_pred: predictions; a mask attached to them is heeded.
            sample_weight: None, or weights of the leading axes of what `call` returns.

        Returns:
            Scalar tensor, or one loss per sample for the reduction None.
        """
        mask = get_mask(y_pred)
        losses = self.call(self._targets(y_true), self._converted(y_pred))
        own_mask = get_mask(losses)
        if mask is None:
            mask = own_mask
        elif own_mask is not None:
            mask = logical_and(mask, own_mask)
        return reduce_weighted_values(losses, sample_weight, mask, self.reduction, self.dtype)

    def _targets(self, y_true: Structure) -> Structure:
        """Targets as `call` takes them."""
        return self._converted(y_true)

    def _converted(self, values: Structure) -> Structure:
        """Tensors of the loss's dtype; a list of numbers is one tensor, not a structure."""
        if all(isinstance(leaf, (int, float, np.generic)) for leaf in tree.flatten(values)):
            return cast(to_tensor(values), self.dtype)
        return tree.map_structure(lambda x: cast(to_tensor(x), self.dtype), values)

    def call(self, y_true: Structure, y_pred: Structure) -> Tensor:
        """Losses of shape `(batch, ...)`; for subclasses."""
        raise NotImplementedError(f"{type(self).__name__} must implement call(y_true, y_pred).")


class LossFunctionWrapper(Loss):
    """A loss of a function `fn(y_true, y_pred, **kwargs)` that returns losses `(batch, ...)`.

    Args:
        fn: the function.
        reduction: as in `Loss`.
        name: as in `Loss`.
        dtype: as in `Loss`.
        **kwargs: passed on to `fn`.

    Source: https://keras.io/api/losses/#base-loss-api
    """

    def __init__(
        self,
        fn: Callable[..., Tensor],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: PolicyLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true: Structure, y_pred: Structure) -> Tensor:
        """The function's losses; `(n,)` against `(n, 1)` is made equal first."""
        if not tree.is_nested(y_true) and not tree.is_nested(y_pred):
            y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_options())

    def _fn_options(self) -> Config:
        return self._fn_kwargs

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The inverse of `get_config`."""
        if isinstance(config.get("fn"), str):
            config = {**config, "fn": resolve(config["fn"], FUNCTIONS, "loss function")}
        return super().from_config(config)


class NamedLoss(Named, LossFunctionWrapper):
    """A built-in loss.

    Args:
        name: name.
        dtype: dtype to compute in.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        LossFunctionWrapper.__init__(self, self.function, reduction, name, dtype)
