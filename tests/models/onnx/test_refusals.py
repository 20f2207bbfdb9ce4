"""Files that are damaged, too new, or want what a file must not have."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import nkeras
from nkeras.models.onnx import wire
from tests.models.onnx.case import floats, model_of, saved

node = helper.make_node


def plain(*nodes: onnx.NodeProto, **weights: np.ndarray) -> onnx.ModelProto:
    """A model from x to y, by default with a product between."""
    nodes = nodes or (node("MatMul", ["x", "w"], ["y"], "product"),)
    return model_of(list(nodes), {"x": floats(2, 4)}, ["y"], weights or {"w": floats(4, 3)})


def refused(path: Path, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        nkeras.models.from_onnx(path)
    message = str(caught.value)
    assert message.startswith("from_onnx: ")
    assert message.count("\n") < 3
    assert len(message) <= 400


def changed(change: Callable[[Any], object]) -> onnx.ModelProto:
    model = plain()
    change(model)
    return model


def external(location: str, **entries: int) -> Callable[[Any], None]:
    """The weights of a model in another file."""

    def change(model: Any) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            tensor.external_data.add(key=key, value=str(value))

    return change


def dims(*sizes: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(sizes)

    return change


def sparse(model: Any) -> None:
    model.graph.sparse_initializer.add()


CHANGES = {
    "older opset": (lambda m: setattr(m.opset_import[0], "version", 6), "operator set \\[6\\]"),
    "newer opset": (lambda m: setattr(m.opset_import[0], "version", 99), "operator set \\[99\\]"),
    "no opset": (lambda m: m.ClearField("opset_import"), "operator set \\[\\]"),
    "newer format": (lambda m: setattr(m, "ir_version", 99), "format version 99"),
    "huge shape": (dims(2**40, 2**20), "needs 4,611,686,018,427,387,904 bytes, the file has 48"),
    "negative shape": (dims(-4, -3), "impossible shape"),
    "smaller shape": (dims(2, 3), "needs 24 bytes, the file has 48"),
    "many axes": (dims(*[1] * 40), "impossible shape"),
    "texts": (lambda m: setattr(m.graph.initializer[0], "data_type", 8), "dtype number 8"),
    "two weights": (lambda m: m.graph.initializer.append(m.graph.initializer[0]), "two init"),
    "sparse": (sparse, "sparse"),
    "no outputs": (lambda m: m.graph.ClearField("output"), "no inputs or no outputs"),
    "twice": (lambda m: m.graph.node.append(m.graph.node[0]), "two nodes make the tensor 'y'"),
    "nothing makes": (lambda m: m.graph.node[0].input.__setitem__(0, "z"), "makes the tensor 'z'"),
    "circle": (lambda m: m.graph.node[0].input.__setitem__(0, "y"), "a circle"),
    "input of numbers": (
        lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[1], "dim_value", 5),
        "has 5 features",
    ),
    "absolute": (external("/etc/hostname"), "without '\\.\\.'"),
    "up": (external("../x.bin"), "without '\\.\\.'"),
    "up inside": (external("a/../../x.bin"), "without '\\.\\.'"),
    "drive": (external("C:\\x.bin"), "without '\\.\\.'"),
    "nowhere": (external(""), "without '\\.\\.'"),
    "not there": (external("missing.bin"), "No such file"),
    "folder": (external("."), "without|no ordinary file|cannot be read"),
    "link": (external("link.bin"), "symbolic link"),
    "link of a folder": (external("folder/weights.bin"), "symbolic link"),
    "pipe": (external("pipe"), "no ordinary file|cannot be read"),
    "short": (external("weights.bin", offset=8), "ends at byte 56, but"),
    "other length": (external("weights.bin", length=40), "has 40 bytes, its shape needs 48"),
    "no number": (external("weights.bin", offset=-1), "no number"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_files(name: str, tmp_path: Path):
    (tmp_path / "weights.bin").write_bytes(bytes(48))
    (tmp_path / "link.bin").symlink_to(tmp_path / "weights.bin")
    (tmp_path / "folder").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    change, words = CHANGES[name]
    refused(saved(changed(change), tmp_path), words)


def test_parts_of_a_file_that_overlap(tmp_path: Path):
    model = plain(
        node("Gemm", ["x", "a"], ["y"]),
        node("Gemm", ["y", "b"], ["z"]),
        a=floats(4, 4),
        b=floats(4, 4),
    )
    model.graph.output[0].name = "z"
    (tmp_path / "all.bin").write_bytes(bytes(100))
    for place, tensor in enumerate(model.graph.initializer):
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="all.bin")
        tensor.external_data.add(key="offset", value=str(8 * place))
    refused(saved(model, tmp_path), "overlaps")


NODES = {
    "constant of a huge shape": (
        [node("ConstantOfShape", ["n"], ["c"]), node("Add", ["x", "c"], ["y"])],
        {"n": np.array([2**20, 2**20])},
        "more than",
    ),
    "expanded to a huge shape": (
        [node("Expand", ["x", "n"], ["y"])],
        {"n": np.array([2**30, 1, 1])},
        "more than",
    ),
    "joined again and again": (
        [
            *(node("Concat", [f"a{i}"] * 2, [f"a{i + 1}"], axis=0) for i in range(60)),
            node("Gather", ["a60", "zero"], ["b"]),
            node("Mul", ["x", "b"], ["y"]),
        ],
        {"a0": np.ones(64, "int64"), "zero": np.array(0)},
        "more than",
    ),
    "a range without end": (
        [node("Range", ["a", "b", "c"], ["r"]), node("Add", ["x", "r"], ["y"])],
        {"a": np.array(0.0, "f4"), "b": np.array(1e30, "f4"), "c": np.array(1e-3, "f4")},
        "more than",
    ),
    "wide margins": (
        [node("Pad", ["x", "p"], ["y"], mode="edge")],
        {"p": np.array([0, 0, 0, 2**40])},
        "larger than any image",
    ),
    "an attribute of another kind": (
        [node("Softmax", ["x"], ["y"], axis="last")],
        {},
        "`axis` must be an int",
    ),
    "an axis that is not there": ([node("Softmax", ["x"], ["y"], axis=7)], {}, "no axis 7"),
    "weights that are computed": (
        [node("ConvTranspose", ["i", "x"], ["y"]), node("Unsqueeze", ["x", "a"], ["i"])],
        {"a": np.array([0])},
        "must be known",
    ),
    "no input": ([node("Relu", [""], ["y"])], {}, "input 0 is missing"),
    "shapes that do not fit": ([node("Add", ["x", "w"], ["y"])], {"w": floats(3)}, "broadcast"),
    "an output that is no tensor of the inputs": (
        [node("Identity", ["w"], ["y"])],
        {"w": floats(3)},
        "does not depend",
    ),
    "an output that is not computed": (
        [
            node("MaxPool", ["i"], ["z", "y"], kernel_shape=[2]),
            node("Unsqueeze", ["x", "a"], ["i"]),
        ],
        {"a": np.array([0])},
        "places of the maxima",
    ),
    "control flow": (
        [node("Loop", ["", "b"], ["y"], "turns"), node("Cast", ["x"], ["b"], to=9)],
        {},
        "1 operators of the file: Loop \\(turns\\)",
    ),
    "a condition that is computed": (
        [node("If", ["b"], ["y"], "choice"), node("Cast", ["x"], ["b"], to=9)],
        {},
        "condition is computed",
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_nodes(name: str, tmp_path: Path):
    nodes, weights, words = NODES[name]
    weights = {"unused": floats(1), **weights}
    refused(saved(plain(*nodes, **weights), tmp_path), words)


def test_all_unknown_operators_are_listed_with_their_nodes(tmp_path: Path):
    model = plain(
        node("Foo", ["x"], ["a"], "first"),
        node("Foo", ["a"], ["b"], "second"),
        node("Bar", ["b"], ["c"], "third", domain="com.somebody"),
        node("Relu", ["c"], ["y"]),
    )
    refused(saved(model, tmp_path), "2 operators .* Foo \\(first, second\\); com.somebody.Bar")


def test_truncated_files(tmp_path: Path):
    whole = plain().SerializeToString()
    for length in range(0, len(whole), 3):
        (tmp_path / "model.onnx").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="from_onnx: "):
            nkeras.models.from_onnx(tmp_path / "model.onnx")


def test_changed_bytes_are_refused_or_read(tmp_path: Path):
    model = plain(
        node("Reshape", ["x", "s"], ["a"]),
        node("Conv", ["a", "w"], ["b"], pads=[1, 1, 1, 1]),
        node("Slice", ["b", "i", "j"], ["c"]),
        node("Relu", ["c"], ["y"]),
        s=np.array([0, 1, 2, 2]),
        w=floats(2, 1, 3, 3),
        i=np.array([0, 0]),
        j=np.array([1, 1]),
    )
    whole = model.SerializeToString()
    random = np.random.default_rng(3)
    for _ in range(300):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), 2):
            damaged[place] = random.integers(0, 256)
        (tmp_path / "model.onnx").write_bytes(damaged)
        with suppress(ValueError):
            nkeras.models.from_onnx(tmp_path / "model.onnx")


def test_more_parts_than_any_model_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "model.onnx"
    monkeypatch.setattr(wire, "MOST_MESSAGES", 10_000)
    nodes = b"\x0a\x00" * 10_001  # each of two bytes, in memory of a hundred
    size, length = len(nodes), b""
    while size:
        length += bytes([size & 127 | (128 if size > 127 else 0)])
        size >>= 7
    path.write_bytes(b"\x3a" + length + nodes)
    refused(path, "more parts than any model needs")
    with monkeypatch.context() as patch:
        patch.setattr(wire, "MOST_DEPTH", 3)
        refused(saved(plain(), tmp_path), "nests more than 3")
    monkeypatch.setattr(wire, "MOST_PACKED", 3)
    packed = plain()
    packed.graph.initializer.append(numpy_helper.from_array(floats(2), "more"))
    packed.graph.initializer[1].int64_data.extend([1, 2, 3, 4])
    refused(saved(packed, tmp_path), "more parts")


def test_texts_that_are_no_utf8_are_read(tmp_path: Path):
    whole = plain(node("Relu", ["x"], ["y"], "ABCD")).SerializeToString()
    path = tmp_path / "model.onnx"
    path.write_bytes(whole.replace(b"ABCD", b"A\xff\xfeD"))
    assert [layer.name for layer in nkeras.models.from_onnx(path).layers] == ["x", "A_xff_xfeD"]
    path.write_bytes(whole.replace(b"Relu", b"R\xfflu"))
    refused(path, "1 operators .* R.xfflu")


def test_what_is_no_file(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        nkeras.models.from_onnx(tmp_path / "missing.onnx")
    with pytest.raises(IsADirectoryError):
        nkeras.models.from_onnx(tmp_path)
    with pytest.raises(ValueError, match="`input_shapes` must be a dict"):
        nkeras.models.from_onnx(tmp_path / "missing.onnx", (1, 2))


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = saved(plain(), tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'nkeras\[onnx\]'"):
        nkeras.models.from_onnx(path)
