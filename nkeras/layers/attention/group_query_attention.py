"""GroupQueryAttention."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from nkeras import ops
from nkeras.core import naming
from nkeras.core.errors import short
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    ConstraintLike,
    InitializerLike,
    LayerOptions,
    PartialShape,
    RegularizerLike,
    Unpack,
)
from nkeras.layers.arguments import positive_int
from nkeras.layers.attention import masks
from nkeras.layers.attention.heads import HeadAttention, Result


class GroupQueryAttention(HeadAttention):
    """Attention whose heads share keys and values in groups.

    One head of keys and values for all is multi-query attention; as many as heads of queries make
    it `MultiHeadAttention`. Keys and values are not repeated for the heads that share them.

    Args:
        head_dim: size of a head's queries, keys and values.
        num_query_heads: heads of queries.
        num_key_value_heads: heads of keys and values, which divide those of queries.
        dropout: part of the weights to drop in training.
        use_bias: whether the projections have biases.
        sliding_window: a query sees keys that are less than so many places away; None for all.
        flash_attention: accepted for Keras: attention is always computed by blocks, which is what
            it asks for. As in Keras, True refuses dropout and `return_attention_scores`.
        kernel_initializer: initializer of the projections' kernels.
        bias_initializer: initializer of their biases.
        kernel_regularizer: penalty of the kernels.
        bias_regularizer: penalty of the biases.
        activity_regularizer: penalty of the output, and of what each projection gives.
        kernel_constraint: applied to the kernels after each update.
        bias_constraint: applied to the biases after each update.
        use_gate: multiply what the heads give by `sigmoid` of another projection of the query.
        seed: int, of the dropout.

    Call arguments: those of `MultiHeadAttention`.

    Input shape: `(batch, length, features)`. Output shape: that of the query; the weights are
    `(batch, num_query_heads, queries, keys)`.

    Raises:
        ValueError: an argument is out of range, or shapes do not fit.

    Example:
        >>> import nkeras
        >>> layer = GroupQueryAttention(4, num_query_heads=4, num_key_value_heads=2)
        >>> layer(nkeras.ops.ones((1, 8, 16)), nkeras.ops.ones((1, 5, 16))).shape
        (1, 8, 16)

    Source: https://arxiv.org/abs/2305.13245
    """

    saved_name: ClassVar[str] = "grouped_query_attention"  # the name of the class in Keras

    config_reads: ClassVar[Mapping[str, str]] = {
        **HeadAttention.config_reads,
        "activity_regularizer": "activity_regularizer",
    }

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        if type(self) is GroupQueryAttention and kwargs.get("name") is None:
            kwargs["name"] = naming.auto_name("GroupedQueryAttention")  # what Keras calls the class
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        owner = type(self).__name__
        self.head_dim = positive_int(head_dim, "head_dim", owner)
        self.num_query_heads = positive_int(num_query_heads, "num_query_heads", owner)
        self.num_key_value_heads = positive_int(num_key_value_heads, "num_key_value_heads", owner)
        if num_query_heads % num_key_value_heads:
            raise ValueError(
                f"{owner}: argument `num_query_heads` must be a multiple of `num_key_value_heads`. "
                f"Received: {num_query_heads} and {num_key_value_heads}"
            )
        self.num_repeats = num_query_heads // num_key_value_heads
        self._set_shared(dropout, use_bias, use_gate, sliding_window, flash_attention, seed)
        self.dropout, self.use_bias, self.use_gate = dropout, use_bias, use_gate
        self.sliding_window = sliding_window
        self._set_dense_options(
            (kernel_initializer, kernel_regularizer, kernel_constraint),
            (bias_initializer, bias_regularizer, bias_constraint),
            activity_regularizer,
        )

    def build(  # pyright: ignore[reportIncompatibleMethodOverride]  as in Keras
        self,
        query_shape: PartialShape,
        value_shape: PartialShape,
        key_shape: PartialShape | None = None,
    ) -> None:
        """Make the projections."""
        key_shape = value_shape if key_shape is None else key_shape
        queries = (None, self.num_query_heads, self.head_dim)
        keys = (None, self.num_key_value_heads, self.head_dim)
        of_queries, of_keys = ("bqm,muh->bquh", queries, "uh"), ("bkm,mvh->bkvh", keys, "vh")
        self._query_dense = self._project("query", *of_queries, query_shape)
        self._key_dense = self._project("key", *of_keys, key_shape)
        if self.use_gate:
            self._gate_dense = self._project("gate", *of_queries, query_shape, "sigmoid")
        self._value_dense = self._project("value", *of_keys, value_shape)
        self._make_weighting((-1,))
        heads = (*query_shape[:2], *queries[1:])
        output = (None, query_shape[-1])
        self._output_dense = self._project("attention_output", "bquh,uhm->bqm", output, "m", heads)

    def _attend_by_scores(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        training: bool | None,
    ) -> Result:
        key, value = (ops.repeat(x, self.num_repeats, axis=2) for x in (key, value))
        query = query * (1.0 / math.sqrt(self.head_dim))
        scores = ops.einsum("bquh,bkuh->buqk", query, key)
        weights = self._softmax(scores, mask=masks.by_head(mask, 1, 4))
        dropped = self._dropout_layer(weights, training=training)
        return ops.einsum("buqk,bkuh->bquh", dropped, value), weights

    def compute_output_shape(  # pyright: ignore[reportIncompatibleMethodOverride]  as in Keras
        self,
        query_shape: PartialShape,
        value_shape: PartialShape,
        key_shape: PartialShape | None = None,
    ) -> PartialShape:
        """The query's shape."""
        key_shape = value_shape if key_shape is None else key_shape
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ValueError(
                "GroupQueryAttention: value and key must have the same length. Received: shapes "
                f"{short(value_shape)} and {short(key_shape)}"
            )
        return query_shape
