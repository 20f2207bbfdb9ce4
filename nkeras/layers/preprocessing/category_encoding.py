"""CategoryEncoding: whole numbers as vectors of zeros and ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from nkeras.core import config, graph
from nkeras.core.configurable import ANY
from nkeras.core.errors import cut_text, is_a, short
from nkeras.core.host import on_host
from nkeras.core.tensor import Tensor, is_on_host
from nkeras.core.typing import AllLayerOptions, Unpack
from nkeras.layers.base import Layer
from nkeras.layers.preprocessing.data_layer import DataLayer
from nkeras.layers.preprocessing.encoding import OUTPUT_MODES, check_sparse, encoded

_MODES = tuple(mode for mode in OUTPUT_MODES if mode != "int")


class CategoryEncoding(DataLayer):
    """Tokens, which are integers from 0 to `num_tokens - 1`, as vectors of that length.

    Args:
        num_tokens: how many tokens there are.
        output_mode: `"multi_hot"` (a vector for each sample, 1 at each token in it), `"one_hot"`
            (a vector for each token, in the last axis or in place of a last axis of size 1) or
            `"count"` (how often each token is in a sample).
        sparse: must be False: nkeras has no sparse tensors.

    Call arguments: `inputs`, integers; lists and arrays as well as tensors. `count_weights`, for
    `"count"` only: what each token counts, in place of 1, of the shape of the inputs.

    Input shape: any; axis 1 holds the tokens of a sample, or axis 0 where there is no other.
    Output shape: `"one_hot"` `(..., num_tokens)`; others `(batch, ..., num_tokens)` without axis 1.

    Raises:
        ValueError: an argument is none of these, or a token is no integer in
            `[0, num_tokens)`, also in trained and predicted batches. On a device, where looking
            would make every step wait, such a token has no place in the vector.

    Example:
        >>> layer = CategoryEncoding(num_tokens=4, output_mode="count")
        >>> layer([[0, 1, 1], [3, 2, 3]]).numpy()
        array([[1., 2., 0., 0.],
               [0., 0., 1., 2.]], dtype=float32)

    Source: https://keras.io/api/layers/preprocessing_layers/categorical/category_encoding/
    """

    config_omits: ClassVar[Mapping[str, object]] = {**Layer.config_omits, "sparse": ANY}

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        check_sparse(sparse, "CategoryEncoding")
        output_mode = "multi_hot" if output_mode == "binary" else output_mode  # its old name
        if output_mode not in _MODES:
            raise ValueError(
                f"CategoryEncoding: Unknown arg for output_mode: {cut_text(str(output_mode), 80)}. "
                f"It must be one of {_MODES}."
            )
        if num_tokens is None:
            raise ValueError(
                "CategoryEncoding: num_tokens must be set to use this layer. Where the number of "
                "tokens is not known, use IntegerLookup."
            )
        if not is_a(num_tokens, (int, np.integer)) or num_tokens < 1:
            raise ValueError(
                "CategoryEncoding: `num_tokens` must be >= 1, an integer. "
                f"Received: num_tokens={short(num_tokens)}"
            )
        self.num_tokens = int(num_tokens)
        self.output_mode = output_mode
        self.sparse = sparse

    @property
    def input_dtype(self) -> str:
        """The dtype of inputs that are no integers: half types do not hold large ones."""
        return config.floatx()

    def call(self, inputs: Tensor, count_weights: Tensor | None = None) -> Tensor:
        """The vectors."""
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                "CategoryEncoding: `count_weights` is not used when `output_mode` is "
                f"{self.output_mode!r}; it is for 'count'. Received: {short(count_weights)}"
            )
        if not is_a(inputs, graph.KerasTensor) and is_on_host(inputs):
            on_host(self._check_range, inputs)
        return encoded(inputs, self.output_mode, self.num_tokens, self.compute_dtype, count_weights)

    def _check_range(self, tokens: np.ndarray) -> None:
        known = (tokens >= 0) & (tokens < self.num_tokens)
        if tokens.dtype.kind not in "biu":
            known &= tokens == np.floor(tokens)
        if not known.all():
            wrong = tokens[~known]
            raise ValueError(
                f"CategoryEncoding: layer {short(self.name)} takes integers in the range 0 <= value"
                f" < num_tokens, with num_tokens={self.num_tokens}. Received: "
                f"{short(np.unique(wrong)[:5].tolist())} ({wrong.size} of {tokens.size} are wrong)"
            )
