"""Messages reach standard output, or the log, whatever the encoding."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from nkeras.utils import io_utils


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    yield
    io_utils.enable_interactive_logging()


def test_prints_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert io_utils.is_interactive_logging_enabled()
    io_utils.print_msg("one")
    io_utils.print_msg(2, line_break=False)
    assert capsys.readouterr().out == "one\n2"


def test_disabled_goes_to_the_log(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    io_utils.disable_interactive_logging()
    assert not io_utils.is_interactive_logging_enabled()
    with caplog.at_level(logging.INFO, logger="nkeras"):
        io_utils.print_msg("100% done\n")
    assert capsys.readouterr().out == ""
    assert [record.getMessage() for record in caplog.records] == ["100% done"]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_narrow_encodings_get_plain_characters(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, newline="\n"))
    io_utils.print_msg("┏━━┳━━┓\n│ é日 └")
    lines = raw.getvalue().decode(encoding).splitlines()
    assert lines[0] == "+==+==+"
    assert lines[1] == ("| ?? `" if encoding == "ascii" else "| é? `")
