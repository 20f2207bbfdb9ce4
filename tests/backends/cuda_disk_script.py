"""Load some kernels as a first step does, on a driver that does nothing; print what was compiled.

Run by `test_cuda_disk.py` in processes of its own. Exits with 77 and one line if NVVM is missing.
"""

import sys
import time
from unittest import mock

import cuda_compile_checks as checks
import numpy as np

from nkeras.backend.scalar import SCALARS
from nkeras_numba_cuda.compiled import code
from nkeras_numba_cuda.kernels import KERNELS
from nkeras_numba_cuda.kernels.elementwise import elementwise
from tests.harness.bare_device import bare, bare_device


def first_step() -> None:
    """Launch a few kernels of several kinds."""
    x = bare(np.ones((4, 5), "float32"))
    KERNELS["softmax"](x, axis=1)
    KERNELS["reduce_sum"](x, axis=(0,), keepdims=False)
    elementwise(SCALARS["add"])(x, x)


def main() -> int:
    missing = checks.missing_library()
    if missing:
        print(missing)
        return checks.SKIPPED
    checks.pretend_to_have_a_gpu()
    with (
        mock.patch.object(code, "compiled", wraps=code.compiled) as compiled,
        bare_device(code=code.ptx_of) as driver,
    ):
        started = time.perf_counter()
        first_step()
        elapsed = time.perf_counter() - started
    assert all(".entry" in text for text in driver.texts)
    print(len(driver.texts), compiled.call_count, f"{elapsed:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
