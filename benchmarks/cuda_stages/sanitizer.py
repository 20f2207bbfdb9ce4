"""Stage 3: NVIDIA's compute-sanitizer on tiny shapes: bad addresses, races, unwritten memory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.cuda_stages.device import DRY
from benchmarks.cuda_stages.rows import Row, failed

TOOLS = ("memcheck", "racecheck", "initcheck")
CHILD = [sys.executable, "-m", "benchmarks.cuda_stages.tiny"]
# Calls that ask the driver and are refused are the libraries' own business.
OPTIONS = ("--report-api-errors", "no", "--print-limit", "20")
LIMIT = 90.0
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/cuda/bin"])
_SUMMARY = re.compile(r"(?:ERROR|RACECHECK) SUMMARY: (\d+) (?:error|hazard)")


def rows(part: int, parts: int) -> Iterator[Row]:
    """One row for each tool."""
    tool = TOOLS[part]
    program = shutil.which("compute-sanitizer", path=PATH)
    if program is None or DRY:
        done = _run(CHILD)
        if done.returncode != 0:
            yield failed("tiny shapes", done.stderr.strip().splitlines()[-1])
        yield Row(tool, verdict="absent", note="compute-sanitizer is not here; tiny shapes ran")
        return
    done = _run([program, "--tool", tool, *OPTIONS, *CHILD])
    yield judge(tool, done.stdout + done.stderr, done.returncode)


def judge(tool: str, said: str, status: int) -> Row:
    """The row of a run.

    Args:
        tool: which.
        said: its output and that of the program.
        status: of the program.
    """
    if "not supported" in said:  # of some virtual machines
        return Row(tool, verdict="absent", note=" ".join(said.split())[:150])
    found = _SUMMARY.findall(said)
    if not found or status:
        return failed(tool, f"exit status {status}: {' '.join(said.split())[-220:]}")
    count = int(found[-1])
    return Row(tool, {"errors": count}, "WRONG" if count else "ok", _first(said) if count else "")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired as error:
        return subprocess.CompletedProcess(command, 124, "", f"longer than {error.timeout:.0f} s")


def _first(text: str) -> str:
    """The first error, on one line."""
    lines = [line.strip("= \t") for line in text.splitlines() if line.startswith("=========")]
    told = [line for line in lines if line and not line.startswith(("COMPUTE-SANITIZER", "Saved"))]
    return "; ".join(told[:3])
