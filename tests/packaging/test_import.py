"""What `import nkeras` loads, and what is said where a backend is missing."""

from __future__ import annotations

import ctypes.util
import os
import subprocess
import sys

import pytest

HEAVY = ("numba", "llvmlite", "h5py", "keras", "jax", "cupy")


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


USES = [
    "import nkeras",
    "import nkeras as keras; keras.layers.Dense(3, activation='relu').get_config()",
    "keras.Sequential([keras.layers.Dense(3)]).summary()",
    "from nkeras.datasets import digits; digits.load_data()",
    "import nkeras.__main__",
]


def test_nothing_heavy_is_loaded() -> None:
    code = "import sys\n"
    for number, use in enumerate(USES):
        code += f"{use}\nprint('loaded', {number}, *sorted(set({HEAVY}) & set(sys.modules)))\n"
    found = [line for line in run(code).splitlines() if line.startswith("loaded")]
    assert found == [f"loaded {number}" for number in range(len(USES))]


def test_import_loads_nothing_of_its_own_but_the_names() -> None:
    code = "import sys, nkeras; print(*sorted(n for n in sys.modules if n.startswith('nkeras')))"
    assert run(code) == "nkeras"


def test_every_public_name_can_be_had() -> None:
    code = "import nkeras; [getattr(nkeras, name) for name in dir(nkeras)]; print('all')"
    assert run(code) == "all"


@pytest.mark.skipif(ctypes.util.find_library("cuda") is not None, reason="there is a driver")
def test_cuda_without_a_gpu_is_one_clear_error() -> None:
    code = """
import nkeras
from nkeras.core.errors import BackendError
try:
    nkeras.set_backend("cuda")
except BackendError as error:
    print(error)
print(nkeras.get_backend())
"""
    said, backend = run(code, NUMBA_ENABLE_CUDASIM="0").splitlines()
    for word in ("NVIDIA GPU", "libcuda", "nkeras[cuda]", "Looked for", "NUMBA_ENABLE_CUDASIM=1"):
        assert word in said
    assert backend == "numba_cpu"
