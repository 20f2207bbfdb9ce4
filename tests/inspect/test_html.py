"""What notebooks show of tensors, layers and models."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest

import nkeras
from nkeras import layers
from tests.inspect.models import Looking, nested, residual


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
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
