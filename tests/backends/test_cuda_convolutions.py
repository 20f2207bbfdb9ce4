"""Topics of the CUDA backend, each in a process that has Numba's simulator."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
TOPICS = ["convolution", "patches", "rows", "attention", "launches", "steps"]


def simulated(file):
    paths = [str(ROOT), str(ROOT / "backends"), str(FOLDER), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    options = ["-n", "0", "-q", "--noconftest", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(FOLDER / file)],
        cwd=ROOT,
        env=environment | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("topic", TOPICS)
def test_kernels_in_the_simulator(topic):
    result = simulated(f"cuda_{topic}_checks.py")
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]
