"""Pages of models: what is in the file, what is refused; test_page_in_browser.py opens them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.__main__ import main
from nkeras.inspect.content import content_of
from nkeras.inspect.recording import limit_of, thinned
from tests.inspect.models import Looking, Subclassed, nested, residual

IMAGES = np.random.default_rng(1).normal(size=(3, 8, 8, 3)).astype("float32")


def data_of(html: str) -> dict[str, Any]:
    return json.loads(
        re.findall('<script type="application/json" id="page">(.*?)</script>', html)[0]
    )


def test_one_file_without_addresses(tmp_path: Path) -> None:
    page = nkeras.visualise(residual(), IMAGES, tmp_path / "model.html")
    html = (tmp_path / "model.html").read_text(encoding="utf-8")
    assert html == page.html
    assert not re.findall(r"""(?:https?:)?//[\w-]+\.\w|src=|href=|@import|url\(""", html)
    assert "default-src 'none'" in html
    code = re.sub(r'<script type="[^>]*>.*?</script>', "", html, flags=re.DOTALL)
    assert len(code.encode()) < 120_000
    assert "sandbox" in page._repr_html_()


def test_values_are_those_of_the_model() -> None:
    model = residual()
    page = data_of(nkeras.visualise(model, IMAGES, None).html)
    keys = [box["key"] for box in page["boxes"]]
    assert keys[0] == "image"
    assert set(model.activations(IMAGES)) <= set(keys)
    assert page["isLive"]
    assert not page["isRounded"]
    shapes = {box["key"]: box["values"]["shape"] for box in page["boxes"]}
    assert shapes["conv_0"] == [3, 8, 8, 4]
    sources = {box["key"]: [keys[source] for source in box["sources"]] for box in page["boxes"]}
    assert sources["sum_0"] == ["first", "norm_0"]
    for layout in page["layouts"]:
        assert len(layout["places"]) == len(keys)


def test_nested_models() -> None:
    samples = [np.ones((2, 3), "float32"), np.zeros((2, 3), "float32")]
    page = data_of(nkeras.visualise(nested(), samples, None).html)
    keys = [box["key"] for box in page["boxes"]]
    assert {"inner/a", "inner/a#2", "multiply"} <= set(keys)
    assert len(page["inputs"]) == 2
    assert [frame["name"] for frame in page["layouts"][0]["frames"]] == ["inner", "inner"]


def test_subclassed_models() -> None:
    x = np.ones((2, 5), "float32")
    for model, live in ((Subclassed(), True), (Looking(), False)):
        model(x)
        page = data_of(nkeras.visualise(model, x, None).html)
        assert page["isLive"] == live
    assert [box["name"] for box in page["boxes"]] == [model.name]


@pytest.mark.parametrize("samples", [np.zeros((0, 8, 8, 3)), np.zeros((65, 8, 8, 3)), 3.0])
def test_samples_are_checked(samples: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="argument `samples` must have from 1 to 64"):
        nkeras.visualise(residual(), samples, tmp_path / "model.html")
    assert not list(tmp_path.iterdir())


def test_thinning() -> None:
    values = np.arange(2 * 40 * 40 * 64, dtype="float32").reshape(2, 40, 40, 64)
    kept = thinned(values, 8000)
    assert kept.values[0].size <= 8000
    np.testing.assert_array_equal(
        kept.values, values[:, :: kept.step, :: kept.step, : kept.channels]
    )
    assert thinned(values, 10**6).values is not None
    assert thinned(values, 10**6).values.shape == values.shape
    assert thinned(np.ones((2, 5000)), 100).values.shape == (2, 100)
    assert thinned(np.ones((2,)), 100).values.shape == (2,)
    assert limit_of([5, 5], 100) == 5


@pytest.mark.parametrize(
    ("shape", "is_input", "kind"),
    [
        ((8, 8, 3), True, "image"),
        ((8, 8), True, "image"),
        ((8, 8, 3), False, "maps"),
        ((4, 8, 8, 3), False, "maps"),
        ((12, 5), False, "matrix"),
        ((700,), False, "strip"),
        ((), False, "strip"),
    ],
)
def test_contents(shape: tuple[int, ...], is_input: bool, kind: str) -> None:
    content = content_of(shape, is_input)
    assert content["kind"] == kind
    wide = content["columns"] * content["width"]
    assert wide <= 240


def test_view(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.keras"
    residual().save(path)
    np.save(tmp_path / "x.npy", IMAGES)
    words = ["view", str(path), "--no-browser"]
    assert main([*words, "--input", str(tmp_path / "x.npy"), "--samples", "2"]) == 0
    page = data_of((tmp_path / "model.html").read_text(encoding="utf-8"))
    assert (page["name"], page["samples"]) == ("residual", 2)
    assert main([*words, "--output", str(tmp_path / "other.html")]) == 0
    assert "Random numbers" in capsys.readouterr().out
    assert data_of((tmp_path / "other.html").read_text(encoding="utf-8"))["samples"] == 8
    assert main(["view", str(tmp_path / "none.keras"), "--no-browser"]) == 1
    assert capsys.readouterr().err.startswith("nkeras view: ")
