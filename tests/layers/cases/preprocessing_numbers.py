"""Preprocessing layers for numbers."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case, case


def cases(long: bool) -> Iterator[Case]:
    yield case("Normalization")
    given = {"mean": [0.5, 0.25, -0.125], "variance": [0.125, 0.25, 0.5]}
    yield case("Normalization", **given)
    yield Case("Normalization", {**given, "invert": True}, ((2, 4, 3),), mask=True)
    yield case("Normalization", (2, 3, 2), axis=(1, 2))
    yield Case("Normalization", {"axis": -1}, ((2, 3),), below=9)
    yield case("Rescaling", scale=0.25, offset=-1)
    yield Case("Rescaling", {"scale": [0.5, 2.0, 1.0]}, ((2, 3, 3),), mask=True)
    yield Case("Rescaling", {"scale": 1.0 / 255.0, "offset": [0.5, 0.25]}, ((3, 2),), below=256)
    if long:
        yield case("Normalization", (2, 3, 2, 4), axis=None)
        yield case("Normalization", (2, 3, 2), axis=1, mean=2.0, variance=0.25, invert=True)
        yield case("Normalization", (2, 3, 2), axis=(2, 1), mean=[1.0, 2.0], variance=[0.5, 2.0])
        yield case("Normalization", (2, 3, 2), axis=(1, -1), invert=True)
    rescaling = {"class_name": "Rescaling", "module": "keras.layers", "registered_name": None}
    normalization = {**rescaling, "class_name": "Normalization"}
    rescaling |= {"config": {"name": "r", "scale": 2.0, "offset": 0.5}}
    normalization |= {"config": {"name": "n", "axis": [-1]}}
    several = {"layers": [rescaling, normalization, rescaling]}
    yield Case("Pipeline", several, arguments=("inputs",))
    edges = {"bin_boundaries": [-0.75, 0.0, 0.5, 1.0]}
    for mode in ("one_hot", "multi_hot", "count"):
        yield case("Discretization", (2, 3), output_mode=mode, **edges)
        yield Case("CategoryEncoding", {"num_tokens": 6, "output_mode": mode}, ((2, 4),), below=6)
    if long:
        yield Case("Pipeline", {"layers": [rescaling]}, ((2, 3),))
        for mode in ("one_hot", "multi_hot", "count"):
            yield case("Discretization", (2, 3, 4), output_mode=mode, **edges)
            options = {"num_tokens": 6, "output_mode": mode}
            yield Case("CategoryEncoding", options, ((5,),), below=6)
            yield Case("CategoryEncoding", options, ((2, 4, 3),), below=6)
