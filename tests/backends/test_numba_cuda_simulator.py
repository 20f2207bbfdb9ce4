"""The CUDA backend in numba-cuda's simulator, and what it says where it cannot work.

The simulator has to be chosen before Numba is imported, so everything runs in other processes.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKS = Path(__file__).with_name("cuda_simulator_checks.py")
GROUPS = [  # one process for each line; a group is the first word of a check's name
    ("plugin", "elementwise"),
    ("linalg", "convolution", "pooling"),
    ("indexing", "optimizers", "random"),
]


def run(*arguments, simulator):
    paths = [str(ROOT), str(ROOT / "backends"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    environment["NUMBA_ENABLE_CUDASIM"] = "1" if simulator else "0"
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("groups", GROUPS, ids=" ".join)
def test_kernels_in_the_simulator(groups):
    chosen = " or ".join(f"test_{group}" for group in groups)
    options = ["-n", "0", "-q", "--noconftest", "-p", "no:cacheprovider", "-k", chosen]
    result = run("-m", "pytest", *options, str(CHECKS), simulator=True)
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]


def test_every_check_belongs_to_a_group():
    tree = ast.parse(CHECKS.read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    checks = [name for name in names if name.startswith("test_")]
    assert {name.split("_")[1] for name in checks} == {g for groups in GROUPS for g in groups}


def test_error_without_gpu_says_what_was_looked_for():
    code = """
import nkeras_numba_cuda
from nkeras.core.errors import BackendError
try:
    nkeras_numba_cuda.backend()
except BackendError as error:
    print(error)
else:
    print("a GPU is here")
"""
    result = run("-W", "error", "-c", code, simulator=False)
    assert result.returncode == 0, result.stderr
    message = result.stdout.strip()
    if message == "a GPU is here":
        pytest.skip("this machine has a usable GPU")
    assert "\n" not in message
    for word in (
        "numba-cuda:",
        "NVIDIA driver:",
        "CUDA device:",
        "cupy:",
        "NUMBA_ENABLE_CUDASIM=1",
    ):
        assert word in message


def test_importing_the_plugin_imports_no_numba():
    code = "import sys, nkeras_numba_cuda; print('numba' in sys.modules)"
    assert run("-c", code, simulator=False).stdout.strip() == "False"


def test_simulator_keeps_user_kernels_and_their_warnings():
    """Only our kernels are silent: a user's own simulated kernel still warns."""
    code = """
import warnings
import numpy as np
from numba import cuda
import nkeras_numba_cuda

backend = nkeras_numba_cuda.backend()

@cuda.jit
def overflow(x):
    x[0] = x[0] * x[0]

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    overflow[1, 1](np.full(1, 1e200))
print([str(one.message) for one in caught])
"""
    result = run("-c", code, simulator=True)
    assert "overflow" in result.stdout, result.stdout + result.stderr
