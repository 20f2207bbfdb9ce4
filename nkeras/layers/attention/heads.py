"""What MultiHeadAttention and GroupQueryAttention share: projections to heads, masks, attention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nkeras import ops, regularizers
from nkeras.core import config
from nkeras.core.configurable import ANY
from nkeras.core.errors import refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import (
    ConstraintLike,
    InitializerLike,
    PartialShape,
    RegularizerLike,
)
from nkeras.layers.activation import Softmax
from nkeras.layers.arguments import positive_int
from nkeras.layers.attention import masks
from nkeras.layers.base import Layer
from nkeras.layers.einsum_dense import EinsumDense
from nkeras.layers.regularization import Dropout
from nkeras.ops.attention import attend

Result = tuple[Tensor, Tensor | None]


class HeadAttention(Layer):
    """Projects its inputs to heads, attends, and projects what the heads give.

    A subclass makes the projections in its `build`, and computes scores that are asked for.
    """

    _query_dense: EinsumDense
    _key_dense: EinsumDense
    _value_dense: EinsumDense
    _gate_dense: EinsumDense
    _output_dense: EinsumDense

    config_omits: ClassVar[Mapping[str, object]] = {
        **{name: one for name, one in Layer.config_omits.items() if name != "activity_regularizer"},
        "flash_attention": ANY,
    }

    def _set_shared(
        self,
        dropout: float,
        use_bias: bool,
        use_gate: bool,
        sliding_window: int | None,
        flash_attention: bool | None,
        seed: int | None,
    ) -> None:
        self.supports_masking = True
        owner = type(self).__name__
        if not 0 <= dropout <= 1:
            refuse("dropout", dropout, "in [0, 1]", owner)
        self._dropout, self._use_bias, self._use_gate = dropout, use_bias, use_gate
        if sliding_window is not None:
            positive_int(sliding_window, "sliding_window", owner)
        self._sliding_window = sliding_window
        self._flash_attention = flash_attention or config.is_flash_attention_enabled()
        if self._flash_attention and dropout > 0:
            refuse("dropout", dropout, "0 where `flash_attention` is True, as in Keras", owner)
        self.seed = seed

    def _set_dense_options(
        self,
        kernel: tuple[InitializerLike, RegularizerLike, ConstraintLike],
        bias: tuple[InitializerLike, RegularizerLike, ConstraintLike],
        activity_regularizer: RegularizerLike,
    ) -> None:
        """Keep what the projections are made with."""
        self._set_options("kernel", *kernel)
        self._set_options("bias", *bias)
        self._activity_regularizer = regularizers.get(activity_regularizer)

    def _project(
        self,
        name: str,
        equation: str,
        output_shape: Sequence[int | None],
        bias_axes: str,
        input_shape: PartialShape,
        activation: str | None = None,
    ) -> EinsumDense:
        """A projection, built."""
        kernel, kernel_regularizer, kernel_constraint = self._options_of("kernel")
        bias, bias_regularizer, bias_constraint = self._options_of("bias")
        layer = EinsumDense(
            equation,
            tuple(output_shape),
            activation,
            bias_axes if self._use_bias else None,
            # One of its own each, which does not give two projections the same numbers.
            type(kernel).from_config(kernel.get_config()),
            type(bias).from_config(bias.get_config()),
            kernel_regularizer,
            bias_regularizer,
            kernel_constraint,
            bias_constraint,
            activity_regularizer=self._activity_regularizer,
            dtype=self.dtype_policy,
            name=name,
        )
        layer.supports_masking = True  # its input's mask is heeded here
        layer.build(input_shape)
        return layer

    def _make_weighting(self, axes: tuple[int, ...]) -> None:
        """The layers that make weights of scores: softmax along these axes, and dropout."""
        self._softmax = Softmax(axes, dtype=self.dtype_policy)
        self._dropout_layer = Dropout(self._dropout, seed=self.seed, dtype=self.dtype_policy)

    def call(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        query_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """What the heads give, projected; with the weights if they are asked for."""
        key = value if key is None else key
        mask = masks.joined(query_mask, value_mask, key_mask, attention_mask)
        queries, keys = query.shape[1], value.shape[1]
        if self._sliding_window is not None:
            mask = masks.both(mask, masks.near(queries, keys, self._sliding_window))
        named = {"use_causal_mask": True} if use_causal_mask else {}
        if named and not self._is_own("_compute_attention"):
            named, mask = {}, masks.both(mask, masks.earlier(queries, keys))
        gate = self._gate_dense(query) if self._use_gate else None
        heads, scores = self._compute_attention(
            self._query_dense(query),
            self._key_dense(key),
            self._value_dense(value),
            mask,
            training,
            return_attention_scores,
            **named,
        )
        output = self._output_dense(heads if gate is None else ops.multiply(heads, gate))
        return (output, scores) if return_attention_scores else output

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs, by tracing: there may be two."""
        return super().compute_output_spec(*args, **kwargs)

    def _is_own(self, method: str) -> bool:
        """Whether no class of the user's has another method of this name."""
        return getattr(type(self), method) is getattr(HeadAttention, method)

    def _compute_attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None = None,
        training: bool | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Result:
        """Weighted values of the projected inputs; the weights, if they are asked for.

        A subclass of the user's may have another one; it gets causal masks as others.
        """
        if return_attention_scores and self._flash_attention:
            refuse(
                "return_attention_scores", True, "False with `flash_attention`", type(self).__name__
            )
        if return_attention_scores or len(query.shape) != 4:
            if use_causal_mask:
                earlier = masks.earlier(query.shape[1], key.shape[1])
                attention_mask = masks.both(attention_mask, earlier)
            return self._attend_by_scores(query, key, value, attention_mask, training)
        rate = self._dropout if training else 0.0
        heads = attend(
            query,
            key,
            value,
            mask=masks.by_head(attention_mask, 1, 4),
            scale=1.0 / math.sqrt(query.shape[-1]),
            is_causal=use_causal_mask,
            rate=rate,
            seed=self._dropout_layer.seed_generator if rate else None,
            # With dropout, Keras goes through its layer Softmax, which does so.
            zero_hidden=self._dropout > 0,
        )
        return heads, None

    def _attend_by_scores(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        training: bool | None,
    ) -> Result:
        raise NotImplementedError
