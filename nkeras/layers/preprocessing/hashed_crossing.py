"""HashedCrossing: combinations of features in bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from nkeras.core import config, dtypes
from nkeras.core.configurable import ANY
from nkeras.core.errors import is_a, short
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import to_tensor
from nkeras.core.strings import STRING
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike, Shapes, Structure
from nkeras.layers.preprocessing.data_layer import DataLayer
from nkeras.layers.preprocessing.encoding import check_sparse, encoded
from nkeras.ops import text

_MODES = ("int", "one_hot")


class HashedCrossing(DataLayer):
    """The bin of a combination of features, by a hash: the same as TensorFlow's `cross_hashed`.

    Args:
        num_bins: how many bins there are.
        output_mode: `"int"` (the bin) or `"one_hot"` (a vector for each).
        sparse: must be False: nkeras has no sparse tensors.
        name: name.
        dtype: dtype of the result; int64 for `"int"`.
        **kwargs: none that has an effect.

    Call arguments: `inputs`, a list or tuple of features: text or integers of equal shapes `()`,
    `(batch,)` or `(batch, 1)`.

    Output shape: that of a feature; for `"one_hot"` `(batch, bins)`, of scalars `(bins,)`.

    Raises:
        ValueError: an argument is none of these.

    Example:
        >>> layer = HashedCrossing(num_bins=5)
        >>> layer([["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102]]).numpy()
        array([1, 4, 1, 1, 3])

    Source: https://keras.io/api/layers/preprocessing_layers/categorical/hashed_crossing/
    """

    config_reads: ClassVar[Mapping[str, str]] = {"name": "name", "dtype": "_dtype_name"}
    config_omits: ClassVar[Mapping[str, object]] = {**DataLayer.config_omits, "trainable": ANY}

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: PolicyLike = None,
        **kwargs: Any,
    ) -> None:
        if output_mode == "int" and dtype is None:
            dtype = "int64"
        kwargs.pop("trainable", None)
        super().__init__(name=name, dtype=dtype, **kwargs)
        check_sparse(sparse, "HashedCrossing")
        if output_mode not in _MODES:
            raise ValueError(
                "HashedCrossing: Unknown string for argument `output_mode`. It must be one of "
                f"{_MODES}. Received: output_mode={short(output_mode)}"
            )
        if not is_a(num_bins, (int, np.integer)) or num_bins < 1:
            raise ValueError(
                "HashedCrossing: argument `num_bins` must be a positive integer. Received: "
                f"num_bins={short(num_bins)}"
            )
        self.num_bins = int(num_bins)
        self.output_mode = output_mode
        self.sparse = False

    @property
    def _dtype_name(self) -> str:
        return self.dtype_policy.name

    @property
    def input_dtype(self) -> str:
        """The dtype of inputs that are no integers, which are refused."""
        return config.floatx()

    def _convert(self, value: Structure) -> Structure:
        """Each feature as a tensor; a plain list is several of them."""
        if isinstance(value, (list, tuple)):
            return [self._convert_one(item) for item in value]
        return super()._convert(value)

    def _convert_one(self, value: Any) -> Any:
        return value if isinstance(value, KerasTensor) else to_tensor(value)

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """The bins, or vectors of them."""
        self._check(inputs)
        bins = text.cross_hashes(*inputs, bins=self.num_bins)
        return encoded(bins, self.output_mode, self.num_bins, self.compute_dtype)

    def _check(self, inputs: Any) -> None:
        if not is_a(inputs, (list, tuple)):
            raise ValueError(
                "`HashedCrossing` should be called on a list or tuple of inputs. Received: "
                f"inputs of type {type(inputs).__name__}"
            )
        if len(inputs) < 2:
            raise ValueError(
                f"`HashedCrossing` should be called on at least two inputs. Received: {len(inputs)}"
            )
        shapes = [tuple(one.shape) for one in inputs]
        first = shapes[0]
        if len(first) > 2 or (len(first) == 2 and first[-1] != 1):
            raise ValueError(
                "All `HashedCrossing` inputs should have shape `()`, `(batch_size)` or "
                f"`(batch_size, 1)`. Received shapes: {short(shapes)}"
            )
        if any(shape != first for shape in shapes):
            raise ValueError(
                "All `HashedCrossing` inputs should have equal shape. Received shapes: "
                f"{short(shapes)}"
            )
        kinds = [one.dtype for one in inputs]
        if not all(kind == STRING or dtypes.is_integer(kind) for kind in kinds):
            raise ValueError(
                "All `HashedCrossing` inputs should have an integer or string dtype. Received "
                f"dtypes: {short(kinds)}"
            )

    def compute_output_shape(self, input_shape: Shapes) -> Shapes:
        """The shape of bins or vectors for the shapes of the features."""
        first = tuple(input_shape[0])
        if self.output_mode == "int":
            return first
        return (*first[:1], self.num_bins)

    def compute_output_spec(self, inputs: Any) -> KerasTensor:
        """A symbolic tensor of that shape."""
        self._check(inputs)
        shape = self.compute_output_shape([one.shape for one in inputs])
        return KerasTensor(shape, self.compute_dtype)
