"""Embedding and ReversibleEmbedding, in both directions."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case


def cases(long: bool) -> Iterator[Case]:
    for name in ("Embedding", "ReversibleEmbedding"):
        for shape, options in (
            ((2, 5), {}),
            ((2,), {}),
            ((2, 3, 2), {"mask_zero": True}),
            (
                (2, 5),
                {
                    "embeddings_initializer": "ones",
                    "embeddings_regularizer": "l2",
                    "embeddings_constraint": "max_norm",
                    "activity_regularizer": "l2",
                },
            ),
        ):
            yield Case(name, {"input_dim": 7, "output_dim": 3, **options}, (shape,), below=7)
    for options in (
        {},
        {"logit_soft_cap": 0.7, "mask_zero": True},
    ):
        for shape in ((2, 3), (2, 5, 3)):
            options = {"input_dim": 7, "output_dim": 3, **options}
            yield Case("ReversibleEmbedding", options, (shape,), call={"reverse": True})
    if long:
        options = {
            "input_dim": 7,
            "output_dim": 3,
            "tie_weights": False,
            "reverse_dtype": "float32",
        }
        yield Case("ReversibleEmbedding", options, ((2, 3),), call={"reverse": True})
