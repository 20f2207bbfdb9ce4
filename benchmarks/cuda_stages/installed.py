"""A checkout as it stands, for processes of an interpreter in which nkeras is not installed.

Backends are found by entry points, which `pip install` writes. Where there are none, a folder with
the same few lines does it: a machine without network has no hatchling to install nkeras with.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).parents[2]
BACKENDS = ("numpy", "numba_cpu", "numba_cuda")


def environment(folder: Path) -> Mapping[str, str]:
    """Variables with which processes import this checkout.

    Args:
        folder: an empty one, which stays until they end.
    """
    paths = [str(ROOT), str(ROOT / "backends")]
    if "numba_cuda" not in entry_points(group="nkeras.backends").names:
        facts = folder / "nkeras-0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: nkeras\nVersion: 0\n")
        lines = [f"{name} = nkeras_{name}:backend\n" for name in BACKENDS]
        (facts / "entry_points.txt").write_text("".join(["[nkeras.backends]\n", *lines]))
        paths.append(str(folder))
    paths += [path for path in [os.environ.get("PYTHONPATH")] if path]
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(paths)}
