"""Discretization: numbers by the range that they are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from nkeras import ops
from nkeras.core import config, dtypes
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.graph import KerasTensor
from nkeras.core.serialization import deserialize_keras_object
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Config, PolicyLike, Self
from nkeras.core.variable import stored
from nkeras.layers.preprocessing.adapting import AdaptData, batches_of, numbers_of, parts_of
from nkeras.layers.preprocessing.data_layer import DataLayer
from nkeras.layers.preprocessing.encoding import OUTPUT_MODES, check_sparse, encoded
from nkeras.layers.preprocessing.quantiles import QuantileSketch


class Discretization(DataLayer):
    """The number of the bin that each element is in.

    Bins go from one boundary to the next, the first and last to infinity: `[0.0, 1.0]` gives
    `(-inf, 0)`, `[0, 1)`, `[1, inf)`. NaN is in the last one.

    `adapt` finds boundaries between bins of equally many elements. It keeps a summary of the data:
    of up to 65,536 numbers the boundaries are exact, of more the number of elements below a
    boundary is right within `epsilon` times all elements. They do not depend on how data are cut
    into batches.

    Args:
        bin_boundaries: numbers in ascending order, or None to learn them by `adapt`.
        num_bins: how many bins to learn.
        epsilon: which error of the learned boundaries is allowed, as a share of all elements.
        output_mode: `"int"` (numbers of bins), `"one_hot"` (a vector for each element, in the last
            axis or in place of a last axis of size 1), `"multi_hot"` (a vector for each sample, 1
            at each bin that an element is in) or `"count"` (how many elements are in each).
        sparse: must be False: nkeras has no sparse tensors.
        dtype: dtype or policy of vectors; inputs are compared in the default dtype.
        name: name.

    Attributes:
        bin_boundaries: given or learned ones, or None.

    Call arguments: `inputs`, numbers; lists and arrays as well as tensors.

    Input shape: any. Output shape: `"int"` the same; `"one_hot"` `(..., bins)`; others
    `(batch, ..., bins)`, without axis 1.

    Raises:
        ValueError: an argument is none of these, boundaries do not ascend, or there are none yet.

    Example:
        >>> layer = Discretization(bin_boundaries=[0.0, 1.0, 2.0])
        >>> layer([[-1.5, 1.0, 3.4, 0.5]]).numpy()
        array([[0, 2, 3, 1]], dtype=int32)

    Source: https://keras.io/api/layers/preprocessing_layers/numerical/discretization/
    """

    config_reads: ClassVar[Mapping[str, str]] = {"name": "name", "dtype": "_dtype_name"}

    def __init__(
        self,
        bin_boundaries: Sequence[float] | np.ndarray | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: PolicyLike = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        check_sparse(sparse, "Discretization")
        if output_mode not in OUTPUT_MODES:
            refuse("output_mode", output_mode, f"one of {OUTPUT_MODES}", "Discretization")
        if num_bins is not None and bin_boundaries is not None:
            raise ValueError(
                "Discretization: Both `num_bins` and `bin_boundaries` cannot be set. Received: "
                f"num_bins={short(num_bins)}, bin_boundaries={short(bin_boundaries)}"
            )
        if num_bins is None and bin_boundaries is None:
            raise ValueError(
                "Discretization: either `num_bins` or `bin_boundaries` must be set. "
                "Received: None for both"
            )
        if num_bins is not None and (not is_a(num_bins, (int, np.integer)) or num_bins < 1):
            refuse("num_bins", num_bins, "a positive integer", "Discretization")
        if not is_a(epsilon, (float, np.floating)) or not 0 < epsilon < 1:
            refuse("epsilon", epsilon, "a number between 0 and 1", "Discretization")
        self.bin_boundaries = None if bin_boundaries is None else _ascending(bin_boundaries)
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.output_mode = output_mode
        self.sparse = sparse
        self._sketch = QuantileSketch(epsilon)

    @property
    def _dtype_name(self) -> str:
        return self.dtype_policy.name

    @property
    def input_dtype(self) -> str:
        """The dtype in which inputs are compared: half types would lose boundaries."""
        return config.floatx()

    @property
    def output_dtype(self) -> str:
        """The dtype of results."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    @property
    def summary(self) -> np.ndarray:
        """What is known of the data: a row of numbers, and one of how many each stands for."""
        return np.stack(self._sketch.summary()).astype("float32")

    @property
    def learns(self) -> bool:
        """Whether `adapt` has anything to learn: boundaries were not given."""
        return self.num_bins is not None

    def adapt(self, data: AdaptData, steps: int | None = None) -> None:
        """Learn boundaries from data; what was learned before is forgotten.

        Args:
            data: array, tensor, list of numbers, a PyDataset, or an iterable of batches, of which
                those that are tuples begin with the inputs.
            steps: how many batches to take; all by default.

        Raises:
            ValueError: there are no data, they hold text or NaN, or the layer was made with
                boundaries.
            TypeError: `data` are none of these.
        """
        if self.num_bins is None:
            raise ValueError(
                f"Discretization.adapt(): layer {short(self.name)} was made with `bin_boundaries`, "
                "which are not learned. Make it with `num_bins`."
            )
        before = self._sketch
        self.reset_state()
        try:
            for batch in batches_of(data, "Discretization", steps):
                for part in parts_of(batch):
                    self.update_state(part)
            self.finalize_state()
        except Exception:
            self._sketch = before
            raise

    def update_state(self, data: Any) -> None:
        """Count a batch in; `adapt` calls it for each one."""
        values = numbers_of(data, "Discretization").astype(dtypes.to_numpy(config.floatx()))
        if np.isnan(values).any():
            raise ValueError(
                f"Discretization.adapt(): {np.isnan(values).sum()} of {values.size} numbers in a "
                "batch are NaN, which is in no order. Drop or fill them; the layer is as it was."
            )
        self._sketch.add(values.ravel())

    def finalize_state(self) -> None:
        """Find the boundaries of what was counted in."""
        if self.num_bins is None:
            return
        values, _ = self._sketch.summary()
        if not len(values):
            raise ValueError("Discretization: there are no data to find boundaries of.")
        if len(values) < self.num_bins:
            boundaries = values[:-1]
        else:
            boundaries = self._sketch.quantiles(np.arange(1, self.num_bins) / self.num_bins)
        boundaries = boundaries.astype(dtypes.to_numpy(config.floatx()))
        if not np.isfinite(boundaries).all():
            raise ValueError(
                "Discretization.adapt(): so many numbers are infinite that a boundary would be "
                f"one of them: {short(boundaries.tolist())}. The layer is as it was."
            )
        self.bin_boundaries = boundaries.tolist()

    def reset_state(self) -> None:
        """Forget what was counted in; boundaries stay until the next are found."""
        self._sketch = QuantileSketch(self.epsilon)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Boundaries are in the configuration; files of Keras 2 also have the summary."""
        if len(store) > 1:
            super().load_own_variables(store)
        elif len(store) == 1:
            stored(store, "0")

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """A layer from what `get_config` returned; it may have learned boundaries."""
        given = deserialize_keras_object(config)
        learned = None
        if given.get("num_bins") is not None:
            learned = given.pop("bin_boundaries", None)
        layer = cls(**given)
        if learned is not None:
            layer.bin_boundaries = _ascending(learned)
        return layer

    def call(self, inputs: Tensor) -> Tensor:
        """The bins of the inputs."""
        boundaries = self.bin_boundaries
        if boundaries is None:
            if not is_a(inputs, KerasTensor):
                raise ValueError(
                    "You need to either pass `bin_boundaries` to Discretization or call "
                    f"`adapt(data)` before layer {short(self.name)} is used: it has no boundaries."
                )
            boundaries = [0.0] * ((self.num_bins or 1) - 1)  # as many as will be learned
        edges = np.asarray(boundaries, dtypes.to_numpy(config.floatx()))
        indices = ops.digitize(inputs, edges)
        return encoded(indices, self.output_mode, len(edges) + 1, self.output_dtype)


def _ascending(boundaries: Any) -> list[float]:
    if isinstance(boundaries, Tensor):
        boundaries = boundaries.numpy()
    array = np.asarray(boundaries)
    if array.ndim != 1 or (array.dtype.kind not in "iuf" and array.size):
        refuse("bin_boundaries", boundaries, "a list of numbers", "Discretization")
    wrong = np.flatnonzero(~(array[:-1] <= array[1:]))
    if len(wrong) or np.isnan(array.astype("float64")).any():
        at = int(wrong[0]) if len(wrong) else 0
        raise ValueError(
            "Discretization: argument `bin_boundaries` must ascend. Received: "
            f"{short(array[at : at + 2].tolist())} at index {at} of {short(array.tolist())}"
        )
    return array.tolist()
