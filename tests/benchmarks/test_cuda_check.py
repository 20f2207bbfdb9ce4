"""The one command for a machine with a GPU: all of it in the simulator, and what failures cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cuda_check
from benchmarks.cuda_check import STAGES, Check, Stage
from benchmarks.cuda_stages import installed, sanitizer
from benchmarks.cuda_stages.rows import WRONG, Row, row

COMMAND = [sys.executable, cuda_check.__file__]


@pytest.mark.long
def test_dry_run(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    done = subprocess.run(
        [*COMMAND, "--dry-run", "--seconds", "900", "--json", str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "NKERAS_BACKEND"},
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert done.stdout.splitlines()[-1] == "All right."
    found = json.loads(path.read_text())["stages"]
    assert list(found) == [stage.title for stage in STAGES]
    rows = [row(json.dumps(one)) for result in found.values() for one in result["rows"]]
    assert not [one for one in rows if one.verdict in WRONG], said
    for one in rows:
        assert one.line() in said
    names = " ".join(one.name for one in rows)
    for word in (
        "launch, 12 arrays",
        "calls of operations",
        "float32 8192x8192x8192",
        "adam_update",
    ):
        assert word in names


@pytest.fixture
def check(tmp_path: Path) -> Check:
    return Check(True, dict(installed.environment(tmp_path)) | {"NUMBA_ENABLE_CUDASIM": "1"})


def _only_row(check: Check) -> Row:
    ((_, result),) = check.results.items()
    (found,) = result["rows"]
    return found


def test_a_stage_that_fails_is_a_row(check: Check, capsys: pytest.CaptureFixture[str]) -> None:
    check.run([Stage("nothing", "a title", 30.0)], time.monotonic() + 30)
    assert _only_row(check).verdict == "FAILED"
    assert "No module named" in check.table()[1]
    assert not check.is_right()
    assert "a title" in capsys.readouterr().out


def test_a_stage_that_hangs_is_ended(check: Check) -> None:
    check.run([Stage("versions", "a title", 0.01)], time.monotonic() + 30)
    assert "took longer than 0 s" in _only_row(check).note


def test_the_table_has_some_of_many_wrong_rows(check: Check, tmp_path: Path) -> None:
    rows = [Row(f"row {n}", {}, "WRONG") for n in range(40)] + [Row("all", {"differ": 40}, "WRONG")]
    check.results["a title"] = {"seconds": 1.0, "rows": rows}
    lines = check.table()
    assert len(lines) == 2 + cuda_check.MOST_WRONG  # the title, and the remark
    assert "29 more" in lines[-1]
    check.save(tmp_path / "all.json")
    assert len(json.loads((tmp_path / "all.json").read_text())["stages"]["a title"]["rows"]) == 41


def test_nothing_starts_behind_the_end(check: Check) -> None:
    check.run([Stage("versions", "a title", 30.0)], time.monotonic())
    assert "no time was left" in _only_row(check).note


def test_what_is_timed_runs_alone() -> None:
    names = [[stage.name for stage in together] for together in cuda_check.batches(STAGES, False)]
    assert ["operations", "layers", "sanitizer", "out_of_memory"] in names
    assert ["matmul"] in names
    assert all(len(together) == 1 for together in cuda_check.batches(STAGES, True))


MEMCHECK = """========= COMPUTE-SANITIZER
========= Invalid __global__ read of size 4 bytes
=========     at matmul+0x150
=========     by thread (31,0,0) in block (0,0,0)
done
========= ERROR SUMMARY: 32 errors
"""
RACECHECK = """========= COMPUTE-SANITIZER
========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)
"""


def test_what_compute_sanitizer_says() -> None:
    found = sanitizer.judge("memcheck", MEMCHECK, 0)
    assert (found.verdict, found.numbers) == ("WRONG", {"errors": 32})
    assert "Invalid __global__ read of size 4 bytes; at matmul+0x150" in found.note
    assert sanitizer.judge("racecheck", RACECHECK, 0) == Row("racecheck", {"errors": 0}, "ok")
    assert sanitizer.judge("initcheck", "Segmentation fault", 139).verdict == "FAILED"
    assert sanitizer.judge("initcheck", "Device not supported", 1).verdict == "absent"


def test_lines() -> None:
    numbers = {"s": 0.0012, "y s": 2e-6, "of torch ratio": 0.5, "error": 1e-7, "loss": 3.0}
    line = Row("a product", numbers, "below", "a note").line()
    assert line.split() == (
        "below a product 1.2 ms y 2 us of torch 0.5 error 1.0e-07 loss 3 a note".split()
    )
    assert row(Row("x", {"s": 1.0}, "ok").as_json()) == Row("x", {"s": 1.0}, "ok")


def test_a_checkout_finds_its_backends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        names: frozenset[str] = frozenset()

    def none(**_: Any) -> Nothing:
        return Nothing()

    monkeypatch.setattr(installed, "entry_points", none)
    variables = installed.environment(tmp_path)
    assert str(tmp_path) in variables["PYTHONPATH"].split(os.pathsep)
    code = (
        "from importlib.metadata import distribution;"
        "found = distribution('nkeras');"
        "print(found.version, *(one.name for one in found.entry_points))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ) | {"PYTHONPATH": str(tmp_path)},
    )
    assert done.stdout.split() == ["0", *installed.BACKENDS]
