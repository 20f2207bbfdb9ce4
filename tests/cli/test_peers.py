"""Frameworks in turns: worker processes, what they may do wrong, ratios, bars and the table."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.__main__ import main
from nkeras.cli import peer_cases, peer_worker, peers
from nkeras.cli.peer_table import Table, bar_text, duration, remarks, speed
from nkeras.cli.peers import Bar, Measured, Peer, Row, take_turns

CASES = """
import os, sys, time

def make(framework, case):
    print("noise on standard output")
    if case["do"] == "absent":
        return None
    if case["do"] == "fail":
        raise ValueError("not today\\nreally")
    if case["do"] == "die":
        print("a last word", file=sys.stderr)
        os._exit(3)
    seconds = case[framework]

    def call():
        time.sleep(seconds)
        return [[1.0, -1.0], 1e3 * seconds if case["do"] == "differ" else None]

    return call
"""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[Peer]]:
    """nkeras and a peer, neither of which is loaded: they sleep for the time they are told."""
    file = tmp_path / "cases.py"
    file.write_text(CASES)
    both = [Peer(name, sys.executable, str(file), 1) for name in ("nkeras", "jax")]
    yield both
    for peer in both:
        peer.close()


def row(do: str, *bars: Bar) -> Row:
    return Row(do, {"do": do, "nkeras": 0.005, "jax": 0.04}, bars)


def test_turns(pair: list[Peer]) -> None:
    rows = [row("sleep", Bar(1.5), Bar(100.0)), row("differ")]
    slept, differed = take_turns(rows, pair, rounds=3, seconds=0.01)
    assert [len(times) for times in slept.rounds.values()] == [3, 3]
    assert slept.median("nkeras") >= 0.005
    assert 1.5 < slept.ratio("jax") < 100
    assert [slept.met(bar) for bar in slept.row.bars] == [True, False]
    assert slept.differing() == []
    assert differed.differing() == ["jax"]


def test_failures_are_named_and_the_run_goes_on(pair: list[Peer]) -> None:
    rows = [row("absent"), row("fail"), row("die"), row("sleep")]
    absent, failed, died, slept = take_turns(rows, pair, rounds=1, seconds=0.0)
    assert (absent.rounds, absent.failed) == ({}, {})
    assert failed.failed["jax"] == "ValueError: not today"
    assert died.failed["jax"] == "the process ended. a last word"
    assert list(slept.rounds) == ["nkeras", "jax"]


def test_a_file_that_cannot_be_loaded(tmp_path: Path) -> None:
    file = tmp_path / "cases.py"
    file.write_text("import no_such_module")
    with pytest.raises(RuntimeError, match=r"ModuleNotFoundError.*no_such_module"):
        Peer("jax", sys.executable, str(file), 1).ask(case={}, seconds=0.0)


def test_a_worker_that_hangs_is_ended(pair: list[Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    peer = pair[0]
    peer.start()
    monkeypatch.setattr(peers, "_CASE_LIMIT", 0.05)
    with pytest.raises(RuntimeError, match="no answer"):
        peer.ask(case={"do": "sleep", "nkeras": 0.5}, seconds=0.0)
    assert peer.process is None


def test_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peers.MODULES, "torch", ("no_such_module",))
    found = peers.versions(sys.executable, ["nkeras", "torch"])
    assert list(found) == ["nkeras"]
    assert found["nkeras"]["numpy"] == np.__version__
    with pytest.raises(ValueError, match="/no/python"):
        peers.versions("/no/python", ["nkeras"])


def test_environment_limits_every_framework() -> None:
    one, two = peers.environment(1), peers.environment(2)
    for name in ("NUMBA_NUM_THREADS", "NKERAS_NUM_THREADS", "OMP_NUM_THREADS", "NPROC"):
        assert (one[name], two[name]) == ("1", "2")


def measured(**seconds: float) -> Measured:
    bars = (Bar(2.0), Bar(2.0, ("keras-jax",)), Bar(at_most=0.5, name="<= 0.5 s"))
    values = {name.replace("_", "-"): [value] for name, value in seconds.items()}
    return Measured(Row("a row", {}, bars, samples=100), values)


def test_bars() -> None:
    one = measured(nkeras=1.0, torch=1.5, keras_jax=3.0)
    assert one.fastest() == "torch"
    assert one.fastest(("keras-jax",)) == "keras-jax"
    assert [one.met(bar) for bar in one.row.bars] == [False, True, False]
    assert [measured(torch=1.0).met(bar) for bar in one.row.bars] == [None] * 3
    assert [measured(nkeras=0.1).met(bar) for bar in one.row.bars] == [None, None, True]
    numbers = one.as_json()
    assert numbers["fastest peer"] == "torch"
    assert numbers["ratio"] == {"torch": 1.5, "keras-jax": 3.0}
    assert [bar["met"] for bar in numbers["bars"]] == [False, True, False]
    either = Bar(2.0, at_most=0.5, name="the limit")
    assert measured(nkeras=0.4, torch=0.4).met(either)
    assert measured(nkeras=1.0, torch=2.0).met(either)
    assert measured(nkeras=1.0, torch=1.5).met(either) is False
    assert measured(nkeras=1.0).met(either) is None
    assert bar_text(one, either) == "2 or the limit missed"


def test_table() -> None:
    one = measured(nkeras=1.0, torch=1.5, keras_jax=3.0)
    one.failed["tensorflow"] = "ValueError: no"
    one.magnitudes.update({"nkeras": 1.0, "torch": 1.001, "keras-jax": 1.1})
    names = ["nkeras", "torch", "keras-jax", "tensorflow", "onnxruntime"]
    table = Table(names, [one.row])
    assert table.head().split() == ["row", *names, "best", "bar"]
    line = " ".join(table.line(one).split())
    assert line == (
        "a row 100/s 67/s (1.50x) 33/s! (3.00x) failed - 1.50x "
        "2 missed; 2 to keras-jax met; <= 0.5 s missed"
    )
    assert remarks([one])[:3] == [
        "a row: tensorflow failed: ValueError: no",
        "a row: other results (!) in keras-jax",
        "Bars: 1 met, 2 missed or not compared.",
    ]


def test_units() -> None:
    assert [duration(value) for value in (2.0, 0.0123, 4.5e-6)] == ["2 s", "12.3 ms", "4.5 us"]
    assert speed(Row("", {}, flops=3e9), 1.0) == "1 s 3GF"


def test_magnitude() -> None:
    assert peer_worker.magnitude(([np.full(3, -2.0)], None, 2)) == pytest.approx(2.0)
    assert peer_worker.magnitude([None]) is None


@pytest.mark.parametrize(("name", "parameters"), [("mlp", 101_770), ("convnet", 34_826)])
def test_models(name: str, parameters: int) -> None:
    with nkeras.use_backend("numpy"):
        model = peer_cases.keras_model(nkeras, name)
        given = list(peer_cases._weights(name))
        assert model.count_params() == parameters
        assert [array.shape for array in given] == [w.shape for w in model.get_weights()]


def test_weights_for_channels_first_flatten_alike() -> None:
    kernels = [array for array in peer_cases._weights("convnet") if array.ndim == 2]
    turned = [array for array in peer_cases._weights_first("convnet") if array.ndim == 2]
    x = np.random.default_rng(1).random((1, 5, 5, 64), np.float32)
    wanted = x.reshape(1, -1) @ kernels[0]
    np.testing.assert_allclose(
        x.transpose(0, 3, 1, 2).reshape(1, -1) @ turned[0], wanted, rtol=1e-4
    )


def test_against_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(peers.MODULES, "onnxruntime", ("no_such_module",))
    monkeypatch.setenv("NKERAS_BACKEND", "numpy")  # of the process that measures
    words = ["--model", "mlp", "--against", "onnxruntime", "--rounds", "1", "--threads", "1"]
    assert main(["bench", *words, "--batch", "2", "--json", str(tmp_path / "n.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"onnxruntime: not installed in {sys.executable}, skipped"
    titles = ("predict 1 ", "predict 2 ", "train step 2 ")
    assert [any(line.startswith(title) for line in lines) for title in titles] == [True] * 3
    assert "failed" not in "".join(lines)
    assert '"train step 2"' in (tmp_path / "n.json").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--backends", "numpy"], "two comparisons"),
        (["--model", "own.py:model"], "own.py:model"),
        (["--peers-python", "/no/python"], "/no/python"),
    ],
)
def test_wrong_words(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--against", "torch", *words]) == 1
    assert said in capsys.readouterr().err


def test_unknown_peer(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "--against", "abacus"])
    assert "abacus" in capsys.readouterr().err


@pytest.mark.long
def test_keras_computes_the_same(oracle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NKERAS_BACKEND", "numpy")
    names = ("mlp", "convnet")
    rows = [Row(name, {"model": name, "do": "predict", "batch": 3}) for name in names]
    names = ("nkeras", "keras-jax")
    pair = [Peer(name, sys.executable, str(peers.CASES), 1) for name in names]
    try:
        for turn in take_turns(rows, pair, rounds=1, seconds=0.0):
            assert turn.failed == {}
            assert turn.magnitudes["keras-jax"] == pytest.approx(turn.magnitudes["nkeras"], 1e-3)
    finally:
        for peer in pair:
            peer.close()
