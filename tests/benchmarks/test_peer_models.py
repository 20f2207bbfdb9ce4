"""The models that the scripts in benchmarks/ measure: sizes, training, and Keras' results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from benchmarks import peer_models
from nkeras.cli.peers import Peer, Row, take_turns

CHECKED = "mlp convnet resnet series local lstm gru transformer".split()
CASES = Path(peer_models.__file__).with_name("peer_cases.py")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("tiny", 131),
        ("mlp", 101_770),
        ("convnet", 34_826),
        ("mobilenet", 3_538_984),
        pytest.param("resnet50", 25_610_152, marks=pytest.mark.long),
        ("series", 25_858),
        ("local", 162_762),
        ("lstm", 2_691_842),
        ("gru", 1_330_178),
        ("transformer", 651_358),
    ],
)
def test_models(name: str, parameters: int) -> None:
    with nkeras.use_backend("numpy"):
        model = peer_models.keras_model(nkeras, name)
        given = peer_models.weights(peer_models.MODELS[name])
        assert model.count_params() == parameters
        assert sum(array.size for array in given) == parameters
        own = sorted(float(np.abs(array).sum()) for array in model.get_weights())
        assert own == pytest.approx(sorted(float(np.abs(array).sum()) for array in given))


def test_residual_model_learns() -> None:
    x, y = peer_models.data("resnet", 2)
    with nkeras.use_backend("numpy"):
        model = peer_models.keras_model(nkeras, "resnet")
        model.compile("adam", "sparse_categorical_crossentropy")
        first, _, last = [model.train_on_batch(x, y) for _ in range(3)]
    assert last < first


@pytest.mark.parametrize(("size", "strides", "extent"), [(3, 1, 8), (3, 2, 8), (7, 2, 9)])
def test_same_padding(size: int, strides: int, extent: int) -> None:
    low, high = peer_models.same_padding(size, strides, extent)
    assert (extent + low + high - size) // strides + 1 == -(-extent // strides)
    assert low <= high <= low + 1


@pytest.mark.long
def test_keras_computes_the_same(oracle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NKERAS_BACKEND", "numpy")
    cases = [("mlp", "call"), *((name, "predict") for name in CHECKED)]
    rows = [Row(name, {"model": name, "do": do, "batch": 3}) for name, do in cases]
    names = ("nkeras", "keras-jax")
    pair = [Peer(name, sys.executable, str(CASES), 1) for name in names]
    try:
        for turn in take_turns(rows, pair, rounds=1, seconds=0.0):
            assert turn.failed == {}
            assert turn.magnitudes["keras-jax"] == pytest.approx(turn.magnitudes["nkeras"], 1e-3)
    finally:
        for peer in pair:
            peer.close()
