"""Models, weights, checkpoints and backups: the old file or the new one, whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="forks, limits and signals of POSIX")

KINDS = ("model", "weights", "tensors", "checkpoint", "backup")


def run(scenario, count, *kinds):
    """What `writers_worker` says, by kind."""
    command = [sys.executable, "-m", "tests.saving.writers_worker", scenario, str(count), *kinds]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(kinds, lines, strict=True))


@pytest.mark.parametrize("count", [1, pytest.param(100, marks=pytest.mark.long)])
def test_killed_at_any_moment(count):
    """The file loads, and all in it is of one moment."""
    found = run("kill", count, *KINDS)
    assert {kind: one["whole"] for kind, one in found.items()} == dict.fromkeys(KINDS, count)
    met = sum(one["cut"] for one in found.values())
    assert met or count == 1, "no kill met a file that was being written"


@pytest.mark.parametrize("count", [2, pytest.param(60, marks=pytest.mark.long)])
def test_a_full_disk_at_any_size(count):
    """The old file is as it was and alone in its folder, and the error says what is wrong."""
    for kind, found in run("full disk", count, *KINDS).items():
        counts = {name: found[name] for name in ("kept", "clear", "alone")}
        assert counts == dict.fromkeys(counts, count), (kind, found["errors"])


def test_a_folder_that_must_not_be_written():
    for kind, found in run("read-only", 1, *KINDS).items():
        assert (found["kept"], found["clear"], found["alone"]) == (True,) * 3, (kind, found)


@pytest.mark.parametrize(
    ("kinds", "count"),
    [(("weights",), 4), pytest.param(("model", "weights", "tensors"), 50, marks=pytest.mark.long)],
)
def test_two_processes_write_what_a_third_reads(kinds, count):
    assert run("two writers", count, *kinds) == {kind: {"whole": count} for kind in kinds}
