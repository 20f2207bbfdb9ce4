"""Each operator of the table against onnxruntime."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

import nkeras
from nkeras.models.onnx import operators
from tests.models.onnx.case import Case, expected, model_of, saved

TOPICS = sorted(path.stem for path in (Path(__file__).parent / "cases").glob("[a-z]*.py"))
CASES = [
    case
    for topic in TOPICS
    for case in importlib.import_module(f"tests.models.onnx.cases.{topic}").cases()
]


# What onnxruntime before 1.24, the last for Python 3.10, computes wrongly or not at all.
FAULTS = ("Swish-24", "noop_with_empty_axes", "'num_outputs': 4", "'SAME_UPPER', 'count_inc")
IS_OLD = tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 24)
COMPARED = [case for case in CASES if not (IS_OLD and any(one in str(case) for one in FAULTS))]


@pytest.fixture(autouse=True)
def numpy_backend():
    with nkeras.use_backend("numpy"):
        yield


def test_each_operator_has_a_case():
    assert {*operators.OPERATORS, *operators.FOLDS} == {case.operator for case in CASES}


def test_the_page_lists_each_operator():
    text = (Path(nkeras.__file__).parents[1] / "docs" / "from-onnx.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [a-z]+ \| ((?:[A-Z]\w+ ?)+)\|$", text, re.MULTILINE)
    assert {*" ".join(rows).split()} == {*operators.OPERATORS, *operators.FOLDS}


def compared(got: list[np.ndarray], want: list[np.ndarray], tolerance: float) -> None:
    assert len(got) == len(want)
    for made, right in zip(got, want, strict=True):
        assert (made.shape, made.dtype) == (right.shape, right.dtype)
        scale = max(1.0, float(np.abs(right[np.isfinite(right)], dtype=float).max(initial=0)))
        np.testing.assert_allclose(
            made.astype(float), right.astype(float), 0, tolerance * scale, equal_nan=True
        )


@pytest.mark.parametrize("case", COMPARED, ids=str)
def test_as_onnxruntime(case: Case, tmp_path: Path):
    model = case.model()
    if not case.arrays:  # known when the file is read
        model, arrays = beside_an_input(model)
    else:
        arrays = case.arrays
    want = expected(model, arrays)
    made = nkeras.models.from_onnx(saved(model, tmp_path))
    values = list(arrays.values())
    got = made(values[0] if len(values) == 1 else values)
    got = got if isinstance(got, (list, tuple)) else [got]
    compared([nkeras.ops.convert_to_numpy(value) for value in got], want, case.tolerance)
    nkeras.models.clone_model(made)


IMAGES = [
    case
    for case in COMPARED
    if any(x.dtype == "float32" and 3 <= x.ndim <= 5 for x in case.arrays.values())
]


@pytest.mark.parametrize("case", IMAGES, ids=str)
def test_of_images_that_lie_channels_last(case: Case, tmp_path: Path):
    """Behind a pooling, whose windows of one cell change nothing."""
    model = case.model()
    want = expected(model, case.arrays)
    for name, array in case.arrays.items():
        if array.dtype == "float32" and 3 <= array.ndim <= 5:
            window = [1] * (array.ndim - 2)
            pool = helper.make_node("MaxPool", [f"{name}_"], [name], kernel_shape=window)
            model.graph.node.insert(0, pool)
            next(item for item in model.graph.input if item.name == name).name += "_"
    made = nkeras.models.from_onnx(saved(model, tmp_path))
    values = list(case.arrays.values())
    got = made(values[0] if len(values) == 1 else values)
    got = got if isinstance(got, (list, tuple)) else [got]
    compared([nkeras.ops.convert_to_numpy(value) for value in got], want, case.tolerance)


WINDOWS = ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "Pad", "Resize")


def test_the_setting_of_the_layout_changes_nothing(tmp_path: Path):
    nkeras.config.set_image_data_format("channels_first")
    try:
        for case in (one for one in COMPARED if one.operator in WINDOWS and one.opset > 18):
            made = nkeras.models.from_onnx(saved(case.model(), tmp_path))
            want = expected(case.model(), case.arrays)
            got = made(next(iter(case.arrays.values())) if len(case.arrays) == 1 else case.arrays)
            compared([nkeras.ops.convert_to_numpy(got)], want, case.tolerance)
    finally:
        nkeras.config.set_image_data_format("channels_last")


def beside_an_input(model):
    """The node's result added to zeros that the model is called on."""
    graph = onnx.ModelProto()
    graph.CopyFrom(model)
    nodes = [*graph.graph.node, helper.make_node("Cast", ["y0"], ["c"], to=1)]
    nodes.append(helper.make_node("Add", ["x", "c"], ["y"]))
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in graph.graph.initializer}
    arrays = {"x": np.zeros((1, 1), "float32")}
    opset = graph.opset_import[0].version
    return model_of(nodes, arrays, ["y"], weights, opset, open_axes=()), arrays
