"""`python -m nkeras`: help, exit codes, doctor."""

from __future__ import annotations

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

import nkeras
from nkeras.__main__ import main
from nkeras.cli import doctor


def test_without_a_command_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    assert "usage: nkeras" in text
    for command in ("demo", "doctor", "bench"):
        assert f"\n    {command} " in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == f"nkeras {nkeras.__version__}"


@pytest.mark.parametrize(
    "words",
    [["demonstrate"], ["demo", "--epochs", "0"], ["demo", "--seed", "-1"], ["bench", "--x"]],
)
def test_wrong_words_end_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert words[-1] in capsys.readouterr().err


def test_as_a_process() -> None:
    command = [sys.executable, "-W", "error", "-m", "nkeras", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("versions\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_enough_is_no_error(unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "nkeras", "doctor"],
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_doctor_says_what_is_there() -> None:
    lines = doctor.report()
    for name, version in (
        ("nkeras", nkeras.__version__),
        ("numpy", np.__version__),
        ("numba", numba.__version__),
        ("llvmlite", ""),
        ("ml_dtypes", ""),
        ("h5py", ""),
        ("threads", ""),
        ("threading layer", ""),
        ("kernel cache", ""),
    ):
        facts = [line.split(maxsplit=len(name.split())) for line in lines]
        values = [words[-1] for words in facts if " ".join(words[:-1]) == name]
        assert values, name
        assert any(version in value for value in values), name
    for name in nkeras.backends():
        assert any(line.startswith(f"backend {name}") for line in lines)


def test_doctor_says_why_a_backend_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"numpy": "active", "numba_cuda": "not available: there is no GPU " + "here " * 40}
    monkeypatch.setattr(nkeras, "backends", lambda: states)
    lines = doctor.report()
    start = lines.index("backend numba_cuda (cuda)")
    assert lines[start + 1] == "  state  not available: there is no GPU" + " here" * 12
    assert lines[start + 2].startswith("         here here")
    assert max(map(len, lines[start:])) <= 100
