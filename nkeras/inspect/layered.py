"""Layered drawings of directed graphs: rows of nodes, few crossings, straight long edges.

Rows by longest paths, an order in each row by medians (Sugiyama et al. 1981; Gansner et al. 1993,
https://graphviz.org/documentation/TSE93.pdf), places by Brandes and Köpf 2001, "Fast and simple
horizontal coordinate assignment". Edges over several rows pass through a bend in each of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

Point = tuple[float, float]
Rows = list[list[int]]

_SWEEPS = 12
_MOST_BENDS = 50_000  # with more, edges over several rows go straight
_BEND_WIDTH = 4.0


class Drawing(NamedTuple):
    """Where things are, from the upper left corner down.

    Attributes:
        centers: of the nodes.
        routes: for each edge the points between its ends, pairs of the upper and the lower end of a
            passage through a row.
        width: of the whole.
        height: likewise.
    """

    centers: list[Point]
    routes: list[list[Point]]
    width: float
    height: float


def draw(
    sizes: Sequence[Point],
    edges: Sequence[tuple[int, int]],
    gap: float = 28.0,
    row_gap: float = 36.0,
) -> Drawing:
    """Place the nodes of a graph.

    Args:
        sizes: width and height of each node.
        edges: pairs of nodes, each from a lower to a higher number.
        gap: between neighbours in a row.
        row_gap: between rows.

    Returns:
        The drawing.

    Example:
        >>> drawing = draw([(10.0, 5.0)] * 4, [(0, 1), (0, 2), (1, 3), (2, 3)], gap=6.0)
        >>> [x for x, _ in drawing.centers]
        [13.0, 5.0, 21.0, 13.0]
    """
    if not sizes:
        return Drawing([], [[] for _ in edges], 0.0, 0.0)
    row_of = _ranks(len(sizes), edges)
    widths = [width for width, _ in sizes]
    chains = _bend(row_of, edges, widths)
    links = sorted({link for chain in chains for link in pairwise(chain)})
    links = [(a, b) for a, b in links if row_of[b] == row_of[a] + 1]
    above, below = _neighbours(len(row_of), links)
    rows = _order(_first_order(row_of, below), above, below)
    x = _abscissas(rows, above, below, widths, len(sizes), gap)
    least = min(x[node] - widths[node] / 2 for node in range(len(x)))
    x = [value - least for value in x]
    tops, bottoms = _row_bounds(rows, sizes, row_gap)
    centers = [(x[n], (tops[row_of[n]] + bottoms[row_of[n]]) / 2) for n in range(len(sizes))]
    routes = [
        [(x[bend], end[row_of[bend]]) for bend in chain[1:-1] for end in (tops, bottoms)]
        for chain in chains
    ]
    right = max(x[node] + widths[node] / 2 for node in range(len(x)))
    return Drawing(centers, routes, right, bottoms[-1])


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The row of each node: the longest way to it, or nearer to what needs it."""
    sources: dict[int, list[int]] = defaultdict(list)
    targets: dict[int, list[int]] = defaultdict(list)
    for source, target in edges:
        sources[target].append(source)
        targets[source].append(target)
    ranks = [0] * count
    for node in range(count):
        ranks[node] = max((ranks[source] + 1 for source in sources[node]), default=0)
    for node in reversed(range(count)):
        if len(sources[node]) < len(targets[node]):
            ranks[node] = min(ranks[target] for target in targets[node]) - 1
    return ranks


def _bend(
    row_of: list[int], edges: Sequence[tuple[int, int]], widths: list[float]
) -> list[list[int]]:
    """The nodes that each edge passes, with new ones for bends, which get a row and a width."""
    total = sum(row_of[target] - row_of[source] - 1 for source, target in edges)
    chains: list[list[int]] = []
    for source, target in edges:
        rows = range(row_of[source] + 1, row_of[target]) if total <= _MOST_BENDS else ()
        bends = range(len(row_of), len(row_of) + len(rows))
        row_of += rows
        widths += [_BEND_WIDTH] * len(rows)
        chains.append([source, *bends, target])
    return chains


def _neighbours(
    count: int, links: Sequence[tuple[int, int]]
) -> tuple[list[list[int]], list[list[int]]]:
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for upper, lower in links:
        above[lower].append(upper)
        below[upper].append(lower)
    return above, below


def _first_order(row_of: Sequence[int], below: Sequence[Sequence[int]]) -> Rows:
    """Rows in the order in which a walk from the first nodes meets them."""
    rows: Rows = [[] for _ in range(max(row_of) + 1)]
    seen: set[int] = set()
    for first in range(len(row_of)):
        stack = [first]
        while stack:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                rows[row_of[node]].append(node)
                stack.extend(reversed(below[node]))
    return rows


def _order(rows: Rows, above: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> Rows:
    """The order with the fewest crossings that sweeps down and up find."""
    best, fewest = rows, _crossings(rows, below)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        rows = _sweep([list(row) for row in rows], above if down else below, down)
        _exchange(rows, above, below)
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _sweep(rows: Rows, neighbours: Sequence[Sequence[int]], down: bool) -> Rows:
    """Each row sorted by the medians of its neighbours in the row before."""
    for row, before in _pairs(rows, down):
        place = {node: position for position, node in enumerate(before)}
        keys: dict[int, float] = {}
        for position, node in enumerate(row):
            places = sorted(place[other] for other in neighbours[node])
            keys[node] = _median(places) if places else position
        row.sort(key=keys.__getitem__)
    return rows


def _pairs(rows: Rows, down: bool) -> Iterator[tuple[list[int], list[int]]]:
    ordered = rows if down else rows[::-1]
    yield from zip(ordered[1:], ordered, strict=False)


def _median(places: Sequence[int]) -> float:
    middle = len(places) // 2
    if len(places) % 2:
        return places[middle]
    return (places[middle - 1] + places[middle]) / 2


def _exchange(rows: Rows, above: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> None:
    """Exchange neighbours as long as that removes crossings."""
    place = {node: position for row in rows for position, node in enumerate(row)}
    for row in rows:
        improved = len(row) > 1
        while improved:
            improved = False
            for index in range(len(row) - 1):
                left, right = row[index], row[index + 1]
                gained = sum(
                    _between(side[left], side[right], place)
                    - _between(side[right], side[left], place)
                    for side in (above, below)
                )
                if gained > 0:
                    row[index], row[index + 1] = right, left
                    place[left], place[right] = index + 1, index
                    improved = True


def _between(left: Sequence[int], right: Sequence[int], place: dict[int, int]) -> int:
    """Crossings of the edges of two neighbours."""
    return sum(place[a] > place[b] for a in left for b in right)


def _crossings(rows: Rows, below: Sequence[Sequence[int]]) -> int:
    count = 0
    for row, lower in pairwise(rows):
        place = {node: position + 1 for position, node in enumerate(lower)}
        passed = [0] * (len(lower) + 1)  # a Fenwick tree of the lower ends so far
        ends = 0
        for node in row:
            places = sorted(place[other] for other in below[node])
            for end in places:
                index, before = end, 0
                while index:
                    before += passed[index]
                    index &= index - 1
                count += ends - before
            for end in places:
                ends += 1
                while end <= len(lower):
                    passed[end] += 1
                    end += end & -end
    return count


def _row_bounds(
    rows: Rows, sizes: Sequence[Point], row_gap: float
) -> tuple[list[float], list[float]]:
    tops: list[float] = []
    bottoms: list[float] = []
    y = 0.0
    for row in rows:
        tops.append(y)
        y += max(sizes[node][1] if node < len(sizes) else 0.0 for node in row)
        bottoms.append(y)
        y += row_gap
    return tops, bottoms


# Brandes and Köpf: four placements, each flush to one corner, and their middle.


def _abscissas(
    rows: Rows,
    above: Sequence[Sequence[int]],
    below: Sequence[Sequence[int]],
    widths: Sequence[float],
    count: int,
    gap: float,
) -> list[float]:
    conflicts = _conflicts(rows, above, count)
    placements: list[list[float]] = []
    for upward in (False, True):
        for leftward in (False, True):
            turned = rows[::-1] if upward else rows
            turned = [row[::-1] for row in turned] if leftward else turned
            root = _blocks(turned, below if upward else above, conflicts)
            x = _compact(turned, root, widths, count, gap)
            placements.append([-value for value in x] if leftward else x)
    spans = [
        (
            min(value - width / 2 for value, width in zip(x, widths, strict=True)),
            max(value + width / 2 for value, width in zip(x, widths, strict=True)),
        )
        for x in placements
    ]
    left, right = min(spans, key=lambda span: span[1] - span[0])
    aligned: list[list[float]] = []
    for index, (x, span) in enumerate(zip(placements, spans, strict=True)):
        shift = right - span[1] if index % 2 else left - span[0]
        aligned.append([value + shift for value in x])
    middles = (sorted(values)[1:3] for values in zip(*aligned, strict=True))
    return [(low + high) / 2 for low, high in middles]


def _conflicts(rows: Rows, above: Sequence[Sequence[int]], count: int) -> set[tuple[int, int]]:
    """Edges that cross one between two bends: that one stays straight."""
    found: set[tuple[int, int]] = set()
    for upper, row in pairwise(rows):
        place = {node: position for position, node in enumerate(upper)}
        straight = [
            (index, place[above[node][0]])
            for index, node in enumerate(row)
            if node >= count and above[node] and above[node][0] >= count
        ]
        if not straight:
            continue
        first, before = 0, -1
        for end, after in [*straight, (len(row), len(upper))]:
            for node in row[first:end]:
                for other in above[node]:
                    if not before <= place[other] <= after:
                        found.add((other, node))
            first, before = end + 1, after
    return found


def _blocks(
    rows: Rows, neighbours: Sequence[Sequence[int]], conflicts: set[tuple[int, int]]
) -> dict[int, int]:
    """The first node of the straight line that each node is in."""
    root = {node: node for row in rows for node in row}
    for upper, row in pairwise(rows):
        place = {node: position for position, node in enumerate(upper)}
        last = -1
        for node in row:
            near = sorted(neighbours[node], key=place.__getitem__)
            for index in sorted({(len(near) - 1) // 2, len(near) // 2}) if near else ():
                other = near[index]
                is_free = (other, node) not in conflicts and (node, other) not in conflicts
                if root[node] == node and is_free and place[other] > last:
                    root[node] = root[other]
                    last = place[other]
    return root


def _compact(
    rows: Rows, root: dict[int, int], widths: Sequence[float], count: int, gap: float
) -> list[float]:
    """The leftmost places of the lines, then each as far right as its neighbours let it."""
    left_of: dict[int, dict[int, float]] = defaultdict(dict)
    right_of: dict[int, dict[int, float]] = defaultdict(dict)
    for row in rows:
        for left, right in pairwise(row):
            bends = (left >= count) + (right >= count)
            apart = (widths[left] + widths[right]) / 2 + gap * (1.0, 0.7, 0.4)[bends]
            a, b = root[left], root[right]
            apart = max(apart, left_of[b].get(a, 0.0))
            left_of[b][a] = right_of[a][b] = apart
    lines = _from_left(sorted(set(root.values())), left_of, right_of)
    x: dict[int, float] = {}
    for line in lines:
        x[line] = max((x[other] + apart for other, apart in left_of[line].items()), default=0.0)
    for line in reversed(lines):
        room = [x[other] - apart for other, apart in right_of[line].items()]
        if room:
            x[line] = max(x[line], min(room))
    return [x[root[node]] for node in range(len(root))]


def _from_left(
    lines: Sequence[int],
    left_of: dict[int, dict[int, float]],
    right_of: dict[int, dict[int, float]],
) -> list[int]:
    """The lines, each behind those on its left."""
    waiting = {line: len(left_of[line]) for line in lines}
    ready = [line for line in reversed(lines) if not waiting[line]]
    found: list[int] = []
    while ready:
        line = ready.pop()
        found.append(line)
        for other in right_of[line]:
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return found
