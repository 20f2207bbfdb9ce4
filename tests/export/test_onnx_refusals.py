"""What cannot be exported is refused by name, and the file of before is as it was."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.export.onnx import file


def dense() -> nkeras.Model:
    return nkeras.Sequential([nkeras.Input((4,)), layers.Dense(2)])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "tf_saved_model"}, ["TensorFlow", 'format="onnx"', "model.save"]),
        ({"format": "openvino"}, ["convert_model", 'format="onnx"']),
        ({"format": "litert"}, ["LiteRT", 'format="onnx"']),
        ({"format": "torch"}, ["torch", 'format="onnx"']),
        ({"format": "ONNX"}, ["argument `format`", "'ONNX'"]),
        ({"opset_version": 11}, ["`opset_version`", "[21, ", "11"]),
        ({"opset_version": True}, ["`opset_version`", "True"]),
        ({"is_static": True, "optimizations": []}, ["is_static", "optimizations"]),
        ({"input_signature": []}, ["`input_signature`", "empty"]),
        ({"input_signature": [nkeras.InputSpec(ndim=2)]}, ["`input_signature`", "shapes"]),
    ],
)
def test_arguments(options: dict[str, Any], words: list[str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="export") as error:
        dense().export(tmp_path / "m.onnx", **options)
    assert all(word in str(error.value) for word in words)
    assert len(str(error.value)) <= 400
    assert list(tmp_path.iterdir()) == []


def test_a_path_must_be_one() -> None:
    with pytest.raises(TypeError, match="`filepath` must be a path"):
        dense().export(3)  # type: ignore[arg-type]


def test_onnx_is_the_default_and_says_what_was_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dense().export(tmp_path / "m.onnx")
    assert capsys.readouterr().out.strip() == f"Saved artifact at '{tmp_path / 'm.onnx'}'."
    dense().export(tmp_path / "m.onnx", verbose=False)
    assert capsys.readouterr().out == ""


def decomposing() -> nkeras.Model:
    x = nkeras.Input((4, 4))
    return nkeras.Model(x, [nkeras.ops.qr(x)[0], nkeras.ops.svd(x)[1], nkeras.ops.exp(x)])


def sampling() -> nkeras.Model:
    class Sampling(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.seeds = nkeras.random.SeedGenerator(1)

        def call(self, x: Any) -> Any:
            return x + nkeras.random.normal(x.shape, seed=self.seeds)

    x = nkeras.Input((3,))
    return nkeras.Model(x, Sampling()(x))


def own_kernel() -> nkeras.Model:
    @nkeras.kernel(shape=lambda x: x, parallel="n")
    def doubled(n: Any, x: Any, y: Any) -> None:
        for j in range(x.shape[1]):
            y[n, j] = x[n, j] + x[n, j]

    class Doubled(layers.Layer):
        def call(self, x: Any) -> Any:
            return doubled(x)

    x = nkeras.Input((3,))
    return nkeras.Model(x, Doubled()(x))


def complex_numbers() -> nkeras.Model:
    x = nkeras.Input((3,))
    z = nkeras.ops.cast(x, "complex64")
    return nkeras.Model(x, nkeras.ops.real(z * z))


def stateful() -> nkeras.Model:
    return nkeras.Sequential([nkeras.Input(batch_shape=(2, 5, 3)), layers.LSTM(4, stateful=True)])


def looping() -> nkeras.Model:
    class Looping(layers.Layer):
        def call(self, x: Any) -> Any:
            return sum((x[:, i] for i in range(1, x.shape[1])), x[:, 0])

    x = nkeras.Input((None, 3))
    return nkeras.Model(x, Looping()(x))


class Branching(nkeras.Model):
    def call(self, x: Any) -> Any:
        return x if float(nkeras.ops.sum(x)) > 0 else -x


def branching() -> nkeras.Model:
    model = Branching()
    model(np.ones((2, 3), "float32"))
    return model


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (decomposing, ["of the model: qr, svd."]),
        (sampling, ["of the model: random_bits."]),
        (own_kernel, ["doubled (a kernel of yours)"]),
        (complex_numbers, ["of complex numbers"]),
        (stateful, ["rnn_state", "`stateful=False`"]),
        (looping, ["a loop", "InputSpec"]),
        (branching, ["Python looks at the values", "`ops.where`"]),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_models(make: Any, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"old")
    with nkeras.use_backend("numpy"):
        model = make()
        weights = [variable.numpy() for variable in model.weights]
        with pytest.raises(ValueError, match=r"Model\.export") as error:
            model.export(path)
    text = str(error.value).splitlines()[0]
    assert all(word in text for word in words)
    assert len(text) <= 400
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["m.onnx"]
    for variable, before in zip(model.weights, weights, strict=True):
        np.testing.assert_array_equal(variable.numpy(), before)


def test_a_model_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "LIMIT", 20)
    with pytest.raises(ValueError, match="more than 2 GB") as error:
        dense().export(tmp_path / "m.onnx")
    assert len(str(error.value)) <= 400
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"old")
    model = nkeras.Sequential([nkeras.Input((100,)), layers.Dense(100)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="Cannot write"):
            model.export(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["m.onnx"]


def test_without_the_package(tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["onnx"] = None
import nkeras
model = nkeras.Sequential([nkeras.Input((4,)), nkeras.layers.Dense(2)])
try:
    model.export({str(tmp_path / "m.onnx")!r})
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert "`pip install 'nkeras[onnx]'`" in done.stdout


def test_archives_of_tensorflow_are_refused_by_name() -> None:
    with pytest.raises(AttributeError, match=r"ExportArchive.*SavedModel.*model\.export"):
        nkeras.export.ExportArchive  # noqa: B018
