"""Profiles: what is timed, where it is written, and that results stay the same."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

import nkeras
from nkeras import callbacks, layers
from nkeras.backend.registry import use_backend
from nkeras.callbacks.tensorboard.profiler import profiling, table
from nkeras.core import observer
from tests.callbacks.event_reader import Events

RNG = np.random.default_rng(0)
NUMBERS = RNG.integers(0, 9, (24, 4))
Y = RNG.normal(size=(24, 1)).astype("float32")


def make_model(dtype=None, **compiled):
    nkeras.utils.set_random_seed(1)
    model = nkeras.Sequential(
        [
            nkeras.Input((4,), dtype="int32"),
            layers.Embedding(9, 6, dtype=dtype, name="words"),
            layers.Flatten(name="flat", dtype=dtype),
            layers.BatchNormalization(dtype=dtype, name="norm"),
            layers.Dropout(0.3, seed=3, dtype=dtype),
            layers.Dense(1, dtype=dtype, activity_regularizer="l2", name="last"),
        ],
        name="seq",
    )
    model.compile(**{"optimizer": "adam", "loss": "mse", "metrics": ["mae"], **compiled})
    return model


def fit(model, *given):
    history = model.fit(
        NUMBERS, Y, batch_size=4, epochs=3, verbose=0, validation_split=0.2, callbacks=list(given)
    )
    return history.history


@pytest.mark.parametrize("backend", ["numba_cpu", "numpy"])
@pytest.mark.parametrize("case", ["float32", "mixed_float16", "eager"])
def test_results_are_those_of_other_steps(tmp_path, backend, case):
    dtype = case if case == "mixed_float16" else None
    compiled = {"run_eagerly": case == "eager"}
    if dtype:
        inner = nkeras.optimizers.Adam()
        compiled["optimizer"] = nkeras.optimizers.LossScaleOptimizer(inner, initial_scale=1e30)
    with use_backend(backend):
        plain = make_model(dtype, **compiled)
        expected = fit(plain)
        if dtype:
            compiled["optimizer"] = nkeras.optimizers.LossScaleOptimizer(
                nkeras.optimizers.Adam(), initial_scale=1e30
            )
        model = make_model(dtype, **compiled)
        board = callbacks.TensorBoard(tmp_path, profile_batch=(2, 9))
        assert fit(model, board) == expected
        for weight, other in zip(model.variables, plain.variables, strict=True):
            assert weight.numpy().tobytes() == other.numpy().tobytes(), weight.path
    assert observer.active() is None


def read_trace(folder):
    (path,) = (folder / "train" / "plugins" / "profile").glob("*/*.trace.json.gz")
    found = json.loads(gzip.decompress(path.read_bytes()))
    return [event for event in found["traceEvents"] if event["ph"] == "X"]


def test_trace_and_tables(tmp_path):
    model = make_model()
    fit(model, callbacks.TensorBoard(tmp_path, profile_batch="6,7"))
    spans = read_trace(tmp_path)
    assert [one["name"] for one in spans if one["cat"] == "step"] == ["step 6", "step 7"]
    by_kind = {
        kind: [one for one in spans if one["cat"] == kind]
        for kind in ("layer", "gradient", "kernel")
    }
    for name in ("seq/words", "flat", "seq/norm", "seq/last"):  # paths of weights, or names
        assert sum(one["name"] == name for one in by_kind["layer"]) == 2
    assert "gradient of seq/last" in {one["name"] for one in by_kind["gradient"]}
    primitives = {one["name"] for one in by_kind["kernel"]}
    assert {"take", "batch_norm", "batch_norm_grad", "dropout", "adam_update"} <= primitives
    # Each kernel lies inside its layer, or the way back through it, and that inside the step.
    for kernel in by_kind["kernel"]:
        layer = kernel["args"]["layer"]
        around = [one for one in spans if one["name"] in (layer, f"gradient of {layer}")]
        if layer == "outside of layers":
            around = [one for one in spans if one["cat"] == "step"]
        assert any(
            one["ts"] <= kernel["ts"]
            and kernel["ts"] + kernel["dur"] <= one["ts"] + one["dur"] + 0.001
            for one in around
        )
    takes = [one for one in by_kind["kernel"] if one["name"] == "take"]
    assert takes[0]["args"]["inputs"][0] == "float32[9, 6]"
    texts = Events(tmp_path / "train").values["text"]
    assert list(texts) == ["batch_7/primitives", "batch_7/layers"]
    ((step, text),) = texts["batch_7/layers"]
    rows = [line.split(" | ") for line in text.decode().split("\n")]
    assert step == 7
    assert {
        "| seq/words",
        "| seq/norm",
        "| seq/last",
        "| outside of layers",
        "| Python between kernels",
    } <= {row[0] for row in rows}
    shares = [float(row[-1].removesuffix(" % |")) for row in rows[2:]]
    assert abs(sum(shares) - 100) < 0.1 * len(shares)


def test_one_step_each_fit(tmp_path):
    model = make_model()
    board = callbacks.TensorBoard(tmp_path, profile_batch=2)
    fit(model, board)
    fit(model, board)
    folders = list((tmp_path / "train" / "plugins" / "profile").iterdir())
    assert len(folders) == 2
    assert len(Events(tmp_path / "train").values["text"]["batch_2/layers"]) == 2


def test_other_steps_have_their_plans(tmp_path):
    model = make_model()
    fit(model, callbacks.TensorBoard(tmp_path, profile_batch=(1, 3)))
    assert not model._plans.refusals()
    assert any(entry.replayed for entry in model._plans._entries.values())


def test_training_that_ends_before(tmp_path):
    fit(make_model(), callbacks.TensorBoard(tmp_path, profile_batch=(10, 100)))
    steps = [one["name"] for one in read_trace(tmp_path) if one["cat"] == "step"]
    assert steps[0] == "step 10"
    assert len(steps) == 3 * 5 - 9


def test_exceptions_leave_nothing_observed():
    with pytest.raises(ZeroDivisionError), profiling():
        _ = 1 / 0
    assert observer.active() is None


def test_layers_inside_layers():
    class Block(nkeras.Layer):
        def __init__(self):
            super().__init__(name="block")
            self.inside = layers.Dense(3, name="inside")

        def call(self, x):
            return nkeras.ops.tanh(self.inside(x))

    block = Block()
    x = nkeras.ops.ones((2, 3))
    block(x)
    with profiling("both ways") as profiler, nkeras.GradientTape() as tape:
        gradients = tape.gradient(block(x), block.trainable_weights)
    assert all(gradient is not None for gradient in gradients)
    kernels = {(span.name, span.layer) for span in profiler.spans if span.kind == "kernel"}
    assert ("tanh", "block") in kernels
    assert any(layer == "block/inside" for _, layer in kernels)
    assert "| block/inside | " in table(profiler.spans, "layer")


def test_a_layer_that_fails():
    class Fails(nkeras.Layer):
        def call(self, x):
            raise RuntimeError("no")

    with profiling() as profiler:
        with pytest.raises(RuntimeError, match="no"):
            Fails(name="fails")(nkeras.ops.ones((2,)))
        nkeras.ops.ones((2,)) + 1.0
    assert profiler.spans[-2].layer == "outside of layers"
    assert [span.name for span in profiler.spans if span.kind == "layer"] == ["fails"]
