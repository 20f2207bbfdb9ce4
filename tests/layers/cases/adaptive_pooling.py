"""Pooling to a given size."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case, case, image


def cases(long: bool) -> Iterator[Case]:
    for kind in ("Average", "Max"):
        name = f"Adaptive{kind}Pooling"
        for rank, sizes in ((1, (4,)), (2, (3, 4)), (3, (2, 4, 5))):
            shape = image(rank, 3, "channels_last")
            yield case(f"{name}{rank}D", shape, output_size=sizes)
            first = image(rank, 3, "channels_first")
            yield case(f"{name}{rank}D", first, output_size=2, data_format="channels_first")
        yield case(f"{name}2D", (2, 6, 4, 2), output_size=2)
