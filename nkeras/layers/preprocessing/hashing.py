"""Hashing: text and integers in bins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from nkeras import ops
from nkeras.backend.packed import to_bytes
from nkeras.core import config, dtypes
from nkeras.core.configurable import ANY
from nkeras.core.errors import is_a, short
from nkeras.core.graph import KerasTensor
from nkeras.core.primitive import to_tensor
from nkeras.core.strings import STRING
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, PartialShape, Unpack
from nkeras.layers.preprocessing.data_layer import DataLayer
from nkeras.layers.preprocessing.encoding import OUTPUT_MODES, check_sparse, encoded
from nkeras.layers.preprocessing.lookup_arguments import checked_salt
from nkeras.ops import text


class Hashing(DataLayer):
    """The bin of each element, by a hash of it: the same as TensorFlow's, on every machine.

    Integers are hashed as their decimal digits, floats as the integers they are cut to.

    Args:
        num_bins: how many bins there are.
        mask_value: an element that has bin 0, which no other has then; None: there is none.
        salt: an integer or two, the key of SipHash. None: FarmHash.
        output_mode: `"int"` (the bin), `"one_hot"` (a vector for each element, in the last axis or
            in place of a last axis of size 1), `"multi_hot"` (a vector for each sample, 1 at each
            bin) or `"count"` (how many elements are in each bin).
        sparse: must be False: nkeras has no sparse tensors.

    Call arguments: `inputs`, text or numbers; lists and arrays as well as tensors.

    Input shape: any. Output shape: `"int"` the same, of dtype int64; `"one_hot"` `(..., bins)`;
    others `(batch, ..., bins)`, without axis 1.

    Raises:
        ValueError: an argument is none of these, or `dtype` is no integer for `"int"`.

    Example:
        >>> Hashing(num_bins=3)([["A"], ["B"], ["C"], ["D"], ["E"]]).numpy().ravel()
        array([1, 0, 1, 1, 2])

    Source: https://keras.io/api/layers/preprocessing_layers/categorical/hashing/
    """

    config_omits: ClassVar[Mapping[str, object]] = {**DataLayer.config_omits, "autocast": ANY}

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if output_mode == "int" else config.floatx()
        super().__init__(**kwargs)
        if not is_a(num_bins, (int, np.integer)) or num_bins <= 0:
            raise ValueError(
                "The `num_bins` for `Hashing` cannot be `None` or non-positive values. Received: "
                f"num_bins={short(num_bins)}."
            )
        if output_mode not in OUTPUT_MODES:
            raise ValueError(
                "Hashing: Invalid value for argument `output_mode`. Expected one of "
                f"{OUTPUT_MODES}. Received: output_mode={short(output_mode)}"
            )
        if output_mode == "int" and self.dtype_policy.name not in ("int32", "int64"):
            raise ValueError(
                'Hashing: When `output_mode="int"`, `dtype` should be an integer type, '
                f"'int32' or 'int64'. Received: dtype={self.dtype_policy.name}"
            )
        if sparse and output_mode == "int":
            raise ValueError(
                'Hashing: `sparse` may only be true if `output_mode` is `"one_hot"`, '
                f'`"multi_hot"`, or `"count"`. Received: sparse={short(sparse)}'
            )
        check_sparse(sparse, "Hashing")
        self.num_bins = int(num_bins)
        self.mask_value = mask_value
        self.salt = checked_salt(salt, "Hashing")
        self.output_mode = output_mode
        self.sparse = False

    @property
    def input_dtype(self) -> str:
        """The dtype of inputs that are no integers."""
        return config.floatx()

    def call(self, inputs: Tensor) -> Tensor:
        """The bins, or vectors of them."""
        bins = self._bins(to_tensor(inputs))  # a single text is no tensor yet
        return encoded(bins, self.output_mode, self.num_bins, self.compute_dtype)

    def _bins(self, inputs: Tensor) -> Tensor:
        salt = None if self.salt is None else (self.salt[0], self.salt[1])
        is_masked = self.mask_value is not None and self.num_bins > 1
        if inputs.dtype == STRING:
            mask = self._text_mask() if is_masked else None
            return text.hash_text(inputs, bins=self.num_bins, salt=salt, mask=mask)
        bins = self.num_bins - is_masked
        if inputs.dtype == "bool":
            words: list[Any] = ["false", "true"]
            no, yes = (text.hash_text(word, bins=bins, salt=salt, mask=None) for word in words)
            found = ops.where(inputs, yes, no)
        else:
            is_float = dtypes.is_floating(inputs.dtype)
            whole = ops.cast(inputs, "int64") if is_float else inputs
            found = text.hash_integers(whole, bins=bins, salt=salt)
        if not is_masked:
            return found
        return ops.where(ops.equal(inputs, self.mask_value), 0, found + 1)

    def _text_mask(self) -> bytes:
        if not is_a(self.mask_value, (str, bytes)):
            raise ValueError(
                f"Hashing: layer {short(self.name)} is called on text, so `mask_value` must be "
                f"text too. Received: mask_value={short(self.mask_value)}"
            )
        return to_bytes(self.mask_value)

    def compute_output_shape(self, input_shape: PartialShape) -> PartialShape:
        """The shape of bins or vectors for inputs of a shape."""
        shape = tuple(input_shape)
        if self.output_mode == "int":
            return shape
        if self.output_mode == "one_hot":
            cut = shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape
            return (*cut, self.num_bins)
        return (*shape[:1], *shape[2:], self.num_bins) if len(shape) > 1 else (self.num_bins,)

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        """A symbolic tensor of that shape."""
        return KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)
