"""`python -m nkeras warmup`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nkeras
from nkeras.__main__ import main
from nkeras.cli.warmup import warm_up

MODEL = """
import nkeras
from nkeras import layers


def tiny():
    nkeras.utils.set_random_seed(0)
    return nkeras.Sequential([nkeras.Input((3,)), layers.Dense(2, activation="relu")])
"""


def test_own_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.py"
    path.write_text(MODEL)
    assert main(["warmup", f"{path}:tiny", "--batch", "4"]) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"{path}:tiny: ")
    assert "kernels are kept in" in output


def test_unknown_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warmup", "resnet"]) == 1
    assert "Received: 'resnet'" in capsys.readouterr().err


def test_weights_stay() -> None:
    model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_weights()
    warm_up(model, batch=2)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_batch_is_positive() -> None:
    model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2)])
    with pytest.raises(ValueError, match="`batch` must be positive"):
        warm_up(model, batch=0)
