"""Kernels compiled on all cores: nothing shows but how many of them a process compiles itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nkeras_numba_cpu.compile import forked_compiling

SCRIPT = Path(__file__).parent / "forked_compiling_script.py"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes fork on Linux only")


class Facts:
    """What a process of its own did, with an empty cache unless one is given."""

    def __init__(self, name: str, cache: Path, processes: int = 2) -> None:
        changed = {"NUMBA_CACHE_DIR": str(cache), "NKERAS_COMPILE_PROCESSES": str(processes)}
        done = subprocess.run(
            [sys.executable, "-W", "error", str(SCRIPT), name],
            env=os.environ | changed,
            capture_output=True,
            text=True,
            timeout=150,
            start_new_session=True,  # Ctrl-C goes to the processes of the test alone
        )
        assert done.returncode == 0, done.stderr
        self.before, _, facts = done.stdout.partition("{")
        self.errors = [line for line in done.stderr.splitlines() if "(first run only)" not in line]
        self.notices = len(done.stderr.splitlines()) - len(self.errors)
        found = json.loads("{" + facts)
        self.result: Any = found["result"]
        self.forks: int = found["forks"]
        self.compiled: int = found["compiled"]


def test_training_is_the_same(tmp_path):
    alone = Facts("training", tmp_path / "1", processes=1)
    assert alone.forks == 0
    tmp_path /= "2"
    together = Facts("training", tmp_path)
    assert together.result == alone.result
    assert together.forks
    assert together.compiled < alone.compiled - 3
    assert together.notices <= 1
    again = Facts("training", tmp_path)
    assert again.result == alone.result
    assert again.forks == again.compiled == 0  # children and parent have left nothing out


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Facts:
    """The first value of a variable, compiled by one process."""
    return Facts("drawing", tmp_path_factory.mktemp("drawn"), processes=1)


@pytest.mark.parametrize("name", ["threaded", "refused", "dying", "killed"])
def test_without_children_the_process_compiles_itself(name, drawn, tmp_path):
    facts = Facts(name, tmp_path)
    assert facts.result == drawn.result
    assert facts.compiled == drawn.compiled
    assert (facts.forks == 0) == (name in ("threaded", "refused"))


@pytest.mark.parametrize("name", ["looking", "printing", "loop"])
def test_a_child_sees_no_values_and_is_not_seen(name, tmp_path):
    together = Facts(name, tmp_path / "2")
    alone = Facts(name, tmp_path / "1", processes=1)
    assert together.forks > alone.forks == 0
    assert together.compiled < alone.compiled
    assert together.result == alone.result
    assert (together.before, together.errors) == (alone.before, alone.errors)


def test_an_exception_of_the_user_comes_once(tmp_path):
    facts = Facts("failing", tmp_path)
    assert facts.forks
    message, *others = facts.result
    assert message.splitlines()[0] == "as the user wrote it"  # Python 3.10 has no notes for more
    assert others == [1, "none"]


def test_an_interrupt_leaves_neither_processes_nor_half_files(tmp_path):
    facts = Facts("interrupted", tmp_path)
    assert facts.forks
    assert facts.result == ["none", []]


def test_how_many_processes(monkeypatch):
    monkeypatch.setattr(forked_compiling.threading, "active_count", lambda: 1)
    monkeypatch.setattr(forked_compiling.os, "sched_getaffinity", lambda _: {0})
    monkeypatch.delenv("NKERAS_COMPILE_PROCESSES", raising=False)
    assert forked_compiling._processes() == 1
    monkeypatch.setenv("NKERAS_COMPILE_PROCESSES", "3")
    assert forked_compiling._processes() == 3
    monkeypatch.setenv("NKERAS_COMPILE_PROCESSES", "none")
    with pytest.raises(ValueError, match="NKERAS_COMPILE_PROCESSES"):
        forked_compiling._processes()
