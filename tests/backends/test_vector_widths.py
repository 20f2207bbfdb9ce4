"""The compiled code of a host with narrower vectors, on this one: all kernel tests once more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nkeras_numba_cpu.emit import registers

HERE = Path(__file__).parent
# These are about threads, other backends, or narrower vectors themselves.
OTHERS = ("threads", "numpy", "cuda", "windows", "widths")
FILES = sorted(
    path.name for path in HERE.glob("test_*.py") if not any(word in path.name for word in OTHERS)
)


def test_a_width_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setenv("NKERAS_VECTOR_BITS", "384")
    with pytest.raises(ValueError, match="must be 128, 256 or 512, received '384'"):
        registers.vector_bits.__wrapped__()


@pytest.mark.long
def test_kernels_with_vectors_of_256_bits(request):
    """With `--sample` a sample of them."""
    if registers.vector_bits() < 256:
        pytest.skip("this processor has no vectors of 256 bits")
    environment = {**os.environ, "NKERAS_VECTOR_BITS": "256"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
    if request.config.getoption("sample") > 1:
        command += ["--sample", "16"]
    done = subprocess.run(
        [*command, *[str(HERE / name) for name in FILES]],
        capture_output=True,
        text=True,
        env=environment,
        cwd=HERE.parents[1],
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
