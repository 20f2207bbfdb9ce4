"""All of nkeras on numba_cuda, in the simulator and on arrays as strict as CuPy's.

Each line of RUNS is a process, for the simulator must be chosen before Numba is imported. What the
processes check is in the files `checks_*.py` here; operations are in `tests/ops/cuda_cases.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SHORT = ["losses metrics optimizers"]
RUNS = [*SHORT, "layers", "training", "steps plans devices uploads"]
EXISTING = {
    "initializers regularizers constraints activations": "",
    "losses metrics optimizers": "",
    "callbacks": "and not test_other_steps_have_their_plans",
    "replay": "and (test_call_plans or test_plan_values or test_plan_guards or test_plan_losses "
    "or test_plan_defects)",
    "training models": "and not test_labels_out_of_range_are_refused",  # they are NaN on a device
}
"""Folders whose own tests pass with numba_cuda as the active backend, and which of them do not."""


def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT), str(ROOT / "backends"), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", *options],
        cwd=ROOT,
        env={
            **os.environ,
            "NUMBA_ENABLE_CUDASIM": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def check(names: str, *options: str) -> None:
    files = [str(HERE / f"checks_{name}.py") for name in names.split()]
    result = run(*options, *files)
    assert result.returncode == 0, result.stdout[-12000:] + result.stderr[-2000:]


@pytest.mark.parametrize("names", SHORT)
def test_short_checks(names: str) -> None:
    check(names)


@pytest.mark.long
@pytest.mark.parametrize("names", RUNS)
def test_all_checks(names: str, request: pytest.FixtureRequest) -> None:
    """With `--sample` those that are not long."""
    is_sample = request.config.getoption("sample") > 1
    check(names, "-m", "not long" if is_sample else "long or not long")


@pytest.mark.long
@pytest.mark.parametrize("folders", EXISTING)
def test_existing_tests(folders: str) -> None:
    """Those of numba_cpu's own, and those that ask real Keras, are not among them."""
    chosen = ["-m", "not long and not cpu", "-k", f"not parity {EXISTING[folders]}"]
    result = run(
        *chosen, *(f"tests/{folder}" for folder in folders.split()), NKERAS_BACKEND="numba_cuda"
    )
    assert result.returncode == 0, result.stdout[-12000:] + result.stderr[-2000:]


def test_every_file_of_checks_is_run() -> None:
    files = {path.stem.removeprefix("checks_") for path in HERE.glob("checks_*.py")}
    assert files == {name for names in RUNS for name in names.split()}


def test_every_registry_is_checked() -> None:
    """A folder of tests with a table of cases has its checks here, or runs as a whole."""
    tables = {path.parent.name for path in ROOT.glob("tests/*/*_cases.py")}
    tables |= {path.parent.name for path in ROOT.glob("tests/*/tables.py")} | {"training"}
    checked = {name for names in RUNS for name in names.split()} | {"ops", "backends"}
    assert tables <= checked
