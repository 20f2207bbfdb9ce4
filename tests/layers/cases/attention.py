"""Attention with and without heads: masks, causal ones too, scores returned, groups, gates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.layers.case import Case

_LENGTHS = (2, 5, 2), (2, 7, 2)  # few features, or softmax takes one key alone
_BOTH = "query", "value"
_ALL = "query", "value", "key"
_DENSE = {
    "kernel_initializer": "he_normal",
    "bias_initializer": "ones",
    "kernel_regularizer": "l2",
    "bias_regularizer": "l1",
    "activity_regularizer": "l2",
    "kernel_constraint": "max_norm",
    "bias_constraint": "non_neg",
}
_CAUSAL = {"use_causal_mask": True}
_SCORES = {"return_attention_scores": True}


def cases(long: bool) -> Iterator[Case]:
    for name, options in (
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}),
        ("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}),
    ):
        yield from _heads(name, options, long)
    yield from _axes(long)
    for name in ("Attention", "AdditiveAttention"):
        yield from _without_heads(name, long)


def _heads(name: str, options: dict[str, Any], long: bool) -> Iterator[Case]:
    def one(
        call: dict[str, Any] | None = None, mask: bool = False, keys: bool = False, **more: Any
    ) -> Case:
        arguments, shapes = (_ALL, (*_LENGTHS, _LENGTHS[1])) if keys else (_BOTH, _LENGTHS)
        random = more.get("dropout", 0) > 0
        given = options | more
        return Case(name, given, shapes, mask, random, call=call or {}, arguments=arguments)

    yield one()
    yield one(_CAUSAL, mask=True, use_gate=True)
    yield one(_SCORES | _CAUSAL, mask=True, sliding_window=2)
    yield one(keys=True, use_bias=False, **_DENSE)
    yield one(mask=True, dropout=0.4, seed=3, flash_attention=False)
    if long:
        yield one(_CAUSAL)
        yield one(_SCORES, keys=True, mask=True)
        yield one(_CAUSAL, mask=True, dropout=0.4, sliding_window=3)
        yield one(_SCORES, dropout=0.4, use_gate=True)
        yield one(use_gate=True, **_DENSE)


def _axes(long: bool) -> Iterator[Case]:
    options = {"num_heads": 2, "key_dim": 3, "value_dim": 4}
    given = options | {"output_shape": 5}  # Keras on JAX fails where value_dim is not key_dim
    yield Case("MultiHeadAttention", given, _LENGTHS, arguments=_BOTH, in_keras=False)
    images = (2, 3, 4, 2), (2, 3, 4, 2)
    for axes in (None, 2, [-2, 1]) if long else ((1, 2),):
        given = options | {"attention_axes": axes, "output_shape": (2, 3)}
        yield Case("MultiHeadAttention", given, images, arguments=_BOTH)


def _without_heads(name: str, long: bool) -> Iterator[Case]:
    two, three = _LENGTHS, (*_LENGTHS, _LENGTHS[1])
    yield Case(name, {}, two)
    yield Case(name, {"use_scale": name == "Attention"}, three, True, call=_CAUSAL)
    yield Case(name, {"dropout": 0.4, "seed": 3}, two, True, random=True)
    if name == "Attention":
        yield Case(name, {"score_mode": "concat", "use_scale": True}, two, call=_SCORES)
    if long:
        yield Case(name, {}, three, call=_SCORES | _CAUSAL)
        yield Case(name, {"dropout": 0.4}, two, random=True, call=_SCORES)
    if long and name == "Attention":
        yield Case(name, {"score_mode": "concat"}, three, True)
        yield Case(name, {"use_scale": True}, ((2, 3, 5, 6), (2, 3, 7, 6)))
