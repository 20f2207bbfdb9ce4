"""What README.md shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import nkeras

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, object] = {}
    before = nkeras.get_backend()
    try:
        for block in blocks:
            exec(compile(block, "README.md", "exec"), names)
    finally:
        nkeras.set_backend(before)
    accuracy = names["accuracy"]
    assert isinstance(accuracy, float)
    assert accuracy > 0.8
    assert "Epoch 5/5" in capsys.readouterr().out


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
