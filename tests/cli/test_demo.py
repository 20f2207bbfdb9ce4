"""`python -m nkeras demo` trains, says how well, and leaves a picture."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nkeras.__main__ import main


def accuracy_in(text: str) -> float:
    found = re.search(r"^Test accuracy: (0\.\d{4}|1\.0000)$", text, re.MULTILINE)
    assert found, text
    return float(found.group(1))


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_short(
    backend: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--backend", backend, "--epochs", "2"]) == 0
    text = capsys.readouterr().out
    assert 'Model: "digits_convnet"' in text
    assert "Epoch 2/2" in text
    assert "val_accuracy" in text
    assert accuracy_in(text) > 0.85
    assert ElementTree.parse(tmp_path / "nkeras-demo.svg").getroot().tag.endswith("svg")


def test_output_and_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for seed in ("1", "1", "2"):
        file = tmp_path / f"{seed}.svg"
        words = ["--backend", "numpy", "--epochs", "1", "--seed", seed, "--output", str(file)]
        assert main(["demo", *words]) == 0
        assert file.exists()
        texts.append(re.findall(r"Test loss: (.*)", capsys.readouterr().out))
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("words", [["--backend", "abacus"], ["--backend", "cuda"]])
def test_a_backend_that_cannot_be_used(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import nkeras
    from nkeras.core.errors import BackendError

    def refuse(name: str) -> None:
        raise (ValueError if name == "abacus" else BackendError)(f"no {name} here")

    monkeypatch.setattr(nkeras, "set_backend", refuse)
    assert main(["demo", *words]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"nkeras demo: no {words[-1]} here\n"


def test_in_the_simulator_it_is_small(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nkeras", "demo", "--backend", "cuda"],
        cwd=tmp_path,
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The simulator is slow" in done.stdout
    assert "backend numba_cuda (cuda simulator" in done.stdout
    accuracy_in(done.stdout)
    assert (tmp_path / "nkeras-demo.svg").exists()


@pytest.mark.long
@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_whole(
    backend: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--backend", backend]) == 0
    assert accuracy_in(capsys.readouterr().out) >= 0.97
