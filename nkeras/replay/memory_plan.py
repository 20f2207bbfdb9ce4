"""Memory plan: where blocks lie, so that those that are not used at one time share memory."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from nkeras.backend.protocol import Span


def layout(spans: Sequence[Span]) -> tuple[int, list[int | None]]:
    """How many bytes the blocks need together, and where each lies; the largest are placed first.

    Blocks that stay have memory of their own: None.

    Example:
        >>> from nkeras.backend.protocol import Span
        >>> from nkeras.replay.memory_plan import layout
        >>> layout([Span(64, 1, 2, False), Span(64, 3, 4, False), Span(64, 0, 9, True)])
        (64, [0, 0, None])
    """
    offsets = [0] * len(spans)
    placed: list[int] = []  # by offset
    total = 0
    sharing = [i for i, span in enumerate(spans) if not span.stays]
    for i in sorted(sharing, key=lambda i: -spans[i].size):
        span, offset = spans[i], 0
        for other in placed:
            if spans[other].first < span.last and span.first < spans[other].last:
                if offset + span.size <= offsets[other]:
                    break
                offset = max(offset, offsets[other] + spans[other].size)
        offsets[i] = offset
        bisect.insort(placed, i, key=offsets.__getitem__)
        total = max(total, offset + span.size)
    return total, [None if spans[i].stays else offset for i, offset in enumerate(offsets)]
