"""Array kernels of the user's: a task is a chunk of work items."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numba
import numpy as np

from nkeras.backend.body import Body, values_of
from nkeras.core.dtypes import to_numpy
from nkeras.core.errors import cut_text
from nkeras.core.spec import Spec
from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.kernels.reduction import reduce_sum
from nkeras_numba_cpu.launch.tasks import Tasks
from nkeras_numba_cpu.loops.copies import filled
from nkeras_numba_cpu.loops.operands import compute_dtype, operand, stored

_MOST_TASKS = 256
_WORK = 8  # operations for each element of an array, of which nothing is known


@cache
def array_kernel(body: Body) -> Callable[..., Any]:
    """A kernel `f(*arrays, specs=..., **static)` that runs the body for each work item."""
    runs: dict[str, _Chunks] = {}

    def kernel(*arrays: np.ndarray, specs: tuple[Spec, ...], **static: Any) -> Any:
        inputs = [operand(array) for array in arrays]
        sizes = body.sizes(inputs, specs)
        items = prod(sizes)
        chunks = body.chunks(items, _MOST_TASKS)
        results = [
            filled((chunks, *spec.shape) if name in body.sums else spec.shape, _computed(spec), 0)
            for name, spec in zip(body.outputs, specs, strict=True)
        ]
        floats = (x.dtype.name for x in (*inputs, *results) if x.dtype.kind == "f")
        dtype = next(floats, "float32")
        if items:
            run = runs.get(dtype)
            if run is None:
                run = runs[dtype] = _Chunks(body, dtype)
            work = _WORK * sum(array.size for array in (*inputs, *results))
            run(chunks, work, chunks, *sizes, *inputs, *results, *values_of(body, static, dtype))
        made = tuple(
            stored(
                reduce_sum(result, axis=(0,), keepdims=False) if name in body.sums else result,
                to_numpy(spec.dtype),
            )
            for name, result, spec in zip(body.outputs, results, specs, strict=True)
        )
        return made[0] if len(made) == 1 else made

    return kernel


def _computed(spec: Spec) -> np.dtype:
    return compute_dtype(to_numpy(spec.dtype))


class _Chunks(Tasks):
    """The tasks of a body, for constants of a dtype; its module may be any, so workers miss it."""

    def __init__(self, body: Body, dtype: str) -> None:
        super().__init__(body.chunk(inner, dtype))
        self._body = body

    def __reduce__(self) -> Any:
        raise TypeError("A kernel of the user's is compiled in this process.")

    def compiled(self, arguments: tuple[Any, ...]) -> Any:
        """As in `Tasks`.

        Raises:
            TypeError: Numba cannot compile the body; the message says why.
        """
        try:
            return super().compiled(arguments)
        except numba.errors.NumbaError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            told = [line for line in lines if "nopython mode pipeline" not in line]
            raise TypeError(
                f"The kernel {cut_text(self._body.name, 60)} cannot be compiled: "
                f"{cut_text(' '.join(told), 250)}"
            ) from error
