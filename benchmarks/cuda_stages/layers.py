"""Stage 2: every layer of the tests' short table, forward and backward, as on numpy."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.cuda_stages.device import backend, pick
from benchmarks.cuda_stages.rows import Row
from nkeras.core.errors import cut_text
from tests.harness.check_layer import check_backend
from tests.harness.device_arrays import empty_arrays, poison
from tests.layers import tables


def rows(part: int, parts: int) -> Iterator[Row]:
    """Layers that are wrong, and one row for all."""
    cases = tables.SHORT[part :: parts * pick(1, 80)]
    backend()
    wrong: list[Row] = []
    for case in cases:
        try:
            with empty_arrays(poison):
                check_backend(case, "numba_cuda")
        except Exception as error:  # each layer is told of, whatever it raises
            told = f"{type(error).__name__}: {' '.join(str(error).split())}"
            wrong.append(Row(cut_text(str(case), 60), {}, "WRONG", cut_text(told, 200)))
    yield from wrong
    yield Row(
        f"{len(cases)} layers with gradients",
        {"differ": len(wrong)},
        "WRONG" if wrong else "ok",
    )
