"""`nkeras predict`, `convert` and `inspect`."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import safetensors.numpy

import nkeras
from nkeras import layers
from nkeras.__main__ import main
from nkeras.cli import inspection
from nkeras.saving import arrays, facts
from tests.harness import oracle


def written(tmp_path: Path, model: Any, name: str = "model.keras") -> str:
    path = tmp_path / name
    model.save(path)
    return str(path)


def small() -> Any:
    return nkeras.Sequential(
        [
            nkeras.Input((4,), name="x"),
            layers.Dense(3, "relu", name="hidden"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(2, name="result"),
        ],
        name="small",
    )


def two_of_each() -> Any:
    first, second = nkeras.Input((2,), name="first"), nkeras.Input((3,), name="second")
    added = layers.Dense(2, name="left")(first) + layers.Dense(2, name="right")(second)
    return nkeras.Model(
        [first, second], [layers.ReLU(name="up")(added), layers.ReLU(name="b")(-added)]
    )


def predicted(tmp_path: Path, model: str, given: str, output: str = "y.npy", *more: str) -> int:
    words = ["predict", model, "--input", str(tmp_path / given), "--output", str(tmp_path / output)]
    return main([*words, *more])


@pytest.mark.parametrize("batch", ["3", "100"])
def test_predict(batch: str, tmp_path: Path) -> None:
    model = small()
    x = np.random.default_rng(0).normal(size=(10, 4))
    np.save(tmp_path / "x.npy", x)
    assert (
        predicted(tmp_path, written(tmp_path, model), "x.npy", "y.npy", "--batch-size", batch) == 0
    )
    y = np.load(tmp_path / "y.npy")
    assert y.dtype == "float32"
    np.testing.assert_allclose(y, model(x), atol=1e-6)
    assert sorted(os.listdir(tmp_path)) == ["model.keras", "x.npy", "y.npy"]


def test_predict_of_several_inputs_and_outputs(tmp_path: Path) -> None:
    model = two_of_each()
    x, y = np.ones((5, 2), "float32"), np.full((5, 3), 2.0, "float32")
    path = written(tmp_path, model)
    expected = model([x, y])
    np.savez_compressed(tmp_path / "named.npz", second=y, first=x)
    np.savez(tmp_path / "numbered.npz", x, y)
    for name in ("named.npz", "numbered.npz"):
        assert predicted(tmp_path, path, name, "y.npz") == 0
        with np.load(tmp_path / "y.npz") as found:
            assert set(found) == {"up", "b"}
            np.testing.assert_allclose(found["up"], expected[0], atol=1e-6)
            np.testing.assert_allclose(found["b"], expected[1], atol=1e-6)


def pickled(path: Path) -> None:
    np.save(path, np.array([object()]), allow_pickle=True)


def large(path: Path) -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 4)}
    )
    path.write_bytes(file.getvalue() + bytes(64))


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (pickled, "x.npy", "x.npy: its head is no head of an array of numbers"),
        (large, "x.npy", "x.npy: the array needs 16000000000000 bytes, the file has 64"),
        (
            lambda path: path.write_bytes(b"text"),
            "x.npy",
            "x.npy: it does not begin as an",
        ),
        (lambda path: path.write_bytes(b"text"), "x.npz", "x.npz: it is no zip archive"),
        (lambda path: path.write_bytes(b"text"), "x.csv", "must end in .npy or .npz. Received: '"),
        (lambda path: None, "x.npy", "No such file or directory: '"),
        (lambda path: np.save(path, np.array(["a"])), "x.npy", "of numbers: b\"{'descr': '<U1'"),
        (lambda path: np.savez(path, a=np.ones(4)), "x.npz", "small"),
        (lambda path: np.savez(path, np.ones(4), np.ones(4)), "x.npz", "inputs of the names ['x']"),
    ],
)
def test_what_predict_cannot_read(
    make: Any, name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / name)
    (tmp_path / "y.npy").write_bytes(b"old")
    assert predicted(tmp_path, written(tmp_path, small()), name) == 1
    error = capsys.readouterr().err
    assert error.startswith("nkeras predict: ")
    assert message in error
    assert (tmp_path / "y.npy").read_bytes() == b"old"
    assert not list(tmp_path.glob(".*"))


def test_what_predict_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "x.npz", first=np.ones((1, 2)), second=np.ones((1, 3)))
    path = written(tmp_path, two_of_each())
    assert predicted(tmp_path, path, "x.npz", "y.npy") == 1
    assert "2 arrays cannot be written as 'y.npy': the file must end in .npz" in (
        capsys.readouterr().err
    )
    assert predicted(tmp_path, path, "x.npz", "gone/y.npz") == 1
    assert "gone/y.npz" in capsys.readouterr().err
    assert predicted(tmp_path, "gone.keras", "x.npz", "y.npz") == 1
    assert "there is no file 'gone.keras'" in capsys.readouterr().err
    assert predicted(tmp_path, path, "x.npz", "y.npz", "--backend", "none") == 1
    assert "none" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["onnx", "h5"])
def test_convert_from_and_to_other_models(ending: str, tmp_path: Path) -> None:
    model = small()
    path, exported = written(tmp_path, model), str(tmp_path / f"m.{ending}")
    assert main(["convert", path, exported]) == 0
    assert main(["convert", exported, str(tmp_path / "again.keras")]) == 0
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    again = nkeras.models.load_model(tmp_path / "again.keras")
    np.testing.assert_allclose(again(x), model(x), atol=1e-6)


@pytest.mark.parametrize("dtype", ["|b1", "<i8", ">f4", "<f2", "<c8"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3, 4), (1,) * 9])
def test_arrays_of_all_kinds(dtype: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    for order in "CF":
        np.save(tmp_path / "x.npy", np.asarray(array, order=order))  # type: ignore[call-overload]
        (found,) = arrays.load(tmp_path / "x.npy").values()
        np.testing.assert_array_equal(found, array)
        assert found.dtype == np.dtype(dtype).newbyteorder("=")


def test_an_archive_that_claims_much_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        large(tmp_path / "one.npy")
        archive.write(tmp_path / "one.npy", "x.npy")
    assert predicted(tmp_path, written(tmp_path, small()), "x.npz") == 1
    assert "x.npz/x.npy: the array needs 16000000000000 bytes" in capsys.readouterr().err


def test_as_a_process_it_imports_no_other_command(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 4), "float32"))
    code = (
        "import gc, sys\nfrom nkeras.__main__ import main\n"
        "gc.disable()\nstatus = main(sys.argv[1:])\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 10_000\n"
        "others = 'bench demo doctor warmup peers'.split()\n"
        "print([name for name in others if f'nkeras.cli.{name}' in sys.modules])\nsys.exit(status)"
    )
    words = ["predict", written(tmp_path, small()), "--backend", "numpy"]
    files = ["--input", str(tmp_path / "x.npy"), "--output", str(tmp_path / "y.npy")]
    done = subprocess.run(
        [sys.executable, "-c", code, *words, *files], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def trained() -> Any:
    model = small()
    model.compile("adam", "mse")
    model.fit(np.eye(4), np.ones((4, 2)), verbose=0)
    return model


def test_convert_goes_round_with_all_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = trained()
    path = written(tmp_path, model)
    way = [path] + [str(tmp_path / name) for name in ("a.safetensors", "b.weights.json")]
    way += [str(tmp_path / name) for name in ("c.weights.h5", "d.safetensors", "e.weights.h5")]
    for source, target in pairwise(way):
        more = ["--max-shard-size", "1e-7"] if target.endswith("json") else []
        assert main(["convert", source, target, *more]) == 0
        other = small()
        other.compile("adam", "mse")
        other.optimizer.build(other.trainable_variables)
        other.load_weights(target)
        for mine, theirs in zip(model.variables, other.variables, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        for mine, theirs in zip(model.optimizer.variables, other.optimizer.variables, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert len(list(tmp_path.glob("b_*"))) > 1
    assert capsys.readouterr().err == ""
    assert "hidden/kernel" in safetensors.numpy.load_file(way[1])
    assert "layers/dense/vars/0" in safetensors.numpy.load_file(way[4])
    assert main(["convert", path, str(tmp_path / "again.keras")]) == 0
    again = nkeras.models.load_model(tmp_path / "again.keras")
    np.testing.assert_array_equal(again.optimizer.variables[2], model.optimizer.variables[2])


@oracle.requires_keras
def test_converted_files_open_in_keras(tmp_path: Path) -> None:
    names = {name: str(tmp_path / f"m.{name}") for name in ("keras", "safetensors", "weights.h5")}
    before = oracle.run(
        "model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n"
        "model.save(path); result = model.get_weights()",
        path=names["keras"],
    )
    assert main(["convert", names["keras"], names["safetensors"]]) == 0
    assert main(["convert", names["safetensors"], names["weights.h5"]]) == 0
    after = oracle.run(
        "model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n"
        "model.load_weights(path); result = model.get_weights()",
        path=names["weights.h5"],
    )
    for mine, other in zip(after, before, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_what_convert_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, small())
    weights, foreign = str(tmp_path / "w.weights.h5"), str(tmp_path / "foreign.safetensors")
    small().save_weights(weights)
    safetensors.numpy.save_file({"x": np.ones(1)}, foreign)
    for source, target, message in (
        (path, path, "is there already; --overwrite replaces it"),
        (path, str(tmp_path / "a.txt"), "The format of 'a.txt' is not known. Models end in .keras"),
        (weights, str(tmp_path / "a.keras"), "w.weights.h5 has weights alone, which are no model"),
        (weights, str(tmp_path / "a.weights.json"), "how many gigabytes may each of its files"),
        (foreign, str(tmp_path / "a.weights.h5"), "does not say where its arrays belong"),
        (str(tmp_path / "gone.keras"), str(tmp_path / "a.weights.h5"), "there is no file"),
        (str(tmp_path / "gone.weights.h5"), str(tmp_path / "a.safetensors"), "No such file"),
        (str(tmp_path / "gone.onnx"), str(tmp_path / "a.keras"), "gone.onnx"),
    ):
        assert main(["convert", source, target]) == 1
        error = capsys.readouterr().err
        assert error.startswith("nkeras convert: ")
        assert message in error
    assert set(os.listdir(tmp_path)) == {"model.keras", "w.weights.h5", "foreign.safetensors"}
    assert main(["convert", weights, str(tmp_path / "w.safetensors")]) == 0
    assert main(["convert", weights, str(tmp_path / "w.safetensors"), "--overwrite"]) == 0


def inspected(path: Any, capsys: pytest.CaptureFixture[str], *more: str) -> list[str]:
    assert main(["inspect", str(path), *more]) == 0
    return capsys.readouterr().out.splitlines()


def test_inspect_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = inspected(written(tmp_path, trained()), capsys)
    facts = dict(line.split("  ", 1) for line in lines[: lines.index("")])
    facts = {name: value.strip() for name, value in facts.items()}
    assert facts["model"] == "Sequential 'small'"
    assert facts["weights"] == "23 numbers in 4 arrays (92.00 B)"
    assert facts["state of optimizer"] == "48 numbers in 10 arrays (192.00 B)"
    assert facts["state of seeds"] == "2 numbers in 1 arrays (8.00 B)"
    assert facts["dtypes"] == "float32, int32, uint32"
    assert (facts["optimizer"], facts["loss"]) == ("Adam", "mse")
    assert facts["saved with Keras"].startswith("3.15.1, 20")
    assert facts["custom objects"] == "none"
    table = [line.split() for line in lines[lines.index("") + 2 :]]
    assert table == [
        ["x", "InputLayer", "(None,", "4)", "0", "0.00", "B"],
        ["hidden", "Dense", "(None,", "4)", "15", "60.00", "B"],
        ["drop", "Dropout", "0", "0.00", "B"],
        ["result", "Dense", "(None,", "3)", "8", "32.00", "B"],
    ]
    more = inspected(tmp_path / "model.keras", capsys, "--weights")
    assert more[: len(lines)] == lines
    assert "layers/dense/vars/0 (4, 3) float32 48.00 B" in [" ".join(r.split()) for r in more]


def test_inspect_nested_models_and_policies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(2, name="deep")], name="inner")
    outer = nkeras.Sequential(
        [
            nkeras.Input((4,)),
            layers.Dense(3, name="a", dtype="mixed_bfloat16"),
            inner,
            layers.Dense(1, name="b"),
        ],
        name="outer",
    )
    lines = inspected(written(tmp_path, outer), capsys)
    assert any(line.startswith("dtypes") and "mixed_bfloat16" in line for line in lines)
    rows = {line.split()[0]: line for line in lines[lines.index("") :] if line}
    assert rows["inner"].split()[-3] == rows["deep"].split()[-3] == "8"
    assert rows["deep"].startswith("  deep")
    assert rows["b"].split()[-3] == "3"


def test_inspect_calls_of_operations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = nkeras.Input((4,))
    model = nkeras.Model(x, nkeras.ops.reshape(layers.Dense(6)(x) + 1.0, (-1, 2, 3)))
    lines = inspected(written(tmp_path, model), capsys)
    assert any(line.split() == ["custom", "objects", "none"] for line in lines)
    assert any(line.startswith("reshape ") for line in lines)


def test_inspect_says_what_a_model_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.keras"
    written(tmp_path, small())
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["layers"] += [
        {"module": None, "class_name": "Mine", "config": {}, "registered_name": "pack>Mine"},
        {
            "module": "keras.layers",
            "class_name": "Lambda",
            "config": {
                "name": "\x1b[31m",
                "function": {"class_name": "__lambda__", "config": {"code": "4wAAAA=="}},
                "arguments": {},
            },
            "registered_name": None,
        },
    ]
    config["compile_config"] = {
        "optimizer": "sgd",
        "loss": {
            "module": "builtins",
            "class_name": "function",
            "config": "my_loss",
            "registered_name": "function",
        },
        "metrics": {"a": ["mae", {"class_name": "Mean", "module": "keras.metrics", "config": {}}]},
    }
    members["config.json"] = json.dumps(config).encode()
    members["assets/words.txt"] = b"a"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    lines = inspected(path, capsys)
    text = "\n".join(lines)
    assert "\x1b" not in text
    for start, end in (
        ("custom objects", "pack>Mine, my_loss"),
        ("code", "Lambda '\\x1b[31m': nkeras never runs code of a file"),
        ("loss", "my_loss"),
        ("metrics", "a: mae, Mean"),
        ("further members", "assets/words.txt"),
    ):
        assert any(line.startswith(start) and line.endswith(end) for line in lines), start


def test_inspect_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = trained()
    model.save_weights(tmp_path / "w.weights.h5")
    model.save_weights(tmp_path / "w.safetensors")
    model.save_weights(tmp_path / "s.weights.json", max_shard_size=1e-7)
    for name, kernel in (
        ("w.weights.h5", "layers/dense/vars/0"),
        ("w.safetensors", "small/hidden/kernel"),
        ("s.weights.json", "layers/dense/vars/0"),
    ):
        lines = inspected(tmp_path / name, capsys)
        assert lines[1].split() == ["model", "none:", "weights", "alone"]
        assert lines[2].endswith("23 numbers in 4 arrays (92.00 B)")
        assert lines[4].endswith("48 numbers in 10 arrays (192.00 B)")
        (row,) = (line for line in lines if line.startswith(f"{kernel} "))
        assert row.split() == [kernel, "(4,", "3)", "float32", "48.00", "B"]


@oracle.requires_keras
def test_inspect_files_of_keras(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(tmp_path / name) for name in ("m.keras", "m.h5", "m.weights.h5")]
    oracle.run(
        "x = keras.Input((6, 4))\n"
        "y = keras.layers.Bidirectional(keras.layers.LSTM(3), name='b')(x)\n"
        "model = keras.Model(x, keras.layers.Dense(2, name='d')(y), name='theirs')\n"
        "model.compile('adam', 'mse')\n"
        "model.save(paths[0]); model.save(paths[1]); model.save_weights(paths[2]); result = None",
        paths=paths,
    )
    for path in paths:
        lines = inspected(path, capsys)
        assert any(
            line.startswith("weights ") and "206 numbers in 8 arrays" in line for line in lines
        )
        if not path.endswith("weights.h5"):
            assert lines[1].split() == ["model", "Functional", "'theirs'"]
            assert any(
                line.startswith("custom objects") and line.endswith("none") for line in lines
            )
            rows = {line.split()[0]: line.split() for line in lines[lines.index("") :] if line}
            assert rows["b"][-3] == "192"
            assert rows["d"][-3] == "14"


def test_what_inspect_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["a"] = h5py.ExternalLink("b.h5", "/c")
    (tmp_path / "bad.keras").write_bytes(b"bad")
    (tmp_path / "bad.txt").write_bytes(b"bad")
    for name, message in (
        ("link.h5", "link.h5: 'a' is a link to elsewhere"),
        ("bad.keras", "bad.keras: it is no zip archive"),
        ("bad.txt", "The format of 'bad.txt' is not known"),
        ("gone.keras", "No such file"),
    ):
        assert main(["inspect", str(tmp_path / name)]) == 1
        error = capsys.readouterr().err
        assert error.startswith("nkeras inspect: ")
        assert message in error


def _spots(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all values in a configuration."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        yield (*way, key)
        if isinstance(inner, (dict, list)):
            yield from _spots(inner, (*way, key))


def test_inspect_reads_or_refuses_whatever_a_configuration_says(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    written(tmp_path, trained())
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = random.Random(0)
    values = (None, 1, "x", [], {}, [[]], {"class_name": 1, "config": {}}, True, 1.5, {"a": [None]})
    refused = 0
    for _ in range(40):
        config = json.loads(members["config.json"])
        for _ in range(chosen.randint(1, 3)):
            *way, last = chosen.choice(list(_spots(config)))
            inside = config
            for key in way:
                inside = inside[key]
            inside[last] = chosen.choice(values)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {**members, "config.json": json.dumps(config)}.items():
                archive.writestr(name, content)
        try:
            assert inspection.report(facts.of_file(path), with_arrays=True)
        except ValueError:
            refused += 1
    assert refused < 10


def test_inspect_an_onnx_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx: Any = pytest.importorskip("onnx")
    model = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(2, "relu", name="dense")])
    model.export(tmp_path / "a.onnx", format="onnx", verbose=False)
    lines = inspected(tmp_path / "a.onnx", capsys, "--weights")
    assert any(line.startswith("model") and "of operator set" in line for line in lines)
    assert any(line.startswith("weights") and "8 numbers in 2 arrays" in line for line in lines)
    assert any(line.split() == ["operators", "not", "known", "none"] for line in lines)
    assert any("Relu" in line for line in lines)
    helper = onnx.helper
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 3])
    nodes = [helper.make_node("Strange", [f"x{i}"], [f"x{i + 1}"], f"n{i}") for i in range(3)]
    nodes[0].input[0] = "x"
    out = helper.make_tensor_value_info("x3", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "odd", [value], [out])
    onnx.save(helper.make_model(graph, ir_version=10), tmp_path / "b.onnx")
    lines = inspected(tmp_path / "b.onnx", capsys)
    assert any(line.split() == ["operators", "not", "known", "Strange"] for line in lines)
    assert any(line.split()[:2] == ["n0", "Strange"] and "(batch, 3)" in line for line in lines)


def test_many_unknown_operators_of_an_onnx_file(tmp_path: Path) -> None:
    onnx: Any = pytest.importorskip("onnx")
    helper = onnx.helper
    names = [f"AnOperatorOfALongName{i}" for i in range(60)]
    nodes = [helper.make_node(name, [f"x{i}"], [f"x{i + 1}"]) for i, name in enumerate(names)]
    value, out = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [3]) for name in ("x0", "x60")
    )
    graph = helper.make_graph(nodes, "odd", [value], [out])
    onnx.save(helper.make_model(graph, ir_version=10), tmp_path / "a.onnx")
    with pytest.raises(ValueError, match=r"does not know 60 operators .*Name0, ") as error:
        nkeras.models.from_onnx(tmp_path / "a.onnx")
    assert len(str(error.value)) <= 400
