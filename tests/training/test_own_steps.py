"""Steps that users write themselves are replayed, and give what they give as they come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from tests.replay.replays import both_ways, needs_plans, numbers, planned_kinds, reasons
from tests.training.same_code import agree

pytestmark = needs_plans

X, Y = numbers(40, 4), np.random.default_rng(0).integers(0, 3, 40)


@pytest.fixture(autouse=True)
def _backend():
    with nkeras.use_backend("numba_cpu"):
        yield


class Base(nkeras.Model):
    def __init__(self):
        super().__init__()
        self.dropout = layers.Dropout(0.25, seed=4)
        self.dense = layers.Dense(3, "softmax")

    def call(self, inputs, training=None):
        return self.dense(self.dropout(inputs, training=training))


class OwnTraining(Base):
    def train_step(self, data):
        x, y = data
        with nkeras.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
        variables = self.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return self.update(loss, y, y_pred)

    def update(self, loss, y, y_pred):
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


class OwnEvaluation(OwnTraining):
    def test_step(self, data):
        x, y = data
        y_pred = self(x, training=False)
        return self.update(self.compute_loss(y=y, y_pred=y_pred), y, y_pred)


class OwnMetrics(Base):
    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        found = super().compute_metrics(x, y, y_pred, sample_weight)
        return {**found, "mean": ops.mean(y_pred[:, 0])}


class OwnLoss(Base):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        return 2.0 * loss + ops.mean(ops.square(y_pred))


class OwnPrediction(Base):
    def predict_step(self, data):
        return {"classes": ops.argmax(super().predict_step(data), axis=-1), "name": "digit"}


def everything(model):
    """Results of training, evaluation and single batches, as one list."""
    history = model.fit(X, Y, batch_size=8, epochs=4, validation_data=(X, Y), verbose=0).history
    found = [value for values in history.values() for value in values]
    for i in range(0, 40, 8):
        found += model.train_on_batch(X[i : i + 8], Y[i : i + 8])
        found += model.test_on_batch(X[i : i + 8], Y[i : i + 8])
    return found


@pytest.mark.parametrize("make", [OwnTraining, OwnEvaluation, OwnMetrics, OwnLoss])
def test_own_steps_are_planned(make):
    compiled = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy"}
    model = both_ways(make, everything, metrics=lambda: ["accuracy"], **compiled)
    assert planned_kinds(model) == {"train", "test"}
    assert not reasons(model)


def test_own_prediction_is_planned():
    model = OwnPrediction()
    found = [model.predict(X[:8], verbose=0) for _ in range(6)]
    assert planned_kinds(model) == {"predict"}
    for item in found:
        np.testing.assert_array_equal(item["classes"], found[0]["classes"])
        assert item["name"] == "digit"


class Adversaries(nkeras.Model):
    """Two models with an optimizer each, noise, and results that no metric keeps."""

    def __init__(self):
        super().__init__()
        self.seeds = nkeras.random.SeedGenerator(7)
        self.critic = nkeras.Sequential([layers.Input((4,)), layers.Dense(6, "relu"), Logit()])
        self.artist = nkeras.Sequential([layers.Input((2,)), layers.Dense(4)])
        self.losses_of = nkeras.losses.BinaryCrossentropy(from_logits=True)

    def compile(self, critic_optimizer, artist_optimizer, **more):
        super().compile(**more)
        self.critic_optimizer = critic_optimizer
        self.artist_optimizer = artist_optimizer

    def noise(self, like):
        return nkeras.random.normal((like.shape[0], 2), seed=self.seeds)

    def train_step(self, real):
        fake = self.artist(self.noise(real))
        truth = ops.concatenate([ops.ones((real.shape[0], 1)), ops.zeros((real.shape[0], 1))])
        with nkeras.GradientTape() as tape:
            critic_loss = self.losses_of(truth, self.critic(ops.concatenate([real, fake])))
        weights = self.critic.trainable_variables
        self.critic_optimizer.apply(tape.gradient(critic_loss, weights), weights)
        noise = self.noise(real)
        with nkeras.GradientTape() as tape:
            judged = self.critic(self.artist(noise))
            artist_loss = self.losses_of(ops.ones((real.shape[0], 1)), judged)
        weights = self.artist.trainable_variables
        self.artist_optimizer.apply(tape.gradient(artist_loss, weights), weights)
        return {"critic": critic_loss, "artist": artist_loss}


class Logit(layers.Dense):
    def __init__(self):
        super().__init__(1)


def test_two_optimizers_in_one_step():
    def use(model):
        history = model.fit(X, batch_size=8, epochs=4, verbose=0).history
        variables = [*model.critic_optimizer.variables, *model.artist_optimizer.variables]
        return [
            *history["critic"],
            *history["artist"],
            *(variable.numpy() for variable in variables),
        ]

    model = both_ways(
        Adversaries,
        use,
        critic_optimizer=lambda: nkeras.optimizers.Adam(0.01),
        artist_optimizer=lambda: nkeras.optimizers.RMSprop(0.02),
    )
    assert planned_kinds(model) == {"train"}


def test_results_of_an_earlier_step_stay():
    model = OwnMetrics()
    model.compile("sgd", "sparse_categorical_crossentropy")
    seen: list[tuple[Any, float]] = []

    class Keep(nkeras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            mean = model._run_step("test", (X[:8], Y[:8]))["mean"]
            seen.append((mean, float(mean)))

    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[Keep()])
    assert "test" in planned_kinds(model)
    assert len({value for _, value in seen}) == len(seen)
    assert [float(tensor) for tensor, _ in seen] == [value for _, value in seen]


def test_a_step_that_looks_at_its_loss_runs_as_it_comes():
    class Looking(OwnTraining):
        def update(self, loss, y, y_pred):
            return {"loss": float(loss), "halved": float(loss) / 2}

    def use(model):
        return model.fit(X, Y, batch_size=8, epochs=2, verbose=0).history["halved"]

    model = both_ways(Looking, use, optimizer="sgd", loss="sparse_categorical_crossentropy")
    assert "Python looks at the values of a tensor" in reasons(model)


COUNTERS = {
    "number": lambda model: setattr(model, "steps", model.steps + 1),
    "list": lambda model: model.counts.__setitem__(0, model.counts[0] + 1),
    "dict": lambda model: model.state["inner"].append(0.0),
    "array": lambda model: np.add(model.array, 1, out=model.array),
}


@pytest.mark.parametrize("counter", COUNTERS)
def test_a_step_that_counts_in_the_model_runs_as_it_comes(counter):
    class Counting(OwnTraining):
        def __init__(self):
            super().__init__()
            self.steps, self.counts, self.state = 0, [0], {"inner": []}
            self.array = np.zeros(2)

        def train_step(self, data):
            COUNTERS[counter](self)
            found = super().train_step(data)
            total = self.steps + self.counts[0] + len(self.state["inner"]) + self.array[0]
            return {**found, "late": ops.zeros(()) if total < 8 else ops.ones(())}

    def use(model):
        return model.fit(X, Y, batch_size=8, epochs=4, verbose=0).history["late"]

    model = both_ways(Counting, use, optimizer="sgd", loss="sparse_categorical_crossentropy")
    assert not planned_kinds(model)


CODE = """
class Own(keras.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight)
        return loss + 0.5 * ops.mean(ops.square(y_pred))

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        found = super().compute_metrics(x, y, y_pred, sample_weight)
        return {**found, "largest": ops.max(y_pred)}

dense = keras.layers.Dense(3)
model = Own([keras.Input((4,)), dense])
dense.set_weights([kernel, np.zeros(3, "float32")])
model.compile("sgd", "mse", metrics=["mae"])
history = model.fit(x, y, batch_size=8, epochs=4, shuffle=False, verbose=0)
result = history.history, model.evaluate(x, y, verbose=0), model.get_weights()
"""


def test_own_loss_and_metrics_are_those_of_keras(oracle):
    agree(oracle, CODE, x=X, y=numbers(40, 3, seed=1), kernel=numbers(4, 3, seed=2))


class CountingInside(nkeras.Layer):
    """Counts in a list, and goes another way later."""

    def __init__(self):
        super().__init__()
        self.calls = [0]

    def call(self, inputs):
        self.calls[0] += 1
        return inputs * 2.0 if self.calls[0] > 6 else inputs


def test_a_layer_that_counts_in_a_list_runs_as_it_comes():
    def use(model):
        return [model.predict(X[:2], verbose=0) for _ in range(12)]

    model = both_ways(lambda: nkeras.Sequential([layers.Input((4,)), CountingInside()]), use)
    assert not planned_kinds(model)
    assert "a layer" in reasons(model)[0]


class StepOfKeras2(nkeras.Sequential):
    def train_step(self, data):
        x, y, weight = data
        with nkeras.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compiled_loss(y, y_pred, weight, regularization_losses=self.losses)
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        self.compiled_metrics.update_state(y, y_pred, sample_weight=weight)
        return {metric.name: metric.result() for metric in self.metrics}


def test_a_step_of_keras_2_does_what_ours_does():
    def history(make, backend):
        with nkeras.use_backend(backend):
            nkeras.utils.set_random_seed(3)
            model = make([nkeras.Input((4,)), layers.Dense(3, kernel_regularizer="l2")])
            model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
            weights = np.linspace(0.5, 1.5, 40)
            return model.fit(
                X, Y, sample_weight=weights, epochs=2, batch_size=10, verbose=0
            ).history

    for backend in ("numpy", "numba_cpu"):
        with pytest.warns(UserWarning, match=r"`model.compiled_(loss|metrics)` is deprecated"):
            found = history(StepOfKeras2, backend)
        assert found == history(nkeras.Sequential, backend)


def test_a_step_may_hand_on_batches_that_call_does_not_take():
    """Triplets of a siamese network, whose `call` takes all three as its inputs."""
    inputs = [nkeras.Input((4,)) for _ in range(3)]
    dense = layers.Dense(2)
    anchor, near, far = map(dense, inputs)
    network = nkeras.Model(inputs, [ops.square(anchor - near), ops.square(anchor - far)])

    class Siamese(nkeras.Model):
        def __init__(self):
            super().__init__()
            self.network = network

        def call(self, inputs):
            return self.network(inputs)

        def train_step(self, data):
            with nkeras.GradientTape() as tape:
                near, far = self.network(data)
                loss = ops.mean(ops.maximum(near - far + 0.5, 0.0))
            weights = self.network.trainable_weights
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return {"loss": loss}

    model = Siamese()
    model.compile("sgd")
    before = dense.get_weights()
    history = model.fit(iter([(X[:20], X[20:], X[5:25])] * 3), verbose=0).history
    assert history["loss"][0] > 0
    assert not np.array_equal(before[0], dense.get_weights()[0])
