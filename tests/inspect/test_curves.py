"""Learning curves."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import nkeras
from nkeras.inspect.curves import history_svg

SVG = "{http://www.w3.org/2000/svg}"
NAN, INF = float("nan"), float("inf")


def test_history_draws_itself(tmp_path: Path) -> None:
    model = nkeras.Sequential([nkeras.Input((2,)), nkeras.layers.Dense(1)])
    model.compile(loss="mse", metrics=["mae"])
    x = np.random.default_rng(0).normal(size=(20, 2))
    history = model.fit(x, x[:, :1], epochs=3, validation_split=0.5, verbose=0)
    path = tmp_path / "curves.svg"
    assert history.plot(path).path == path
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    titles = [
        element.text for element in root.iter(f"{SVG}text") if "name" in element.attrib.values()
    ]
    assert titles == ["loss", "mae"]
    best = int(np.argmin(history.history["val_loss"])) + 1
    hints = [element.text or "" for element in root.iter(f"{SVG}title")]
    assert any(hint.endswith(f"epoch {best}") for hint in hints)
    assert history._repr_svg_().startswith("<svg")
    with pytest.raises(ValueError, match="must end in"):
        history.plot(tmp_path / "curves.png")


@pytest.mark.parametrize(("best", "epoch"), [("max", 2), ("min", 1)])
def test_best_epoch(best: str, epoch: int) -> None:
    svg = history_svg({"f": [0.1, 0.9, 0.5], "g": [NAN]}, best=lambda name: best)
    assert f"epoch {epoch}<" in svg
    assert svg.count("<circle") == 1


@pytest.mark.parametrize(
    "values", [[1e-5, 1e-2, 10.0], [0.5, 0.4], [3.0], [0.0, 1.0], [-1.0], [NAN, INF, 2.0], []]
)
def test_logarithms(values: list[float]) -> None:
    svg = history_svg({"loss": values}, is_logarithmic=True)
    ElementTree.fromstring(svg)
    if values[:1] == [1e-5]:
        assert ">0.0001<" in svg
        assert ">10<" in svg
