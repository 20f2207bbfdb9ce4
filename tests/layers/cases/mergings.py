"""Layers of several inputs."""

from __future__ import annotations

from collections.abc import Iterator

from tests.layers.case import Case, case


def cases(long: bool) -> Iterator[Case]:
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
        yield case(name, (2, 3), (2, 3))
        if long or name in ("Add", "Multiply", "Maximum"):
            yield Case(name, {}, ((2, 4, 3), (2, 4, 3)), mask=True)
    yield case("Add", (2, 3, 4), (2, 1, 4), (2, 4))
    yield case("Concatenate", (2, 3, 4), (2, 2, 4), axis=1)
    yield Case("Concatenate", {"axis": 1}, ((2, 3, 4), (2, 2, 4)), mask=True)
    yield case("Dot", (2, 3), (2, 3), axes=1)
    yield case("Dot", (2, 3, 4), (2, 5, 4), axes=-1, normalize=True)
    yield case("Dot", (2, 3, 4), (2, 5, 3), axes=(1, 2))
    yield case("Dot", (2, 3), (2, 5, 3), axes=(1, 2))
