"""Every CUDA kernel compiles for a Hopper GPU; no GPU and no driver are needed for that."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKS = Path(__file__).with_name("cuda_compile_checks.py")
PACKAGE = ROOT / "backends" / "nkeras_numba_cuda"
SKIPPED = 77


PARTS = ["kernels", "more kernels", "float32", "others"]


@pytest.mark.parametrize("part", [*PARTS, pytest.param("attention", marks=pytest.mark.long)])
def test_kernels_compile(part):
    paths = [str(ROOT), str(ROOT / "backends"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    environment.pop("NUMBA_ENABLE_CUDASIM", None)
    result = subprocess.run(
        [sys.executable, str(CHECKS), part],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if result.returncode == SKIPPED:
        pytest.skip(result.stdout.strip())
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_kernel_is_in_the_list():
    """`cuda.jit` is called where kernels are listed with their signatures, and nowhere else."""
    users = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "jit":
                users.add(path.name)
    assert users == {"launch.py", "functions.py"}  # kernels, and functions that kernels call
