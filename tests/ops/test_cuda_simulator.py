"""The same cases on the CUDA backend, in the simulator: one process for all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.ops.cuda_cases import all_calls


def test_all_cases() -> None:
    root = Path(__file__).parents[2]
    paths = [str(root), str(root / "backends"), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "NUMBA_ENABLE_CUDASIM": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.ops.cuda_cases"],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=root,
        env=environment,
        check=False,
    )
    lines = done.stdout.splitlines()

    calls = len(all_calls())
    assert lines == [f"compared {calls}"], done.stdout[-3000:] + done.stderr[-3000:]
