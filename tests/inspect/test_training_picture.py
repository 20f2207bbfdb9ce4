"""The picture is well-formed XML that shows every image and every finite value."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from nkeras.inspect.training_picture import training_picture

NAMESPACE = "{http://www.w3.org/2000/svg}"
IMAGES = np.arange(60 * 64).reshape(60, 8, 8) % 17
LABELS = np.arange(60) % 10
HISTORY = {
    "accuracy": [0.5, 0.8, 0.9],
    "loss": [1.5, 0.7, 0.4],
    "val_accuracy": [0.4, 0.7, 0.8],
    "val_loss": [1.6, 0.9, 0.6],
}


def draw(path: Path, **changes: object) -> ElementTree.Element:
    arguments = {
        "images": IMAGES,
        "labels": LABELS,
        "predictions": LABELS,
        "history": HISTORY,
        "title": "Digits",
    }
    training_picture(path, **(arguments | changes))  # type: ignore[arg-type]
    return ElementTree.parse(path).getroot()


def classes(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [node for node in root.iter() if name in node.get("class", "").split()]


def texts(root: ElementTree.Element) -> list[str]:
    return [node.text or "" for node in root.iter(f"{NAMESPACE}text")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.svg"


def test_shows_at_most_forty_images(path: Path) -> None:
    assert len(classes(draw(path), "image")) == 40
    assert len(classes(draw(path, images=IMAGES[:7], labels=LABELS[:7],
                            predictions=LABELS[:7]), "image")) == 7  # fmt: skip


def test_wrong_images_come_first_in_red_with_the_truth(path: Path) -> None:
    predictions = LABELS.copy()
    predictions[[3, 59]] = 0
    root = draw(path, predictions=predictions)
    tiles = classes(root, "image")
    red = [index for index, tile in enumerate(tiles) if classes(tile, "wrong")]
    assert red == [0, 1]
    assert [texts(tiles[index]) for index in red] == [["0, not 3"], ["0, not 9"]]
    assert "58 of 60 images classified correctly; 40 shown, wrong ones first." in texts(root)


def test_many_wrong_images_leave_room_for_right_ones(path: Path) -> None:
    root = draw(path, predictions=np.where(np.arange(60) < 30, 11, LABELS))
    assert len([tile for tile in classes(root, "image") if classes(tile, "wrong")]) == 10
    assert len(classes(root, "image")) == 40


def test_ink_covers_exactly_the_pixels_above_the_lowest(path: Path) -> None:
    image = np.zeros((1, 4, 6))
    image[0, 1, 2] = 16
    image[0, 3, 5] = 8
    root = draw(path, images=image, labels=[1], predictions=[1])
    (ink,) = classes(root, "ink")
    cells = {node.get("d"): node.get("fill-opacity") for node in ink}
    assert cells == {"M2 1h1v1h-1z": "1", "M5 3h1v1h-1z": "0.5"}


@pytest.mark.parametrize("image", [np.full((1, 8, 8), 3.0), np.full((1, 8, 8, 1), np.nan)])
def test_image_without_contrast(path: Path, image: np.ndarray) -> None:
    root = draw(path, images=image, labels=["a"], predictions=["a"])
    assert len(classes(root, "image")) == 1


def test_names_are_escaped(path: Path) -> None:
    root = draw(
        path,
        title="<b> & \"quotes\" \x00 ünïcode 手",
        images=IMAGES[:1],
        labels=["<cat>"],
        predictions=["d&g"],
        history={"a<b": [1.0]},
    )  # fmt: skip
    shown = texts(root)
    assert shown[0] == '<b> & "quotes" \ufffd ünïcode 手'
    assert "d&g, not <cat>" in shown
    assert "a<b" in shown


def test_charts_pair_a_metric_with_its_validation(path: Path) -> None:
    root = draw(path, history=HISTORY | {"learning_rate": [0.1, 0.1, 0.01]})
    assert [node.text for node in classes(root, "name")] == ["accuracy", "loss", "learning rate"]
    assert len([c for c in classes(root, "train") if "M" in c.get("d", "")]) == 6  # 3 + legend
    assert len(classes(root, "validation")) == 4
    assert "validation 0.6" in texts(root)


def curve(root: ElementTree.Element) -> list[str]:
    """The drawn parts of the only curve, without the swatch of the legend."""
    return [node.get("d", "") for node in classes(root, "train")][:-1]


def test_values_that_are_not_finite_leave_gaps(path: Path) -> None:
    values = [math.nan, 1.0, 0.5, math.inf, 0.25, math.nan]
    parts = curve(draw(path, history={"loss": values}))
    assert len(parts) == 2
    assert parts[0].count("L") == 1
    assert parts[1].endswith("h0")
    assert "nan" not in path.read_text(encoding="utf-8").replace("train nan", "")
    assert "inf" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "values",
    [[], [0.5], [0.0, 0.0], [math.nan] * 3, [-3.0, 1e12], [1.0, 1.0 + 1e-15], [1e-9, 3e-9]],
)
def test_odd_histories_stay_inside_the_chart(path: Path, values: list[float]) -> None:
    root = draw(path, history={"loss": values})
    width, height = (float(root.get(side, "")) for side in ("width", "height"))
    for part in curve(root):
        numbers = [float(number) for number in re.findall(r"[\d.]+", part)]
        assert all(0 <= number <= max(width, height) for number in numbers)


def test_empty_everything(path: Path) -> None:
    root = draw(path, images=np.zeros((0, 8, 8)), labels=[], predictions=[], history={})
    assert "No images." in texts(root)


def test_loads_nothing_from_elsewhere(path: Path) -> None:
    draw(path)
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert "http" not in text
    assert "href" not in text


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"images": np.zeros((4, 64))}, "images"),
        ({"images": np.zeros((60, 8, 8, 3))}, "images"),
        ({"labels": LABELS[:5]}, "labels"),
        ({"predictions": np.zeros((60, 10))}, "predictions"),
    ],
)
def test_bad_shapes_are_named(path: Path, change: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        draw(path, **change)
    assert not path.exists()
