"""MultiHeadAttention."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from typing import ClassVar

from nkeras import ops
from nkeras.core.errors import is_a, refuse, short
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
from nkeras.layers.einsum_dense import EinsumDense


class MultiHeadAttention(HeadAttention):
    """Attention of several heads: each projects query, key and value, and weights the values.

    With `softmax(Q K / sqrt(key_dim)) V` for each head, what all heads give is projected to the
    output. Without `return_attention_scores`, and for inputs of three axes, the scores are never
    whole: memory grows with the lengths alone.

    Args:
        num_heads: heads.
        key_dim: size of a head's queries and keys.
        value_dim: size of a head's values; `key_dim` by default.
        dropout: part of the weights to drop in training.
        use_bias: whether the projections have biases.
        output_shape: int or ints, sizes of the output's last axes; the query's last by default.
        attention_axes: axes that are attended over; all but the first and the last by default.
        sliding_window: a query sees keys that are less than so many places away; None for all.
        flash_attention: accepted for Keras: attention is always computed by blocks, which is what
            it asks for. As in Keras, True refuses dropout and `return_attention_scores`.
        kernel_initializer: initializer of the projections' kernels.
        bias_initializer: initializer of their biases.
        kernel_regularizer: penalty of the kernels.
        bias_regularizer: penalty of the biases.
        activity_regularizer: penalty of what each projection gives.
        kernel_constraint: applied to the kernels after each update.
        bias_constraint: applied to the biases after each update.
        use_gate: multiply what the heads give by `sigmoid` of another projection of the query.
        seed: int, of the dropout.

    Call arguments:
        query: `(batch, queries, features)`.
        value: `(batch, keys, features)`.
        key: `(batch, keys, features)`; the value by default.
        query_mask, value_mask, key_mask: boolean `(batch, length)`; those that travel with the
            inputs by default.
        attention_mask: boolean, broadcasts to `(batch, queries, keys)`; False hides a key.
        return_attention_scores: whether to return the weights as well.
        training: whether to drop.
        use_causal_mask: whether keys behind a query are hidden from it.

    Input shape: `(batch, ..., features)`. Output shape: `(batch, queries, output)`; the weights are
    `(batch, heads, queries, keys)`.

    Raises:
        ValueError: an argument is out of range, or shapes do not fit.

    Example:
        >>> import nkeras
        >>> layer = MultiHeadAttention(num_heads=2, key_dim=4)
        >>> layer(nkeras.ops.ones((1, 8, 16)), nkeras.ops.ones((1, 5, 16))).shape
        (1, 8, 16)

    Source: https://arxiv.org/abs/1706.03762; a `query_mask` that is given is heeded, which Keras
    3.15 overwrites with the one that travels with the query.
    """

    saved_as: ClassVar[Mapping[str, str]] = {
        f"_{name}": name for name in ("query_dense", "key_dense", "value_dense", "output_dense")
    }

    config_reads: ClassVar[Mapping[str, str]] = {
        **HeadAttention.config_reads,
        "num_heads": "_num_heads",
        "key_dim": "_key_dim",
        "value_dim": "_value_dim",
        "dropout": "_dropout",
        "use_bias": "_use_bias",
        "use_gate": "_use_gate",
        "output_shape": "_output_shape",
        "attention_axes": "_attention_axes",
        "sliding_window": "_sliding_window",
        "activity_regularizer": "_activity_regularizer",
    }

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
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
        super().__init__(**kwargs)
        owner = type(self).__name__
        self._num_heads = positive_int(num_heads, "num_heads", owner)
        self._key_dim = positive_int(key_dim, "key_dim", owner)
        value_dim = key_dim if value_dim is None else value_dim
        self._value_dim = positive_int(value_dim, "value_dim", owner)
        self._set_shared(dropout, use_bias, use_gate, sliding_window, flash_attention, seed)
        self._output_shape = _ints(output_shape, "output_shape", owner)
        self._attention_axes = _ints(attention_axes, "attention_axes", owner)
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
        _check_lengths(value_shape, key_shape, type(self).__name__)
        rank = len(query_shape)
        keys, values = (self._num_heads, self._key_dim), (self._num_heads, self._value_dim)
        self._query_dense = self._to_heads("query", query_shape, keys)
        self._key_dense = self._to_heads("key", key_shape, keys)
        if self._use_gate:
            self._gate_dense = self._to_heads("gate", query_shape, values, "sigmoid")
        self._value_dense = self._to_heads("value", value_shape, values)
        axes = self._attention_axes or tuple(range(1, rank - 1))
        self._attention_axes = tuple(axis if axis >= 0 else rank + axis for axis in axes)
        self._equations = _equations(rank + 1, self._attention_axes)
        count = len(self._equations[0].split("->")[1])
        self._make_weighting(tuple(range(count - len(self._attention_axes), count)))
        output = tuple(self._output_shape or query_shape[-1:])
        equation, bias_axes = _projection(rank - 1, 2, len(output))
        shape = (*(None,) * (rank - 2), *output)
        heads = (*query_shape[:-1], *values)
        self._output_dense = self._project("attention_output", equation, shape, bias_axes, heads)

    def _to_heads(
        self,
        name: str,
        input_shape: PartialShape,
        sizes: tuple[int, int],
        activation: str | None = None,
    ) -> EinsumDense:
        rank = len(input_shape)
        equation, bias_axes = _projection(rank - 1, 1, 2)
        shape = (*(None,) * (rank - 2), *sizes)
        return self._project(name, equation, shape, bias_axes, input_shape, activation)

    def _attend_by_scores(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        training: bool | None,
    ) -> Result:
        products, combine = self._equations
        scores = ops.einsum(products, key, query * (1.0 / math.sqrt(self._key_dim)))
        mask = masks.by_head(mask, len(self._attention_axes or ()), len(scores.shape))
        weights = self._softmax(scores, mask=mask)
        dropped = self._dropout_layer(weights, training=training)
        return ops.einsum(combine, dropped, value), weights

    def compute_output_shape(  # pyright: ignore[reportIncompatibleMethodOverride]  as in Keras
        self,
        query_shape: PartialShape,
        value_shape: PartialShape,
        key_shape: PartialShape | None = None,
    ) -> PartialShape:
        """The query's shape, with its last size replaced by the output's."""
        key_shape = value_shape if key_shape is None else key_shape
        _check_lengths(tuple(value_shape), tuple(key_shape), type(self).__name__)
        return (*query_shape[:-1], *(self._output_shape or query_shape[-1:]))

    @property
    def num_heads(self) -> int:
        """How many heads there are."""
        return self._num_heads

    @property
    def key_dim(self) -> int:
        """The size of a head's queries and keys."""
        return self._key_dim

    @property
    def value_dim(self) -> int:
        """The size of a head's values."""
        return self._value_dim

    @property
    def dropout(self) -> float:
        """The part of the weights that training drops."""
        return self._dropout

    @property
    def use_bias(self) -> bool:
        """Whether the projections have biases."""
        return self._use_bias

    @property
    def attention_axes(self) -> tuple[int, ...] | None:
        """The axes that are attended over."""
        return self._attention_axes

    @property
    def query_dense(self) -> EinsumDense:
        """The projection of the query."""
        return self._query_dense

    @property
    def key_dense(self) -> EinsumDense:
        """The projection of the key."""
        return self._key_dense

    @property
    def value_dense(self) -> EinsumDense:
        """The projection of the value."""
        return self._value_dense

    @property
    def output_dense(self) -> EinsumDense:
        """The projection of what the heads give."""
        return self._output_dense


def _ints(value: int | Sequence[int] | None, argument: str, owner: str) -> tuple[int, ...] | None:
    if value is None or is_a(value, int):
        return value if value is None else (int(value),)  # type: ignore[arg-type]
    if not is_a(value, (list, tuple)):
        refuse(argument, value, "an int, ints or None", owner)
    return tuple(value)  # type: ignore[arg-type]


def _check_lengths(value_shape: PartialShape, key_shape: PartialShape, owner: str) -> None:
    if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
        raise ValueError(
            f"{owner}: value and key must have the same sizes but the last one. Received: shapes "
            f"{short(value_shape)} and {short(key_shape)}"
        )


def _projection(free: int, bound: int, made: int) -> tuple[str, str]:
    """The equation of a projection, and the axes of its bias, from numbers of axes.

    Args:
        free: axes that stay.
        bound: last axes of the input, which are summed over.
        made: axes of the output that come in their place.
    """
    letters = string.ascii_lowercase
    kept, summed = letters[:free], letters[free : free + bound]
    output = letters[free + bound : free + bound + made]
    return f"{kept}{summed},{summed}{output}->{kept}{output}", output


def _equations(rank: int, axes: tuple[int, ...]) -> tuple[str, str]:
    """Those of the scores, from key and query, and of their product with the values.

    Args:
        rank: of a projected input `(batch, ..., heads, size)`.
        axes: that are attended over; the others are equal in query and key.
    """
    query = string.ascii_lowercase[:rank]
    fresh = iter(string.ascii_lowercase[rank:])
    key = "".join(next(fresh) if i in axes else letter for i, letter in enumerate(query))
    shared = [query[i] for i in range(rank - 1) if i not in axes]
    scores = "".join([*shared, *(query[i] for i in axes), *(key[i] for i in axes)])
    return f"{key},{query}->{scores}", f"{scores},{key}->{query}"
