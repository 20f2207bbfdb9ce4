"""The table of all operations has a case of each public one, and the cases run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import peer_models

FOLDER = Path(peer_models.__file__).parent


@pytest.fixture
def scripts(monkeypatch: Any) -> None:
    """The scripts import each other as they stand in their folder."""
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    for name in ("every_op", "every_op_cases", "every_op_worker", "measuring"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.usefixtures("scripts")
def test_every_public_name_has_a_case() -> None:
    import every_op  # pyright: ignore[reportMissingImports]

    every_op.check()


@pytest.mark.usefixtures("scripts")
@pytest.mark.parametrize("framework", ["nkeras", "numpy"])
def test_cases_run(framework: str) -> None:
    import every_op_worker  # pyright: ignore[reportMissingImports]

    for expression in ("ops.power(p, y)", "ops.cumsum(x, axis=1)", "ops.argsort(x, axis=1)"):
        run = every_op_worker.make(framework, {"expression": expression, "count": 8})
        assert np.asarray(run()).shape == (8, 8)
