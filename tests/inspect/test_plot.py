"""Pictures of models: SVG, DOT, converters, arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

import nkeras
from nkeras import layers
from nkeras.inspect import plot as plotting
from nkeras.utils import model_to_dot, plot_model
from tests.inspect.models import nested, residual

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    monkeypatch.setattr(plotting.shutil, "which", lambda name: None)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_keras_arguments(tmp_path: Path) -> None:
    path = tmp_path / "model.svg"
    found = plot_model(
        residual(),
        path,
        show_shapes=True,
        show_dtype=True,
        show_layer_names=True,
        show_layer_activations=True,
        show_trainable=True,
    )
    assert found.path == path
    words = texts(path.read_text(encoding="utf-8"))
    assert "first (Conv2D)" in words
    assert "Activation: relu" in words
    assert "Input shape: (None, 8, 8, 3)" in words
    assert "Output dtype: float32" in words
    assert "trainable" in words


def test_by_default_classes_alone(tmp_path: Path) -> None:
    words = texts(plot_model(residual(), tmp_path / "model.svg").svg)
    assert "Conv2D" in words
    assert not any("first" in word for word in words)


@pytest.mark.parametrize("rankdir", ["TB", "BT", "LR", "RL"])
def test_directions(rankdir: str) -> None:
    root = ElementTree.fromstring(residual().plot(rankdir=rankdir).svg)
    is_tall = float(root.attrib["height"]) > float(root.attrib["width"])
    assert is_tall == (rankdir in ("TB", "BT"))
    cards = {
        element.findtext(f"{SVG}text"): element.find(f"{SVG}rect")
        for element in root.iter(f"{SVG}g")
    }
    axis = "y" if is_tall else "x"
    first, last = (cards[name].attrib[axis] for name in ("first (Conv2D)", "scores (Dense)"))
    assert (float(first) < float(last)) == (rankdir in ("TB", "LR"))


@pytest.mark.parametrize("splines", ["ortho", "curved", "polyline", "spline", "line"])
def test_lines(tmp_path: Path, splines: str) -> None:
    svg = plot_model(residual(), tmp_path / "model.svg", splines=splines).svg
    edges = [e.attrib["d"] for e in ElementTree.fromstring(svg).iter(f"{SVG}path")]
    has_curves = any("C" in edge for edge in edges)
    assert has_curves == (splines in ("curved", "spline"))


def test_nested_models_are_frames() -> None:
    def frames(expand: bool) -> int:
        root = ElementTree.fromstring(nested().plot(expand_nested=expand).svg)
        return sum(e.attrib.get("class") == "frame" for e in root.iter(f"{SVG}rect"))

    assert (frames(True), frames(False)) == (2, 0)
    assert "call 2 of 2, shared weights" in texts(nested().plot(expand_nested=False).svg)


def test_names_cannot_break_the_file(tmp_path: Path) -> None:
    name = '</text><script>alert("1")</script>&\x00\ud800\n' + "long" * 1000
    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(2, name=name.replace("/", ""))])
    svg = plot_model(model, tmp_path / "model.svg", show_layer_names=True).svg
    root = ElementTree.fromstring(svg)
    assert not list(root.iter(f"{SVG}script"))
    assert max(len(word) for word in texts(svg)) <= 48
    ElementTree.fromstring((tmp_path / "model.svg").read_text(encoding="utf-8"))


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("name", ["model.png", "model", "model.pdf"])
def test_without_a_converter_the_svg_is_written(tmp_path: Path, name: str) -> None:
    with pytest.warns(UserWarning, match="pip install cairosvg"):
        found = plot_model(residual(), tmp_path / name)
    assert found.path == tmp_path / "model.svg"
    assert [path.name for path in tmp_path.iterdir()] == ["model.svg"]


def test_cairosvg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake: Any = ModuleType("cairosvg")
    fake.svg2png = lambda bytestring, scale: b"PNG%.1f" % scale
    monkeypatch.setitem(sys.modules, "cairosvg", fake)
    plot_model(residual(), str(tmp_path / "a.png"), dpi=192)
    assert (tmp_path / "a.png").read_bytes() == b"PNG2.0"


def test_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    monkeypatch.setattr(plotting.shutil, "which", lambda name: name == "resvg")

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        assert options["input"].startswith(b"<svg")
        return subprocess.CompletedProcess(command, 0, b"made by " + command[0].encode(), b"")

    monkeypatch.setattr(plotting.subprocess, "run", run)
    plot_model(residual(), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"made by resvg"


def test_dot(tmp_path: Path) -> None:
    found = model_to_dot(nested(), expand_nested=True, show_shapes=True)
    text = found.to_string()
    assert text.count("subgraph") == 2
    assert 'label="inner (Sequential)"' in text
    assert "Input shape: (None, 4), Output" not in text
    assert text.count("{") == text.count("}")
    plot_model(nested(), tmp_path / "model.dot")
    assert (tmp_path / "model.dot").read_text(encoding="utf-8").startswith("digraph")
    assert str(model_to_dot(nested(), subgraph=True)).startswith("subgraph")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rankdir": "XX"}, "rankdir"),
        ({"splines": "wavy"}, "splines"),
        ({"dpi": 0}, "dpi"),
        ({"layer_range": ["a", "b"]}, "layer_range"),
        ({"shapes": True}, "shapes"),
        ({"to_file": "model.bmp"}, "to_file"),
    ],
)
def test_arguments_are_refused(tmp_path: Path, wrong: dict[str, Any], message: str) -> None:
    arguments = {"to_file": tmp_path / "model.svg"} | wrong
    with pytest.raises(ValueError, match=message):
        plot_model(residual(), **arguments)
    assert not list(tmp_path.iterdir())


def test_unbuilt() -> None:
    with pytest.raises(ValueError, match="not built yet"):
        model_to_dot(nkeras.Sequential([layers.Dense(1)]))
