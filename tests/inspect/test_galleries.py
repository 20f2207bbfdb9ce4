"""Galleries: what matplotlib is asked for, by a stand-in, and its files where it is installed."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from nkeras.visualization import (
    plot_bounding_box_gallery,
    plot_image_gallery,
    plot_segmentation_mask_gallery,
)

IMAGES = np.arange(5 * 8 * 8 * 3, dtype="uint8").reshape(5, 8, 8, 3)
BOXES = {
    "boxes": np.tile(np.array([[[1, 1, 6, 6]]], "float32"), (5, 1, 1)),
    "labels": np.zeros((5, 1), "int32"),
}
MASKS = np.arange(5 * 64).reshape(5, 8, 8, 1) % 3


class Drawn:
    """What was asked of the stand-in for pyplot."""

    def __init__(self) -> None:
        self.pyplot = MagicMock()
        self.pyplot.subplots.side_effect = self._subplots
        self.shown: list[np.ndarray] = []
        self.titles: list[str] = []
        self.grid = (0, 0)
        self.figure = MagicMock()
        self.figure.savefig.side_effect = lambda file, **options: file.write(b"a picture")

    def _subplots(self, nrows: int, ncols: int, **options: Any) -> tuple[Any, np.ndarray]:
        self.grid = (nrows, ncols)
        assert options["squeeze"] is False
        axes = np.empty((nrows, ncols), object)
        for place in np.ndindex(nrows, ncols):
            axes[place] = MagicMock()
            axes[place].imshow.side_effect = lambda image, **_: self.shown.append(image)
            axes[place].set_title.side_effect = lambda title, **_: self.titles.append(title)
        return self.figure, axes


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    found = Drawn()
    package, patches = types.ModuleType("matplotlib"), types.ModuleType("matplotlib.patches")
    vars(package)["pyplot"] = found.pyplot
    vars(patches)["Patch"] = lambda **options: options
    monkeypatch.setitem(sys.modules, "matplotlib", package)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", found.pyplot)
    monkeypatch.setitem(sys.modules, "matplotlib.patches", patches)
    return found


@pytest.mark.parametrize(
    ("options", "grid"),
    [({}, (3, 2)), ({"cols": 5}, (1, 5)), ({"rows": 5}, (5, 1)), ({"rows": 1, "cols": 2}, (1, 2))],
)
def test_grids(drawn: Drawn, options: dict[str, int], grid: tuple[int, int]) -> None:
    plot_image_gallery(IMAGES, **options)
    assert drawn.grid == grid
    assert len(drawn.shown) == min(5, grid[0] * grid[1])
    for image, given in zip(drawn.shown, IMAGES, strict=False):
        np.testing.assert_array_equal(image, given)
    drawn.pyplot.show.assert_called_once_with()
    drawn.pyplot.close.assert_called_once_with(drawn.figure)


def test_ranges_layouts_and_grey(drawn: Drawn) -> None:
    plot_image_gallery(IMAGES[:1] / 255.0 * 2 - 1, value_range=(-1, 1))
    assert np.abs(drawn.shown[0].astype(int) - IMAGES[0]).max() <= 1
    plot_image_gallery(IMAGES.transpose(0, 3, 1, 2), data_format="channels_first", show=False)
    np.testing.assert_array_equal(drawn.shown[1], IMAGES[0])
    plot_image_gallery(IMAGES[..., :1], show=False)
    assert drawn.shown[-1].shape == (8, 8)
    drawn.pyplot.show.assert_called_once_with()


def test_titles(drawn: Drawn) -> None:
    plot_image_gallery(IMAGES[:3], [0, 1, 1], np.array([1, 1, 7]), {0: "cat", 1: "dog"})
    assert drawn.titles == [
        "Label: cat  Pred: dog",
        "Label: dog  Pred: dog",
        "Label: dog  Pred: Unknown",
    ]


def test_a_file_is_written_whole(drawn: Drawn, tmp_path: Path) -> None:
    plot_image_gallery(IMAGES, path=tmp_path / "gallery.svg", dpi=90, transparent=False)
    assert (tmp_path / "gallery.svg").read_bytes() == b"a picture"
    _, options = drawn.figure.savefig.call_args
    assert options["format"] == "svg"
    assert (options["dpi"], options["transparent"]) == (90, False)
    drawn.pyplot.show.assert_not_called()
    drawn.figure.savefig.side_effect = OSError("no")
    with pytest.raises(OSError, match="no"):
        plot_image_gallery(IMAGES, path=tmp_path / "gallery.svg")
    assert (tmp_path / "gallery.svg").read_bytes() == b"a picture"


def test_boxes(drawn: Drawn) -> None:
    plot_bounding_box_gallery(
        np.zeros((5, 3, 8, 8)),
        "xyxy",
        y_true=BOXES,
        y_pred=BOXES | {"boxes": BOXES["boxes"] + 1},
        value_range=(0, 1),
        line_thickness=1,
        legend=True,
        data_format="channels_first",
    )
    np.testing.assert_array_equal(drawn.shown[0][1, 1], (0, 188, 212))
    np.testing.assert_array_equal(drawn.shown[0][7, 7], (255, 235, 59))
    np.testing.assert_array_equal(drawn.shown[0][0, 0], 0)
    handles = drawn.figure.legend.call_args.kwargs["handles"]
    assert [handle["label"] for handle in handles] == ["Ground Truth", "Prediction"]


def test_masks(drawn: Drawn) -> None:
    plot_segmentation_mask_gallery(IMAGES, 3, y_true=MASKS.astype("float32"), y_pred=MASKS * 0)
    assert drawn.grid == (5, 3)
    np.testing.assert_array_equal(drawn.shown[0], IMAGES[0])
    assert (drawn.shown[1] != drawn.shown[2]).any()
    plot_segmentation_mask_gallery(
        IMAGES.transpose(0, 3, 1, 2), 3, y_true=MASKS.transpose(0, 3, 1, 2),
        data_format="channels_first",
    )  # fmt: skip
    assert drawn.grid == (5, 2)
    np.testing.assert_array_equal(drawn.shown[16], drawn.shown[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot_image_gallery(IMAGES, path="a.png", show=True), "either `path` or `show"),
        (lambda: plot_image_gallery(IMAGES, y_pred=[0] * 5), "argument `label_map` must be a dict"),
        (lambda: plot_image_gallery(IMAGES[0]), r"rank 4 \(a batch of images\)"),
        (lambda: plot_image_gallery(IMAGES, value_range=(1, 1)), "argument `value_range` must be"),
        (
            lambda: plot_bounding_box_gallery(IMAGES, "xyxy", legend=True, legend_handles=[1]),
            "either `legend=True` or `legend_handles`",
        ),
    ],
)
def test_bad_arguments_are_named(drawn: Drawn, call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"plot_image_gallery needs .* 'nkeras\[plot\]'"):
        plot_image_gallery(IMAGES)


if importlib.util.find_spec("matplotlib") is not None:  # an extra that the tests do without

    @pytest.mark.long
    def test_matplotlib_writes_what_is_drawn(tmp_path: Path) -> None:
        import matplotlib

        matplotlib.use("Agg")
        path = tmp_path / "gallery.png"
        plot_bounding_box_gallery(
            IMAGES, "xyxy", y_true=BOXES, legend=True, class_mapping={0: "cat"}, path=path
        )
        plot_segmentation_mask_gallery(IMAGES, 3, y_true=MASKS, path=tmp_path / "masks.png")
        plot_image_gallery(IMAGES, [0] * 5, label_map={0: "cat"}, path=tmp_path / "labels.pdf")
        assert path.read_bytes()[1:4] == b"PNG"
        assert (tmp_path / "labels.pdf").read_bytes()[:4] == b"%PDF"
