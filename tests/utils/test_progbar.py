"""Progbar draws what Keras draws in a terminal, and plain lines elsewhere."""

from __future__ import annotations

import io
import logging
import re
from types import SimpleNamespace

import numpy as np
import pytest

from nkeras.callbacks import ProgbarLogger
from nkeras.utils import io_utils, progbar
from nkeras.utils.progbar import Progbar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progbar, "monotonic", clock)
    return clock


def use_as_stdout(monkeypatch: pytest.MonkeyPatch, file: io.StringIO) -> None:
    # pytest sets sys.stdout anew between a fixture and its test, so the modules get their own.
    for module in (io_utils, progbar):
        monkeypatch.setattr(module, "sys", SimpleNamespace(stdout=file, modules={}))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    use_as_stdout(monkeypatch, terminal)
    return terminal


@pytest.fixture
def log_file(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    monkeypatch.delenv("PYCHARM_HOSTED", raising=False)
    file = io.StringIO()
    use_as_stdout(monkeypatch, file)
    return file


def without_colours(text: str) -> str:
    return re.sub(r"\x1b\[\d+m", "", text)


def test_terminal_draws_as_keras(terminal: Terminal, clock: Clock) -> None:
    # The expected texts were recorded from Keras 3.15 with the same clock.
    bar = Progbar(target=4, stateless_metrics=())
    clock.now += 2.0
    bar.update(1, [("accuracy", 0.5), ("loss", 1.25)])
    clock.now += 0.5
    bar.update(2, [("accuracy", 0.75), ("loss", 0.0005)])
    clock.now += 0.5
    bar.update(4, [("accuracy", 1.0), ("loss", 0.25)])
    frames = terminal.getvalue().split("\r")[1:]
    assert frames[0] == (
        "\x1b[1m1/4\x1b[0m \x1b[32m━━━━━\x1b[0m\x1b[37m━━━━━━━━━━━━━━━\x1b[0m "
        "\x1b[1m6s\x1b[0m 2s/step - accuracy: 0.5000 - loss: 1.2500"
    )
    bold_bar = "━" * 20
    assert without_colours(frames[1]) == (
        f"2/4 {bold_bar} 1s 500ms/step - accuracy: 0.7500 - loss: 5.0000e-04"
    )
    assert without_colours(frames[2]) == (
        f"4/4 {bold_bar} 3s 333ms/step - accuracy: 1.0000 - loss: 0.2500    \n"
    )
    assert len(frames) == 3


def test_shorter_line_covers_the_longer_one(terminal: Terminal, clock: Clock) -> None:
    bar = Progbar(target=2, stateful_metrics=["loss"])
    bar.update(1, [("loss", 1e-5)])
    bar.update(2, [("loss", 0.5)])
    first, second = (without_colours(f).rstrip("\n") for f in terminal.getvalue().split("\r")[1:])
    assert len(second) == len(first)


def test_unknown_target(terminal: Terminal, clock: Clock) -> None:
    bar = Progbar(target=None)
    clock.now += 1.0
    bar.update(1)
    bar.update(2, finalize=True)
    frames = without_colours(terminal.getvalue()).split("\r")[1:]
    assert frames[0] == "      1/Unknown 1s 1s/step"
    assert frames[1].endswith("\n")


def test_redraws_at_most_once_per_interval(terminal: Terminal, clock: Clock) -> None:
    bar = Progbar(target=1000, interval=1.0)
    for step in range(1, 1000):
        clock.now += 0.01
        bar.update(step)
    assert 9 <= terminal.getvalue().count("\r") <= 11


@pytest.mark.parametrize("target", [3, None])
def test_log_file_gets_one_plain_line(log_file: io.StringIO, clock: Clock, target: int) -> None:
    for epoch in range(2):
        bar = Progbar(target=target)
        for step in range(1, 4):
            clock.now += 1.0
            bar.update(step, [("loss", float(epoch))], finalize=step == 3)
    text = log_file.getvalue()
    assert text.count("\n") == 2
    assert not set(text) & set("\r\b\x1b")
    if target:
        assert text.startswith("3/3 ━━━━━━━━━━━━━━━━━━━━ 3s 1s/step - loss: 0.0000e+00\n")


def test_verbose_2_is_one_line_without_bar(log_file: io.StringIO, clock: Clock) -> None:
    bar = Progbar(target=10, verbose=2, unit_name="sample")
    clock.now += 0.002
    bar.update(9, [("loss", 3.0)])
    bar.add(1, [("loss", -2.0)])
    assert log_file.getvalue() == "10/10 - 0s - 200us/sample - loss: -2.0000\n"


def test_verbose_0_is_silent(log_file: io.StringIO) -> None:
    Progbar(target=1, verbose=0).update(1, [("loss", 0.5)])
    assert log_file.getvalue() == ""


def test_averages_by_steps(terminal: Terminal, clock: Clock) -> None:
    bar = Progbar(target=8, stateful_metrics=["acc"], interval=0.0)
    bar.update(1, [("loss", 1.0), ("acc", 0.1)])
    bar.update(4, [("loss", 3.0), ("acc", 0.2)])
    assert terminal.getvalue().endswith(" - loss: 2.5000 - acc: 0.2000")
    bar.update(8, [("loss", np.float32(0.75)), ("acc", np.array([0.25, 0.75]))])
    assert terminal.getvalue().rstrip().endswith(" - loss: 0.7500 - acc: 0.5000")


def test_values_are_not_read_before_they_are_drawn(terminal: Terminal, clock: Clock) -> None:
    class OnDevice:
        reads = 0

        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            OnDevice.reads += 1
            return np.array(0.5)

    bar = Progbar(target=100, interval=10.0, stateless_metrics=())
    for step in range(1, 100):
        bar.update(step, [("loss", OnDevice())])
    assert OnDevice.reads == 1


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0s"), (59.9, "59s"), (75.0, "1:15"), (3725.0, "1:02:05")]
)
def test_remaining_time(terminal: Terminal, clock: Clock, seconds: float, shown: str) -> None:
    bar = Progbar(target=2)
    clock.now += seconds
    bar.update(1)
    assert f"\x1b[1m{shown}\x1b[0m" in terminal.getvalue()


def test_both_kinds_of_metrics_are_refused() -> None:
    with pytest.raises(ValueError, match="stateless_metrics"):
        Progbar(1, stateful_metrics=["a"], stateless_metrics=["b"])


def test_without_interactive_logging_the_bar_is_a_log_record(
    terminal: Terminal, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    io_utils.disable_interactive_logging()
    try:
        with caplog.at_level(logging.INFO, logger="nkeras"):
            bar = Progbar(target=2)
            bar.update(1, [("loss", 0.5)])
            bar.update(2, [("loss", 0.5)])
    finally:
        io_utils.enable_interactive_logging()
    assert terminal.getvalue() == ""
    assert [record.getMessage() for record in caplog.records] == [
        "2/2 ━━━━━━━━━━━━━━━━━━━━ 0s 0s/step - loss: 0.5000"
    ]


def test_a_redrawn_line_is_cut_to_the_terminal(terminal: Terminal, clock: Clock) -> None:
    bar = Progbar(target=3, interval=0.0, stateless_metrics=())
    metrics = [(f"output_{i}_准确率", 0.5) for i in range(9)]
    for step in range(1, 4):
        bar.update(step, metrics)
    *redrawn, last = terminal.getvalue().split("\r")[1:]
    for frame in map(without_colours, redrawn):
        assert 77 <= len(frame) + sum(frame.count(wide) for wide in "准确率") < 80
    assert without_colours(last).rstrip().endswith("output_8_准确率: 0.5000")


def test_a_notebook_has_no_width(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    notebook = io.StringIO()
    for module in (io_utils, progbar):
        system = SimpleNamespace(stdout=notebook, modules={"ipykernel": None})
        monkeypatch.setattr(module, "sys", system)
    Progbar(target=2).update(1, [("loss" * 30, 0.5)])
    assert notebook.getvalue().endswith("loss: 0.5000")


def test_no_color_takes_the_colours_away(
    terminal: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    Progbar(target=2).update(1, [("loss", 0.5)])
    assert terminal.getvalue() == "\r1/2 ━━━━━━━━━━━━━━━━━━━━ 0s 0s/step - loss: 0.5000"


def test_a_dumb_terminal_gets_what_a_file_gets(
    terminal: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    bar = Progbar(target=2)
    bar.update(1, [("loss", 0.5)])
    bar.update(2, [("loss", 0.5)])
    assert terminal.getvalue() == "2/2 ━━━━━━━━━━━━━━━━━━━━ 0s 0s/step - loss: 0.5000\n"


def test_fit_shows_metrics_by_name(terminal: Terminal) -> None:
    logger = ProgbarLogger()
    logger.set_params({"verbose": 1, "epochs": 1, "steps": 2})
    logger.on_epoch_begin(0)
    logger.on_train_batch_end(0, {"loss": 0.5, "accuracy": 0.25})
    logger.on_epoch_end(0, {"val_loss": 1.0, "loss": 0.5, "accuracy": 0.25})
    first, last = terminal.getvalue().split("\r")[1:]
    assert first.endswith(" - accuracy: 0.2500 - loss: 0.5000")
    assert last.rstrip().endswith(" - accuracy: 0.2500 - loss: 0.5000 - val_loss: 1.0000")
