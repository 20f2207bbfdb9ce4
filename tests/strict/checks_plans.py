"""Plans of numba_cuda: what is replayed has the bits of what runs as it comes.

Steps of `fit` are in `checks_steps`, with what they cost.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras.backend import registry
from nkeras.core import tree
from nkeras.core.errors import OutOfMemoryError
from nkeras_numba_cuda import memory, strict
from nkeras_numba_cuda.counting import counting
from nkeras_numba_cuda.recording import recording
from nkeras_numba_cuda.replay import arena, graphs, places
from nkeras_numba_cuda.replay.work import Again
from nkeras_numba_cuda.strict import device
from tests.harness.check_parity import call, inputs_of, make, weights_for
from tests.layers import tables
from tests.layers.case import Case
from tests.replay.replays import both_ways, numbers, planned_kinds, reasons
from tests.strict import small_models

pytestmark = pytest.mark.filterwarnings("ignore:.*argument `rms_scaling` is for old models")
X, Y = numbers(8, 5), np.arange(8) % 3


@pytest.fixture(autouse=True)
def _on_cuda() -> Iterator[None]:
    with nkeras.use_backend("numba_cuda"):
        yield


def graphs_of(plan: Any) -> list[Any]:
    """The graphs among a plan's steps."""
    return [step for step, _ in plan.steps if isinstance(step, graphs.Graph)]


def again_in(function: Any) -> list[str]:
    """The kernels that a function's plans call again."""
    steps = [step for plan in plans_of(function) for step, _ in plan.steps]
    return [step.name for step in steps if isinstance(step, Again)]


def plans_of(cache: Any) -> list[Any]:
    """The plans of a model or function."""
    return [entry.plan for entry in cache._plans._entries.values() if entry.plan]


def mlp() -> Any:
    return nkeras.Sequential(
        [layers.Dense(4, activation="relu"), layers.Dropout(0.3), layers.Dense(3)]
    )


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": lambda: nkeras.optimizers.Adam(0.1, gradient_accumulation_steps=2)},
        {"optimizer": lambda: nkeras.optimizers.LossScaleOptimizer(nkeras.optimizers.SGD(0.1))},
        {"optimizer": lambda: nkeras.optimizers.Adafactor(0.1)},
        {"optimizer": lambda: nkeras.optimizers.Nadam(0.1)},
    ],
)
def test_optimizers(options: dict[str, Any]) -> None:
    def use(model: Any) -> Any:
        model.fit(X, Y, batch_size=2, epochs=3, verbose=0)
        return []

    def loss() -> Any:
        return nkeras.losses.SparseCategoricalCrossentropy(from_logits=True)

    model = both_ways(mlp, use, loss=loss, **options)
    assert not reasons(model)
    assert planned_kinds(model) == {"train"}


def test_trainable_comes_and_goes() -> None:
    def use(model: Any) -> Any:
        for trainable in (True, False, True):
            model.layers[0].trainable = trainable
            model.compile("sgd", "mse", run_eagerly=model.run_eagerly)
            model.fit(X, X[:, :3], batch_size=2, epochs=2, verbose=0)
        return []

    assert not reasons(both_ways(mlp, use))


def test_half_types() -> None:
    """Casts are a part of the graph."""

    def make() -> Any:
        return nkeras.Sequential(
            [
                layers.Dense(4, activation="relu", dtype="mixed_bfloat16"),
                layers.LayerNormalization(dtype="mixed_bfloat16"),
                layers.Dense(3, dtype="float32"),
            ]
        )

    def use(model: Any) -> Any:
        model.fit(X, X[:, :3], batch_size=2, epochs=2, verbose=0)
        return []

    model = both_ways(make, use, optimizer="sgd", loss="mse")
    (plan,) = plans_of(model)
    assert len(graphs_of(plan)) == 1


def test_predict_evaluate_and_calls() -> None:
    """Batches of other sizes have plans of their own, in the same memory."""

    def use(model: Any) -> Any:
        found = [model.predict(X, batch_size=size, verbose=0) for size in (2, 3, 2, 3) * 2]
        found += [model.evaluate(X, Y, batch_size=2, verbose=0) for _ in range(2)]
        model.fit(X, Y, batch_size=4, epochs=4, verbose=0)
        found += [model.predict(X, batch_size=2, verbose=0)]
        return [*found, *[model(X[:2]) for _ in range(5)]]

    model = both_ways(small_models.mlp, use, optimizer="adam", loss=small_models.LOSS)
    assert not reasons(model)
    assert {"train", "test", "predict"} < planned_kinds(model)
    assert len(plans_of(model)) == 5
    assert len(model._plans._memory) == 1


def test_results_of_own_steps_wait_until_somebody_looks() -> None:
    class Own(nkeras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def train_step(self, data: Any) -> Any:
            x, y = data
            with nkeras.GradientTape() as tape:
                loss = ops.mean(ops.square(self(x) - y))
            weights = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss, "first": weights[0][0]}

    def use(model: Any) -> Any:
        kept = [model.train_on_batch(X, X[:, :3], return_dict=True) for _ in range(6)]
        return [leaf for logs in kept for leaf in logs.values()]

    model = both_ways(Own, use, optimizer="sgd")
    assert planned_kinds(model) == {"train"}
    with counting() as counts:
        logs = model._run_step("train", (X, X[:, :3]))
    assert not counts.synchronizations, str(counts)
    assert np.isfinite(float(logs["loss"]))


def test_functions_of_tensors() -> None:
    total = nkeras.Variable(np.zeros(3, "float32"))

    def step(x: Any, index: Any) -> Any:
        total.assign_add(ops.sum(x, axis=0))
        rows = ops.take(x, index, axis=0)
        sorted_rows = ops.sort(rows, axis=0)  # CuPy's
        return sorted_rows * total, ops.transpose(x), nkeras.random.uniform((2,)), total + 0.0

    found, function = [], nkeras.function(step)
    for run in (step, function):
        nkeras.utils.set_random_seed(3)
        total.assign(np.zeros(3))
        given = [(numbers(4, 3, seed=i), np.array([3, i % 4])) for i in range(7)]
        results = [run(*map(ops.convert_to_tensor, pair)) for pair in given]
        found.append([leaf.numpy().tobytes() for result in results for leaf in result])
    assert found[0] == found[1]
    assert not function.refusals()


def test_another_stream_has_a_plan_of_its_own() -> None:
    function = nkeras.function(lambda x: ops.tanh(x) * 2.0)
    x = ops.convert_to_tensor(X)
    expected = function(x).numpy()
    for _ in range(4):
        function(x)
    with device.Stream(non_blocking=True):
        for _ in range(4):
            np.testing.assert_array_equal(function(x).numpy(), expected)
    first, second = plans_of(function)
    assert first._lowering.ready() != second._lowering.ready()


def test_where_the_device_refuses_a_graph_launches_are_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: Any, mode: Any = None) -> None:
        raise RuntimeError("cudaErrorStreamCaptureUnsupported")

    monkeypatch.setattr(device.Stream, "begin_capture", refuse)
    monkeypatch.setattr(graphs, "_warned", [])
    weight = nkeras.Variable(numbers(5, 4))
    function = nkeras.function(lambda x: ops.relu(x @ weight))
    expected = np.maximum(X @ weight.numpy(), 0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = [function(ops.convert_to_tensor(X)).numpy() for _ in range(7)]
    np.testing.assert_allclose(found, [expected] * 7, rtol=1e-5)
    (message,) = [str(one.message) for one in told]
    assert "launch by launch" in message
    assert "Unsupported" in message


def test_no_memory_for_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and steps go on as they come."""
    whole = memory.empty

    def empty(shape: tuple[int, ...], dtype: Any) -> Any:
        if dtype == "uint8":
            raise MemoryError("out of memory allocating 1,024 bytes")
        return whole(shape, dtype)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "empty", empty)
        with pytest.raises(OutOfMemoryError, match="no memory for `a plan`: out of memory"):
            arena.buffer(4)
        model = mlp()
        model.compile("sgd", "mse")
        model.fit(X, X[:, :3], batch_size=2, epochs=2, verbose=0)
    (reason,) = reasons(model)
    assert "The GPU has no memory for `a plan`" in reason


def test_a_capture_refuses_what_a_device_refuses() -> None:
    x = strict.asarray(np.ones(4, "float32"))
    y = strict.empty((4,), "float32")
    stream = device.Stream(non_blocking=True)
    refused = [
        lambda: x + x,
        lambda: x.get(),
        lambda: strict.asarray(np.ones(3)),
        lambda: strict.empty((3,)),
        lambda: device.Device().synchronize(),
    ]
    with stream:
        stream.begin_capture()
        for function in refused:
            with pytest.raises(RuntimeError, match="capturing"):
                function()
        y[...] = x
        strict.add(y, x, out=y)
        graph = stream.end_capture()
    y.fill(7.0)
    graph.launch()
    np.testing.assert_array_equal(y.get(), [2.0] * 4)
    with pytest.raises(RuntimeError, match="default stream"):
        device.get_current_stream().begin_capture()


def test_updates_take_no_memory() -> None:
    """They are written over the variables that they replace."""
    model = nkeras.Sequential([layers.Dense(32), layers.Dense(32, use_bias=False)])
    model.compile("adam", "mse")
    x = numbers(2, 32)
    model.fit(x, x, batch_size=1, epochs=3, verbose=0)
    weights = 4 * 32 * (32 + 32 + 1)
    (buffer,) = model._plans._memory
    assert buffer.nbytes < 1.5 * weights  # gradients, and nothing of Adam's


# Places


@pytest.mark.parametrize("seed", range(40))
def test_reshapes_of_views_are_those_of_numpy(seed: int) -> None:
    random = np.random.default_rng(seed)
    whole = np.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6)
    seen = whole.transpose(random.permutation(4))
    if seed % 2:
        seen = seen[:, :: random.choice([-1, 1, 2])]
    shapes = [(24, -1), (-1,), (2, 3, -1), (6, -1, 2), (seen.shape[0], -1), (*seen.shape, 1)]
    shapes += [(*seen.shape[:2], -1), (-1, *seen.shape[2:])]
    for shape in shapes:
        if seen.size % abs(int(np.prod(shape))):
            continue
        queued: list[Any] = []

        def empty(shape: tuple[int, ...], dtype: Any) -> Any:
            return places.place(1 << 60, shape, dtype, None)

        with recording(lambda *call: queued.append(call), empty, places):  # noqa: B023
            found = places.place_of(strict.view_of(seen)).reshape(shape)
        expected = seen.reshape(shape)
        assert found.shape == expected.shape
        assert bool(queued) == (not np.may_share_memory(seen, expected))
        if not queued:
            np.testing.assert_array_equal(found.array().get(), expected)


def test_what_is_taken_down_is_what_is_computed() -> None:
    """Operators, casts, choices and views of places against those of arrays."""
    a, b = numbers(3, 4), numbers(4)

    def compute(module: Any, x: Any, y: Any) -> list[Any]:
        padded = module.pad(x, ((1, 0), (0, 2)), mode="constant", constant_values=3.0)
        return [
            x * y + 1.0,
            -(x - y) / 2.0,
            module.where(x > 0, x, 0.0),
            module.where(x < y, y, x),
            module.exp(np.float32(0.5) * x),
            (x * 3).astype("int32"),
            module.flip(padded, 0)[1:],
            module.zeros_like(x) + module.transpose(x, (1, 0)).reshape(3, 4),
            abs(x) >= 1.0,
            module.repeat(module.transpose(x), 2, 1),
        ]

    backend: Any = registry.active()
    expected = compute(strict, strict.asarray(a), strict.asarray(b))
    lowering = backend.lowering()
    lowering = lowering.perform(1 << 16, [1024 * i for i in range(64)], [])
    queued: list[Any] = []

    def empty(shape: tuple[int, ...], dtype: Any) -> Any:
        return lowering._arena.allocate(shape, dtype)[1]

    with recording(lambda *call: queued.append(call), empty, places):
        given = [places.place_of(strict.asarray(one)) for one in (a, b)]
        found = compute(places, *given)
    for function, *arguments in queued:
        function(*map(places.array_at, arguments))
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one.array().get(), other.get())


# Every layer

FIRST = {
    case.layer: case
    for case in reversed(tables.SHORT)
    if case.below is None and "Conv3D" not in case.layer  # slow, on the kernels of Conv2D
}


@pytest.mark.long
@pytest.mark.parametrize("case", FIRST.values(), ids=lambda case: case.layer)
def test_layers(case: Case) -> None:
    """Outputs and gradients of calls, replayed and as they come, and the state of the layer."""
    found = []
    given = inputs_of(case)
    for planned in (False, True):
        nkeras.utils.set_random_seed(3)
        one = make(case)
        call(case, one, given)
        one.set_weights(weights_for(one))

        def step(*inputs: Any, one: Any = one) -> Any:
            with nkeras.GradientTape() as tape:
                for tensor in inputs:
                    tape.watch(tensor)
                outputs = tree.flatten(call(case, one, list(inputs), training=True))
                total = sum(ops.sum(ops.square(ops.cast(y, "float32"))) for y in outputs)
            sources = [x for x in inputs if "float" in x.dtype] + one.trainable_variables
            return [*outputs, *tape.gradient(total, sources)]

        function = nkeras.function(step) if planned else step
        results: list[Any] = []
        for scale in (1.0, 0.5, -0.5, 2.0, -2.0):
            inputs = [x * scale if "float" in x.dtype else x for x in given]
            results += function(*inputs)
        found.append([*results, *one.variables])
        if planned:
            print(case.layer, function.refusals(), again_in(function))
    for one, other in zip(*found, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.numpy().tobytes() == other.numpy().tobytes()
