"""Poolings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.layers.case import Case, case, image


def cases(long: bool) -> Iterator[Case]:
    for rank, kind in product((1, 2, 3), ("Max", "Average")):
        name = f"{kind}Pooling{rank}D"
        yield case(name, image(rank, 3, "channels_last"), pool_size=2)
        yield case(f"Global{name}", image(rank, 3, "channels_last"))
        if rank != 2 and not long:
            continue
        yield case(
            name,
            image(rank, 3, "channels_first"),
            pool_size=3,
            strides=2,
            padding="same",
            data_format="channels_first",
        )
        yield case(
            f"Global{name}",
            image(rank, 3, "channels_first"),
            data_format="channels_first",
            keepdims=True,
        )
        if long:
            for size, stride, padding, data_format in product(
                (1, 2, 3), (None, 1, 2, 3), ("valid", "same"), ("channels_last", "channels_first")
            ):
                yield case(
                    name,
                    image(rank, 2, data_format),
                    pool_size=size,
                    strides=stride,
                    padding=padding,
                    data_format=data_format,
                )
    for data_format in ("channels_last", "channels_first"):
        shape = (2, 4, 3) if data_format == "channels_last" else (2, 4, 4)
        options = {"data_format": data_format}
        yield Case("GlobalAveragePooling1D", options, (shape,), mask=True)
