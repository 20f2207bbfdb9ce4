"""What notebooks show of tensors, layers and models."""

from __future__ import annotations

import re
import sys
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import nkeras
from nkeras import layers
from nkeras.utils.value_picture import value_picture
from tests.inspect.models import Looking, nested, residual


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("img", "br"):
            self.open.append(tag)
        self.seen.add(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(html: str) -> set[str]:
    parser = Tags()
    parser.feed(html)
    assert not parser.open
    return parser.seen


def test_tensor() -> None:
    html = nkeras.ops.convert_to_tensor([[1.0, np.nan], [3.0, 2.0]])._repr_html_()
    tags(html)
    assert "(2, 2)" in html
    assert "<th>not finite</th>" in html
    for dtype in ("bfloat16", "bool", "int32", "complex64"):
        tags(nkeras.ops.ones((3,), dtype)._repr_html_())
    tags(nkeras.ops.zeros((0, 3))._repr_html_())


def test_pictures_of_tensors() -> None:
    for shape, is_drawn in (
        ((5,), True),
        ((1, 1), False),
        ((700, 3), True),
        ((9, 8, 3), True),
        ((2, 9, 8, 1), True),
        ((2, 9, 8, 5), False),
    ):
        html = nkeras.ops.ones(shape)._repr_html_()
        assert ("img" in tags(html)) == is_drawn, shape
    values = np.array([[-1.0, 0.0, 1.0, np.nan]])
    found = re.findall('base64,([^"]*)', value_picture(values) or "")
    pixels = np.asarray(Image.open(BytesIO(b64decode(found[0]))))
    assert pixels[0].tolist() == [[5, 80, 160], [247, 247, 245], [180, 75, 0], [220, 0, 160]]


class Notebook:
    """Standard output of a notebook."""

    __module__ = "ipykernel.iostream"

    def write(self, text: str) -> int:
        raise AssertionError("text goes beside the HTML")


def test_summary(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(2, name="<b>")], name="<i>")
    model.summary(line_length=60)
    text = capsys.readouterr().out
    shown: list[dict[str, str]] = []
    module = SimpleNamespace(display=lambda bundle, raw: shown.append(bundle))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=module))
    monkeypatch.setattr(sys, "stdout", Notebook())
    model.summary(line_length=60)
    assert shown[0]["text/plain"] == text
    assert tags(shown[0]["text/html"]) <= {"div", "b", "br", *"table thead tbody tr th td".split()}
    assert "&lt;i&gt;" in shown[0]["text/html"]
    assert "&lt;b&gt; (Dense)" in shown[0]["text/html"]
    assert "Total params: 8 (32.00 B)" in shown[0]["text/html"]
    model.summary(print_fn=lambda words: shown.append({"text": words}))
    assert "text" in shown[1]


def test_layer() -> None:
    layer = layers.Dense(2, activation="relu", name="<script>")
    html = layer._repr_html_()
    assert "not built" in html
    assert "script" not in tags(html)
    layer.build((None, 3))
    assert "(3, 2)" in layer._repr_html_()


@pytest.mark.parametrize("make", [residual, nested])
def test_model(make: object) -> None:
    html = make()._repr_html_()  # type: ignore[operator]
    assert {"table", "svg"} <= tags(html)
    assert "parameters" in html


def test_models_that_are_not_built_or_large() -> None:
    assert "not built" in Looking()._repr_html_()
    large = nkeras.Sequential([nkeras.Input((1,)), *(layers.ReLU() for _ in range(500))])
    html = large._repr_html_()
    assert "301 layers more" in html
    assert "<svg" not in html
