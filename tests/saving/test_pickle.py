"""Copies of models and of what they are made of, by `copy.deepcopy` and `pickle`."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nkeras
from nkeras import layers, losses, ops, optimizers
from nkeras.core import observer
from tests.losses import loss_cases
from tests.metrics import metric_cases

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 6)).astype("float32")
Y = RNG.normal(size=(24, 2)).astype("float32")


def by_pickle(thing):
    return pickle.loads(pickle.dumps(thing))


def by_old_pickle(thing):
    return pickle.loads(pickle.dumps(thing, 2))


WAYS = pytest.mark.parametrize("duplicate", [copy.deepcopy, by_pickle], ids=["deepcopy", "pickle"])


class Residual(nkeras.Layer):
    """A layer of the user's with layers in a list and a seed of its own."""

    def __init__(self, units):
        super().__init__()
        self.units = units
        self.inside = [layers.Dense(units, activation="relu"), layers.Dropout(0.3, seed=2)]
        self.seeds = nkeras.random.SeedGenerator(5)

    def call(self, x, training=None):
        y = x
        for layer in self.inside:
            y = layer(y)
        self.add_loss(1e-3 * ops.sum(y * y))
        noise = nkeras.random.normal(x.shape, seed=self.seeds) if training else 0.0
        return x + y + noise


class Subclassed(nkeras.Model):
    """A model of the user's."""

    def __init__(self):
        super().__init__()
        self.blocks = {"first": Residual(6), "second": Residual(6)}
        self.last = layers.Dense(2)

    def call(self, x):
        return self.last(self.blocks["second"](self.blocks["first"](x)))


class OwnStep(Subclassed):
    """A model with a training step of its own."""

    def train_step(self, data):
        x, y = data
        with nkeras.GradientTape() as tape:
            loss = own_loss(y, self(x, training=True))
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"own": ops.mean(loss)}


def own_loss(y_true, y_pred):
    return ops.mean(ops.abs(y_true - y_pred) ** 1.5, axis=-1)


def twice(x):
    return x * 2.0


def functional():
    x = nkeras.Input((6,))
    y = layers.BatchNormalization()(layers.Dense(8, activation="relu")(x))
    y = layers.Dropout(0.2)(y)
    return nkeras.Model(x, layers.Dense(2)(ops.tanh(y) * 2.0 + y))


def sequential():
    return nkeras.Sequential(
        [
            layers.Dense(
                8, activation="gelu", kernel_regularizer="l2", kernel_constraint="max_norm"
            ),
            layers.Lambda(twice),
            layers.GaussianNoise(0.1),
            layers.Dense(2),
        ]
    )


def shared():
    dense, first, second = layers.Dense(6), nkeras.Input((6,)), nkeras.Input((6,), name="second")
    x = layers.Add()([dense(first), dense(dense(second))])
    model = nkeras.Model(first, nkeras.Model([first, second], layers.Dense(2)(x))([first, first]))
    return model


def recurrent():
    x = nkeras.Input((6,))
    y = layers.Masking()(layers.Reshape((3, 2))(x))
    y = layers.Bidirectional(layers.LSTM(3, dropout=0.2, return_sequences=True))(y)
    y = layers.MultiHeadAttention(2, 3)(y, y)
    return nkeras.Model(x, layers.Dense(2)(layers.GRU(3)(layers.LayerNormalization()(y))))


def mixed():
    before = nkeras.config.dtype_policy()
    nkeras.config.set_dtype_policy("mixed_float16")
    try:
        return functional()
    finally:
        nkeras.config.set_dtype_policy(before)


def lora():
    model = functional()
    model.layers[1].enable_lora(2)
    return model


def quantized():
    model = functional()
    model.layers[1].quantize("int8")
    model.layers[1].enable_lora(2)
    return model


def adam():
    return optimizers.AdamW(
        optimizers.schedules.CosineDecay(0.01, 20), use_ema=True, gradient_accumulation_steps=2
    )


def several():
    kinds = {".*kernel": optimizers.SGD(0.01, momentum=0.9)}
    return optimizers.MultiOptimizer(optimizers.OptimizerMap(optimizers.Adam(), kinds))


def scaled():
    return optimizers.LossScaleOptimizer(optimizers.Adam(), initial_scale=1e30)


MODELS = {
    "functional": (functional, adam, own_loss),
    "sequential": (sequential, several, "mse"),
    "subclassed": (Subclassed, lambda: "adam", losses.Huber(0.5)),
    "own step": (OwnStep, lambda: "sgd", None),
    "shared": (shared, lambda: optimizers.SGD(0.01, momentum=0.9, nesterov=True), "mse"),
    "recurrent": (recurrent, lambda: "rmsprop", "mse"),
    "mixed": (mixed, scaled, "mse"),
    "lora": (lora, lambda: "adam", "mse"),
    "int8": (quantized, lambda: "adam", "mse"),
}


def make(name):
    nkeras.utils.set_random_seed(1)
    build, optimizer, loss = MODELS[name]
    model = build()
    metrics = ["mae", nkeras.metrics.RootMeanSquaredError()] if loss else None
    model.compile(optimizer(), loss, metrics=metrics)
    return model


def fit(model, epochs=2):
    nkeras.utils.set_random_seed(3)
    return model.fit(X, Y, batch_size=4, epochs=epochs, verbose=0).history


def state(model):
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return [(one.path, one.dtype, one.trainable, one.numpy().tobytes()) for one in variables]


def assert_equal(model, other):
    assert state(model) == state(other)
    mine, others = model.predict(X, verbose=0), other.predict(X, verbose=0)
    assert mine.tobytes() == others.tobytes()


@WAYS
@pytest.mark.parametrize("name", MODELS)
def test_models_go_on_as_the_original_does(name, duplicate):
    model = make(name)
    fit(model)  # with plans, and layers that hold losses of the last step
    before = state(model)
    other = duplicate(model)
    assert type(other) is type(model)
    assert other.name == model.name
    assert [layer.name for layer in other.layers] == [layer.name for layer in model.layers]
    owned = {id(one) for one in [*model.variables, *model.optimizer.variables]}
    assert not owned & {id(one) for one in [*other.variables, *other.optimizer.variables]}
    assert other._plans is not model._plans
    assert not other._plans._entries
    assert_equal(model, other)
    found = fit(other)
    assert state(model) == before
    assert fit(model) == found
    assert_equal(model, other)


@pytest.mark.parametrize("name", ["functional", "shared", "mixed"])
def test_models_without_plans_go_on(name):
    with nkeras.use_backend("numpy"):
        model = make(name)
        fit(model, epochs=1)
        for other in (copy.deepcopy(model), by_pickle(model)):
            assert_equal(model, other)
        assert fit(other, epochs=1) == fit(model, epochs=1)
        assert_equal(model, other)


@pytest.mark.parametrize("name", ["functional", "sequential", "subclassed"])
def test_models_that_have_not_been_trained(name):
    for stage in (MODELS[name][0](), make(name)):
        other = by_old_pickle(by_pickle(stage))
        assert other.built == stage.built
        assert other.get_config() == stage.get_config()
        if not stage.built:
            stage(X)
            other(X)
        other.set_weights(stage.get_weights())
        assert other.predict(X, verbose=0).tobytes() == stage.predict(X, verbose=0).tobytes()
    assert fit(other, epochs=1).keys() == {"loss", "mae", "root_mean_squared_error"}


@WAYS
def test_the_graph_of_a_copy_is_whole(duplicate):
    model = shared()
    other = duplicate(model)
    assert other.to_json() == model.to_json()
    assert nkeras.models.clone_model(other).to_json() == model.to_json()
    inner, again = model.layers[-1], other.layers[-1]
    assert again.to_json() == inner.to_json()
    dense = again.layers[2]
    assert dense.name == inner.layers[2].name
    assert len(dense._inbound_nodes) == len(inner.layers[2]._inbound_nodes) == 3
    assert again.output.node in again.layers[-1]._inbound_nodes
    further = nkeras.Model(other.input, layers.Dense(3)(other.output))
    assert further.predict(X, verbose=0).shape == (24, 3)


@WAYS
def test_a_deep_model(duplicate):
    inputs = x = nkeras.Input((2,))
    for _ in range(sys.getrecursionlimit() // 2):
        x = layers.Activation("tanh")(x) + x * 0.1
    model = nkeras.Model(inputs, layers.Dense(2)(x))
    other = duplicate(model)
    assert len(other.operations) == len(model.operations)
    assert other.get_weights()[0].tobytes() == model.get_weights()[0].tobytes()
    function = duplicate(nkeras.Function(inputs, x))
    assert len(function.operations) == len(model.operations) - 1


@WAYS
def test_a_model_of_the_end_of_another(duplicate):
    whole = functional()
    end = nkeras.Model(whole.layers[2].output, whole.output)
    given = RNG.normal(size=(3, 8)).astype("float32")
    other = duplicate(end)
    assert other.predict(given, verbose=0).tobytes() == end.predict(given, verbose=0).tobytes()


@WAYS
def test_models_that_share_layers_share_them_in_a_copy(duplicate):
    x = nkeras.Input((6,))
    middle = layers.Dense(3, name="middle")(x)
    encoder, whole = nkeras.Model(x, middle), nkeras.Model(x, layers.Dense(2)(middle))
    one, other = duplicate((encoder, whole))
    assert one.get_layer("middle") is other.get_layer("middle")
    assert len(one.get_layer("middle")._inbound_nodes) == 1
    other.compile("sgd", "mse")
    other.fit(X, Y, verbose=0)
    changed = ops.convert_to_numpy(other.get_layer("middle")(X))
    np.testing.assert_allclose(one.predict(X, verbose=0), changed, rtol=1e-5, atol=1e-6)


def test_a_layer_brings_nothing_of_its_model_along():
    x = nkeras.Input((6,))
    large = layers.Dense(20_000)(x)
    last = layers.Dense(2, name="last")
    nkeras.Model(x, last(large[:, :3]))
    for other in (copy.deepcopy(last), by_pickle(last)):
        assert other._inbound_nodes == []
        assert other.name == "last"
        assert other(np.ones((2, 3))).shape == (2, 2)
        assert other(nkeras.Input((3,))).shape == (None, 2)
        with pytest.raises(AttributeError, match="last has never been called"):
            _ = copy.deepcopy(last).output
    assert len(pickle.dumps(last)) < 10_000


def test_a_layer_holds_no_losses_of_before():
    layer = Residual(6)
    layer(X)
    assert len(layer.losses) == 1
    assert by_pickle(layer).losses == copy.deepcopy(layer).losses == []


@WAYS
def test_variables(duplicate):
    variable = nkeras.Variable(np.arange(3.0), trainable=False, name="some", dtype="bfloat16")
    other = duplicate(variable)
    other.assign_add([1.0, 1.0, 1.0])
    assert variable.numpy().tolist() == [0.0, 1.0, 2.0]
    assert other.numpy().tolist() == [1.0, 2.0, 3.0]
    assert (other.name, other.path, other.dtype, other.trainable) == (
        variable.name,
        variable.path,
        "bfloat16",
        False,
    )
    for value in (np.zeros((0, 2)), np.array(2 + 1j), np.ones((2, 2), bool)):
        again = duplicate(nkeras.Variable(value))
        assert again.numpy().tolist() == value.tolist()
        assert again.shape == value.shape


def test_an_unpickled_variable_goes_where_it_is_wanted_first():
    written = pickle.dumps(nkeras.Variable([1.0, 2.0]))
    with nkeras.use_backend("numpy"):
        variable = pickle.loads(written)
    assert variable.value.backend.name == "numba_cpu"
    with nkeras.use_backend("numpy"):
        assert variable.value.backend.name == "numpy"


@WAYS
def test_seeds_go_on(duplicate):
    seeds = nkeras.random.SeedGenerator(3)
    seeds.next()
    other = duplicate(seeds)
    assert [other.next() for _ in range(3)] == [seeds.next() for _ in range(3)]
    assert other.state._current().backend.name == "numpy"


def test_a_seed_made_in_a_step_forgets_the_step():
    made = []

    @nkeras.function
    def step(x):
        made.append(nkeras.random.SeedGenerator(1))
        return x + 1.0

    for _ in range(3):
        step(ops.ones((2,)))
    assert any(seeds.made_in is not None for seeds in made)
    assert all(by_pickle(seeds).made_in is None for seeds in made)
    assert observer.active() is None


OPTIMIZERS = sorted(
    name
    for name, cls in vars(optimizers).items()
    if inspect.isclass(cls)
    and issubclass(cls, optimizers.Optimizer)
    and name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer")
)


@WAYS
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_go_on(name, duplicate):
    with nkeras.use_backend("numpy"):
        variables = [nkeras.Variable(RNG.normal(size=(3, 2)), dtype="float32") for _ in range(2)]
        gradients = [ops.convert_to_tensor(RNG.normal(size=(3, 2)), "float32") for _ in variables]
        optimizer = getattr(optimizers, name)(learning_rate=0.1)
        optimizer.apply(gradients, variables)
        other, others = duplicate((optimizer, variables))
        for _ in range(2):
            optimizer.apply(gradients, variables)
            other.apply(gradients, others)
        pairs = [*zip(variables, others, strict=True)]
        pairs += zip(optimizer.variables, other.variables, strict=True)
        for mine, twin in pairs:
            assert twin is not mine
            assert twin.path == mine.path
            assert twin.numpy().tobytes() == mine.numpy().tobytes()
        assert other.get_config() == optimizer.get_config()


@pytest.mark.parametrize("case", metric_cases.CASES)
def test_metrics_go_on(case):
    with nkeras.use_backend("numpy"):
        metric = getattr(nkeras.metrics, case.cls)(**case.arguments)
        for inputs, weight in metric_cases.batches(case)[:2]:
            metric.update_state(*inputs, sample_weight=weight)
            for other in (copy.deepcopy(metric), by_pickle(metric)):
                np.testing.assert_array_equal(other.result(), metric.result())
                other.reset_state()
            assert by_pickle(metric).get_config() == metric.get_config()


@pytest.mark.parametrize("case", loss_cases.CASES)
def test_losses(case):
    with nkeras.use_backend("numpy"):
        loss = getattr(losses, case.cls)(**case.arguments)
        y_true, y_pred = loss_cases.inputs(case.kind)
        for other in (copy.deepcopy(loss), by_pickle(loss)):
            assert other.get_config() == loss.get_config()
            np.testing.assert_array_equal(other(y_true, y_pred), loss(y_true, y_pred))


@pytest.mark.parametrize("family", ["initializers", "regularizers", "constraints", "quantizers"])
def test_further_objects(family):
    found = 0
    for name, cls in vars(getattr(nkeras, family)).items():
        if not inspect.isclass(cls) or name[0].islower() or inspect.isabstract(cls):
            continue
        try:
            made = cls()
        except TypeError:  # it needs arguments
            continue
        found += 1
        for other in (copy.deepcopy(made), by_pickle(made)):
            if hasattr(made, "get_config"):
                assert other.get_config() == made.get_config()
            if family == "initializers" and cls is not nkeras.initializers.Initializer:
                shape = (8, 1, 5) if "STFT" in name else (4, 4)
                with nkeras.use_backend("numpy"):
                    np.testing.assert_array_equal(other(shape), made(shape))
    assert found > 1


def test_policies_and_schedules():
    things = [
        nkeras.DTypePolicy("mixed_bfloat16"),
        nkeras.dtype_policies.DTypePolicyMap(),
        optimizers.schedules.PiecewiseConstantDecay([2], [0.1, 0.01]),
        nkeras.callbacks.EarlyStopping(patience=2),
        nkeras.layers.InputSpec(ndim=2, axes={-1: 3}),
    ]
    for thing in things:
        for other in (copy.deepcopy(thing), by_pickle(thing)):
            assert type(other) is type(thing)
            assert repr(other) == repr(thing) or "object at" in repr(thing)


CHILD = """
import pickle, sys
import numpy as np
import nkeras
nkeras.set_backend(sys.argv[2])
with open(sys.argv[1], "rb") as file:
    model, x, y = pickle.load(file)
for variable in [*model.variables, *model.optimizer.variables]:
    home = variable._current() if variable.host else variable.value
    assert home.backend.name == ("numpy" if variable.host else sys.argv[2])
first = model.predict(x, verbose=0)
nkeras.utils.set_random_seed(3)
losses = model.fit(x, y, batch_size=4, verbose=0).history["loss"]
import copy
twin = copy.deepcopy(model)
assert twin.predict(x, verbose=0).tobytes() == model.predict(x, verbose=0).tobytes()
with open(sys.argv[1], "wb") as file:
    pickle.dump((model, first, losses), file)
"""


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu", "numba_cuda"])
def test_in_another_process(tmp_path, backend):
    nkeras.utils.set_random_seed(1)
    model = nkeras.Sequential(
        [
            nkeras.Input((6,)),
            layers.Dense(4, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(2),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    x, y = X[:8], Y[:8]
    model.fit(x, y, batch_size=4, verbose=0)
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps((model, x, y)))
    paths = [str(ROOT), str(ROOT / "backends"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "NUMBA_ENABLE_CUDASIM": "1" if backend == "numba_cuda" else "0",
    }
    subprocess.run(
        [sys.executable, "-c", CHILD, str(path), backend], env=environment, check=True, timeout=300
    )
    other, first, found = pickle.loads(path.read_bytes())
    np.testing.assert_allclose(first, model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    nkeras.utils.set_random_seed(3)
    losses_here = model.fit(x, y, batch_size=4, verbose=0).history["loss"]
    np.testing.assert_allclose(found, losses_here, rtol=1e-5)
    for mine, theirs in zip(model.variables, other.variables, strict=True):
        assert theirs.path == mine.path
        np.testing.assert_allclose(theirs.numpy(), mine.numpy(), rtol=1e-4, atol=1e-6)
        if backend == "numba_cpu":
            assert theirs.numpy().tobytes() == mine.numpy().tobytes()
    assert int(other.optimizer.iterations) == int(model.optimizer.iterations) == 4
    assert np.isfinite(other.fit(x, y, verbose=0).history["loss"]).all()


@WAYS
def test_copies_made_while_a_model_is_trained(duplicate):
    """As callbacks do that keep the best model."""
    copies = []

    def keep(model):
        copies.append((duplicate(model), [one.tobytes() for one in model.get_weights()]))

    model = make("functional")
    in_epoch = nkeras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: keep(model) if batch == 4 else None,
        on_epoch_end=lambda epoch, logs: keep(model),
    )
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=[in_epoch])
    assert len(copies) == 4
    for other, weights in copies:
        assert [one.tobytes() for one in other.get_weights()] == weights
        other.layers[1].trainable = False
        frozen = other.layers[1].get_weights()[0]
        other.train_on_batch(X, Y)
        assert np.array_equal(other.layers[1].get_weights()[0], frozen)
    model.fit(X, Y, verbose=0)


@nkeras.function
def planned(x):
    return ops.tanh(x) * 2.0


def test_planned_functions():
    x = ops.ones((3,))
    for _ in range(4):
        expected = planned(x)
    assert by_pickle(planned) is copy.deepcopy(planned) is planned
    local = nkeras.function(lambda x: x * 2.0)
    other = copy.deepcopy(local)
    assert other is not local
    assert other(x).numpy().tolist() == [2.0, 2.0, 2.0]
    assert planned(x).numpy().tolist() == expected.numpy().tolist()


def test_what_cannot_be_pickled_is_said_by_python():
    model = nkeras.Sequential([layers.Lambda(lambda x: x)])
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(model)
    assert copy.deepcopy(model)(X).shape == X.shape
