"""Attention and AdditiveAttention, with one head and without projections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nkeras import ops
from nkeras.core.configurable import ANY
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.random import SeedGenerator
from nkeras.core.tensor import Tensor
from nkeras.core.typing import AllLayerOptions, Masks, PartialShape, Shapes, Structure, Unpack
from nkeras.core.variable import Variable
from nkeras.layers.attention import masks
from nkeras.layers.base import Layer
from nkeras.ops.attention import attend
from nkeras.ops.random import dropout as drop


class Attention(Layer):
    """Attention by products, or by `tanh` of sums: values weighted by `softmax(scores)`.

    Scores are products of queries and keys (Luong), or with `score_mode="concat"` the sum of
    `tanh(query + key)` over the features. Products of inputs with three axes are computed by
    blocks, so that memory grows with the lengths alone, unless the scores are returned.

    Args:
        use_scale: whether the scores are multiplied by a learned number; with `"concat"`, what is
            in `tanh`.
        score_mode: `"dot"` or `"concat"`.
        dropout: part of the weights to drop in training.
        seed: int, of the dropout.

    Call arguments:
        inputs: list of query `(batch, queries, features)`, value `(batch, keys, features)` and
            optionally key `(batch, keys, features)`, by default the value.
        mask: list of masks of query and value, `(batch, length)`; the output is 0 where the query's
            is False, and values whose mask is False have no weight.
        return_attention_scores: whether to return the weights as well.
        training: whether to drop.
        use_causal_mask: whether keys behind a query are hidden from it.

    Input shape: as above. Output shape: `(batch, queries, value features)`; the weights are
    `(batch, queries, keys)`.

    Raises:
        ValueError: `score_mode` is another one, or the inputs are no list of 2 or 3.

    Example:
        >>> import nkeras
        >>> query, value = nkeras.ops.ones((1, 3, 4)), nkeras.ops.ones((1, 5, 4))
        >>> Attention()([query, value]).shape
        (1, 3, 4)

    Source: https://keras.io/api/layers/attention_layers/attention/
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Unpack[AllLayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            refuse("score_mode", score_mode, '"dot" or "concat"', type(self).__name__)
        if not 0 <= dropout <= 1:
            refuse("dropout", dropout, "in [0, 1]", type(self).__name__)
        self.use_scale, self.score_mode = use_scale, score_mode
        self.dropout, self.seed = dropout, seed
        if dropout > 0:
            self.seed_generator = SeedGenerator(seed)

    def build(self, input_shape: Shapes) -> None:
        """Make the scale."""
        self._validate_inputs(input_shape)
        self.scale: Variable | None = None
        self.concat_score_weight: Variable | None = None
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(
                name="concat_score_weight", shape=(), initializer="ones"
            )

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Weighted values; with the weights if they are asked for."""
        self._validate_inputs(inputs, mask)
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) > 2 else value
        query_mask, value_mask = (mask[0], mask[1]) if mask else (None, None)
        is_plain = type(self)._calculate_scores is Attention._calculate_scores
        is_plain = is_plain and type(self)._apply_scores is Attention._apply_scores
        weights = None
        if (
            is_plain
            and self.score_mode == "dot"
            and len(query.shape) == 3
            and (not return_attention_scores)
        ):
            output = self._attend(query, value, key, value_mask, training, use_causal_mask)
        else:
            scores = self._calculate_scores(query, key)
            seen = None if value_mask is None else ops.expand_dims(value_mask, -2)
            if use_causal_mask:
                seen = masks.both(seen, masks.earlier(*scores.shape[-2:]))
            output, weights = self._apply_scores(scores, value, seen, training)
        if query_mask is not None:
            output = ops.where(ops.expand_dims(query_mask, -1), output, 0)
        return (output, weights) if return_attention_scores else output

    def _attend(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor,
        value_mask: Tensor | None,
        training: bool,
        is_causal: bool,
    ) -> Tensor:
        """By blocks, as one head."""
        if self.scale is not None:
            query = ops.multiply(query, self.scale)
        rate = self.dropout if training else 0.0
        output = attend(
            *(ops.expand_dims(x, 2) for x in (query, key, value)),
            mask=None if value_mask is None else ops.expand_dims(value_mask, (1, 2)),
            scale=1.0,
            is_causal=is_causal,
            rate=rate,
            seed=self.seed_generator if rate else None,
        )
        return ops.squeeze(output, 2)

    def _calculate_scores(self, query: Tensor, key: Tensor) -> Tensor:
        """The scores `(batch, queries, keys)`."""
        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.swapaxes(key, -2, -1))
            return scores if self.scale is None else ops.multiply(scores, self.scale)
        sums = ops.expand_dims(query, -2) + ops.expand_dims(key, -3)
        sums = sums if self.scale is None else ops.multiply(sums, self.scale)
        assert self.concat_score_weight is not None
        return ops.multiply(ops.sum(ops.tanh(sums), axis=-1), self.concat_score_weight)

    def _apply_scores(
        self,
        scores: Tensor,
        value: Tensor,
        scores_mask: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Weighted values, and the weights."""
        if scores_mask is not None:
            large = 65504.0 if scores.dtype == "float16" else 1e9
            scores = ops.where(scores_mask, scores, scores - large)
        weights = ops.softmax(scores)
        if training and self.dropout > 0:
            weights = drop(weights, self.dropout, seed=self.seed_generator)
        return ops.matmul(weights, value), weights

    def compute_mask(self, inputs: Structure, previous_mask: Masks) -> Masks:
        """The query's mask."""
        self._validate_inputs(inputs, previous_mask)
        return None if previous_mask is None else previous_mask[0]

    def compute_output_shape(self, input_shape: Shapes) -> PartialShape:
        """The query's shape with the value's last size."""
        return (*input_shape[0][:-1], input_shape[1][-1])

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs, by tracing: there may be two."""
        return super().compute_output_spec(*args, **kwargs)

    def _validate_inputs(self, inputs: Any, mask: Any = None) -> None:
        owner = type(self).__name__
        if not is_a(inputs, list) or len(inputs) not in (2, 3):
            raise ValueError(
                f"{owner} must be called on a list [query, value] or [query, value, key]. "
                f"Received: {short(inputs)}"
            )
        if mask is not None and (not is_a(mask, list) or len(mask) not in (2, 3)):
            refuse("mask", mask, "a list [query_mask, value_mask]", owner)


class AdditiveAttention(Attention):
    """Additive attention (Bahdanau): scores are `sum(scale * tanh(query + key))` over the features.

    Args:
        use_scale: whether `scale` is learned, a number for each feature; it is 1 otherwise.
        dropout: part of the weights to drop in training.
        **kwargs: `seed`, and what every layer takes.

    Call arguments, input shape and output shape: those of `Attention`.

    Raises:
        ValueError: the inputs are no list of 2 or 3.

    Example:
        >>> import nkeras
        >>> query, value = nkeras.ops.ones((1, 3, 4)), nkeras.ops.ones((1, 5, 4))
        >>> AdditiveAttention()([query, value]).shape
        (1, 3, 4)

    Source: https://arxiv.org/abs/1409.0473
    """

    config_omits: ClassVar[Mapping[str, object]] = {**Attention.config_omits, "score_mode": ANY}

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Shapes) -> None:
        """Make the scale."""
        self._validate_inputs(input_shape)
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight(
                name="scale", shape=(input_shape[0][-1],), initializer="glorot_uniform"
            )

    def _calculate_scores(self, query: Tensor, key: Tensor) -> Tensor:
        """The scores `(batch, queries, keys)`."""
        bent = ops.tanh(ops.expand_dims(query, -2) + ops.expand_dims(key, -3))
        bent = bent if self.scale is None else ops.multiply(bent, self.scale)
        return ops.sum(bent, axis=-1)
