"""LoRA, in all layers that have it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case, case


def cases(long: bool) -> Iterator[Case]:
    yield case("Dense", (2, 5, 3), units=4, lora_rank=2, kernel_regularizer="l2", activation="tanh")
    einsum = {"equation": "abc,cde->abde", "output_shape": (5, 2, 4), "bias_axes": "de"}
    yield case("EinsumDense", (2, 5, 3), **einsum, lora_rank=3, lora_alpha=1.5)
    for rank, shape in ((1, (2, 6, 4)), (2, (2, 5, 6, 4)), (3, (2, 3, 4, 5, 4))):
        options = {"filters": 6, "kernel_size": 2, "groups": 2, "lora_rank": 2, "lora_alpha": 3}
        yield Case(f"Conv{rank}D", options, (shape,))
    options = {"input_dim": 7, "output_dim": 3, "lora_rank": 2, "mask_zero": True}
    yield Case("Embedding", options, ((2, 5),), below=7)
    yield Case("ReversibleEmbedding", options, ((2, 5),), below=7)
    yield Case("ReversibleEmbedding", options, ((2, 5, 3),), call={"reverse": True})
