"""Layered drawings: nothing overlaps, edges go down, and no crossing that can be avoided stays."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nkeras.inspect.layered import Drawing, draw

Edges = list[tuple[int, int]]

CHAIN = [(i, i + 1) for i in range(6)]
DIAMOND = [(0, 1), (0, 2), (1, 3), (2, 3)]
RESIDUAL = [(i, i + 1) for i in range(9)] + [(0, 3), (3, 6), (6, 9)]
INCEPTION = [(0, 1), (0, 2), (0, 4), (0, 6), (2, 3), (4, 5), (6, 7), (1, 8), (3, 8), (5, 8), (7, 8)]
U_NET = [(i, i + 1) for i in range(10)] + [(1, 9), (2, 8), (3, 7)]
TREES = [(0, 3), (1, 4), (2, 5), (5, 6), (4, 6), (3, 6)]


def lines(drawing: Drawing, edges: Edges) -> list[list[tuple[float, float]]]:
    found = []
    for (source, target), route in zip(edges, drawing.routes, strict=True):
        found.append([drawing.centers[source], *route, drawing.centers[target]])
    return found


def crosses(a: tuple, b: tuple, c: tuple, d: tuple) -> bool:
    def side(p: tuple, q: tuple, r: tuple) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < -1e-6 and side(c, d, a) * side(c, d, b) < -1e-6


def crossings(drawing: Drawing, edges: Edges) -> int:
    return sum(
        crosses(*first, *second)
        for one, other in itertools.combinations(lines(drawing, edges), 2)
        for first in itertools.pairwise(one)
        for second in itertools.pairwise(other)
    )


@pytest.mark.parametrize(
    ("count", "edges"),
    [(7, CHAIN), (4, DIAMOND), (10, RESIDUAL), (9, INCEPTION), (11, U_NET), (7, TREES)],
)
def test_planar_graphs_have_no_crossings(count: int, edges: Edges) -> None:
    drawing = draw([(60.0, 30.0)] * count, edges)
    assert crossings(drawing, edges) == 0


def test_chain_is_straight() -> None:
    drawing = draw([(20.0 * (n % 3 + 1), 10.0) for n in range(7)], CHAIN)
    assert len({x for x, _ in drawing.centers}) == 1


def test_branches_are_side_by_side_and_symmetric() -> None:
    drawing = draw([(10.0, 5.0)] * 4, DIAMOND)
    top, left, right, bottom = drawing.centers
    assert left[1] == right[1]
    assert top[0] == bottom[0] == (left[0] + right[0]) / 2


def test_what_has_no_inputs_is_near_what_needs_it() -> None:
    drawing = draw([(10.0, 10.0)] * 5, [(0, 1), (1, 2), (2, 4), (3, 4)])
    assert drawing.centers[3][1] == drawing.centers[2][1]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_graph(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 14))
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    edges = data.draw(st.lists(st.sampled_from(pairs), max_size=30)) if pairs else []
    sizes = data.draw(
        st.lists(st.tuples(st.floats(1, 90), st.floats(1, 40)), min_size=count, max_size=count)
    )
    drawing = draw(sizes, edges, gap=10.0, row_gap=20.0)
    boxes = [
        (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        for (x, y), (w, h) in zip(drawing.centers, sizes, strict=True)
    ]
    for one, other in itertools.combinations(boxes, 2):
        apart = (one[0] - other[2], other[0] - one[2], one[1] - other[3], other[1] - one[3])
        assert max(apart) >= 9.99
    assert min(box[0] for box in boxes) >= -1e-6
    assert max(box[2] for box in boxes) <= drawing.width + 1e-6
    assert max(box[3] for box in boxes) <= drawing.height + 1e-6
    for route in lines(drawing, edges):
        assert all(lower[1] > upper[1] - 1e-6 for upper, lower in itertools.pairwise(route))
    for route, (source, target) in zip(drawing.routes, edges, strict=True):
        for x, y in route:  # bends pass beside the boxes
            assert not any(
                box[0] < x < box[2] and box[1] < y < box[3]
                for number, box in enumerate(boxes)
                if number not in (source, target)
            )


def test_many_layers_take_linear_time() -> None:
    count = 10_000
    begin = time.process_time()
    draw([(60.0, 30.0)] * count, [(i, i + 1) for i in range(count - 1)])
    assert time.process_time() - begin < 5


def test_edges_over_all_rows_are_no_burden() -> None:
    count = 600
    edges = [(i, i + 1) for i in range(count - 1)] + [(i, count - 1) for i in range(count - 2)]
    drawing = draw([(60.0, 30.0)] * count, edges)  # 180,000 bends would be
    assert not any(drawing.routes)


def test_nothing() -> None:
    assert draw([], []).centers == []
