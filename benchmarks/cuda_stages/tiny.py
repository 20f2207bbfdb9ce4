"""A call of each heavy kernel on tiny shapes, for compute-sanitizer to look at.

compute-sanitizer --tool memcheck python -m benchmarks.cuda_stages.tiny
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from benchmarks.cuda_stages.device import DRY, backend, wait, xp
from nkeras.core.primitive import PRIMITIVES
from tests.harness.check_op import evaluate
from tests.ops.tables import CASES

NAMES = (
    "matmul dense dense_grad conv conv_bias conv_grad_input conv_grad_kernel max_pool "
    "max_pool_grad average_pool average_pool_grad reduce_sum reduce_max argmax softmax "
    "softmax_grad batch_norm batch_norm_grad layer_norm layer_norm_grad group_norm "
    "sparse_softmax_cross_entropy sparse_softmax_cross_entropy_grad attention attention_grad "
    "lstm lstm_grad gru gru_grad take take_grad scatter_nd adam_update sgd_update dropout "
    "resample locally_connected"
).split()


def calls() -> Iterator[tuple[Any, Any]]:
    """Primitives with a case."""
    for name in NAMES:
        yield PRIMITIVES[name], CASES[name][0]


def main() -> None:
    """Run them all; results are looked at elsewhere."""
    backend()
    if not DRY:  # each array is a block of its own, so that one element beyond its end is an error
        xp().cuda.set_allocator(None)
    for primitive, case in list(calls())[:: 9 if DRY else 1]:
        evaluate("numba_cuda", primitive, case.arrays, case.static)
    wait()
    print("done", file=sys.stderr)


if __name__ == "__main__":
    main()
