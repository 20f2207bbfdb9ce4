"""`python -m nkeras bench`: the table, the JSON file, models of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nkeras
from nkeras.__main__ import main
from nkeras.cli import bench

MODEL = """
import nkeras

def model():
    x = nkeras.Input((4, 4, 1))
    y = nkeras.layers.Conv2D(2, 2, name="conv")(x)
    y = nkeras.layers.Flatten(name="flat")(nkeras.ops.relu(y))
    return nkeras.Model(x, nkeras.layers.Dense(3, name="dense")(y), name="own")
"""


def without_input() -> Any:
    return nkeras.Sequential([nkeras.layers.Dense(1)])


def two_inputs() -> Any:
    x, y = nkeras.Input((2,)), nkeras.Input((2,))
    return nkeras.Model([x, y], nkeras.layers.Add()([x, y]))


def test_own_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, file = tmp_path / "own.py", tmp_path / "numbers.json"
    path.write_text(MODEL)
    before = nkeras.get_backend()
    words = ["--model", f"{path}:model", "--backends", "numpy", "cpu", "--batch", "2"]
    assert main(["bench", *words, "--seconds", "0.01", "--json", str(file)]) == 0
    assert nkeras.get_backend() == before
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "own: 67 parameters, batch 2"
    assert lines[4].split() == ["numpy", "numba_cpu"]
    titles = ["predict", "train step", "conv", "relu", "flat", "dense", "difference from numpy"]
    rows = lines[5 : 5 + len(titles)]
    assert all(row.strip().startswith(title) for row, title in zip(rows, titles, strict=True))
    assert rows[0].endswith("x)")

    numbers = json.loads(file.read_text())
    assert (numbers["model"], numbers["parameters"], numbers["batch"]) == ("own", 67, 2)
    assert list(numbers["backends"]) == ["numpy", "numba_cpu"]
    for backend in numbers["backends"].values():
        assert backend["predict"] > 0
        assert backend["train step"] > 0
        assert list(backend["layers"]) == ["conv", "relu", "flat", "dense"]
    assert numbers["backends"]["numpy"]["difference"] == 0.0
    assert numbers["backends"]["numba_cpu"]["difference"] < 1e-5


def test_built_in_models() -> None:
    result = bench.compare(bench.built_in("mlp"), ["numpy"], batch=2, seconds=0.01)
    assert result["parameters"] == 784 * 128 + 128 + 128 * 10 + 10
    assert "numba_cpu" not in bench.table(result)
    assert bench.built_in("convnet").count_params() == 34_826


def test_the_simulator_is_not_among_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nkeras, "backends", lambda: {"numba_cpu": "active", "numpy": "available"})
    assert bench._backends(None) == ["numpy", "numba_cpu"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "resnet"], "resnet"),
        (["--model", "nowhere.py:model"], "nowhere.py"),
        (["--model", f"{__file__}:nothing"], "nothing"),
        (["--model", f"{__file__}:without_input"], "Input"),
        (["--model", f"{__file__}:two_inputs"], "one input"),
        (["--backends", "abacus"], "abacus"),
    ],
)
def test_wrong_words(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *words]) == 1
    error = capsys.readouterr().err
    assert error.startswith("nkeras bench: ")
    assert said in error
