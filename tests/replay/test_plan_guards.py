"""A plan depends on what its step met; what comes and goes, such as `trainable`, is in its key."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras import layers
from nkeras.replay import cache
from tests.replay.replays import both_ways, needs_plans, numbers

pytestmark = needs_plans


def stack(*more):
    return nkeras.Sequential([nkeras.Input((4,)), *more])


def recordings(model):
    """How often steps of a model have been recorded."""
    return model._plans._spent


def replays(model):
    return model._plans._earned


def test_a_layer_elsewhere_may_count():
    class Counts(nkeras.Layer):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def call(self, inputs):
            self.calls += 1
            return inputs

    counts, model = Counts(), stack(layers.Dense(3))
    for _ in range(5):
        model.predict(numbers(2, 4), verbose=0)
    before = recordings(model), replays(model)
    for _ in range(5):
        counts(numbers(2, 4))
        model.predict(numbers(2, 4), verbose=0)
    assert (recordings(model), replays(model)) == (before[0], before[1] + 5)


def test_objects_inside_a_model_still_count():
    def use(model):
        x, y = numbers(8, 4), numbers(8, 3, seed=1)
        found = []
        for step in range(12):
            found.append(model.train_on_batch(x, y))
            if step == 5:
                model.layers[0].kernel.regularizer.l2 = np.float32(0.5)
            if step == 8:
                model.layers[0].kernel.constraint.max_value = 0.1
        return found

    def make():
        return stack(
            layers.Dense(3, kernel_regularizer="l2", kernel_constraint=nkeras.constraints.MaxNorm())
        )

    both_ways(make, use, optimizer=lambda: nkeras.optimizers.SGD(0.1), loss="mse")


class Adversaries:
    """A discriminator that is frozen while the generator in front of it is trained."""

    def __init__(self, eagerly):
        nkeras.utils.set_random_seed(1)
        self.discriminator = stack(layers.Dense(5, activation="relu"), layers.Dense(1))
        self.generator = stack(layers.Dense(4), layers.BatchNormalization())
        self.both = nkeras.Sequential([self.generator, self.discriminator])
        for model in (self.discriminator, self.both):
            model.compile("adam", "mse", run_eagerly=eagerly)

    def train(self, steps):
        found = []
        for step in range(steps):
            x = numbers(8, 4, seed=step)
            self.discriminator.trainable = True
            found.append(self.discriminator.train_on_batch(x, np.ones((8, 1))))
            self.discriminator.trainable = False
            found.append(self.both.train_on_batch(x, np.ones((8, 1))))
        return found


def test_freezing_and_thawing_around_steps_keeps_plans():
    eager, planned = Adversaries(eagerly=True), Adversaries(eagerly=False)
    np.testing.assert_array_equal(planned.train(6), eager.train(6))
    models = planned.discriminator, planned.both
    before = [(recordings(model), replays(model)) for model in models]
    np.testing.assert_array_equal(planned.train(5), eager.train(5))
    after = [(recordings(model), replays(model)) for model in models]
    assert after == [(recorded, replayed + 5) for recorded, replayed in before]
    for weight, other in zip(planned.both.weights, eager.both.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), other.numpy())


def test_both_states_of_trainable_have_a_plan():
    def use(model):
        x, y = numbers(8, 4), numbers(8, 3, seed=1)
        found = []
        for step in range(20):
            model.layers[0].trainable = step % 2 == 0
            found.append(model.train_on_batch(x, y))
        return found

    model = both_ways(
        lambda: stack(layers.Dense(6), layers.Dense(3)),
        use,
        optimizer=lambda: nkeras.optimizers.SGD(0.1),
        loss="mse",
    )
    assert sum(entry.plan is not None for entry in model._plans._entries.values()) == 2
    assert replays(model) > 8


def test_a_step_that_switches_runs_as_it_comes():
    def use(model):
        found = []
        for _ in range(8):
            found.append(model.train_on_batch(numbers(8, 4), numbers(8, 3, seed=1)))
            model.layers[0].trainable = True
        return found

    class Freezes(nkeras.Sequential):
        def train_step(self, data):
            self.layers[0].trainable = False
            return super().train_step(data)

    def make():
        return Freezes([nkeras.Input((4,)), layers.Dense(6), layers.Dense(3)])

    model = both_ways(make, use, optimizer=lambda: nkeras.optimizers.SGD(0.1), loss="mse")
    assert not replays(model)


def test_plans_of_two_backends_live_side_by_side():
    model = stack(layers.Dense(3))
    for _ in range(5):
        model.predict(numbers(2, 4), verbose=0)
    before = recordings(model)
    for _ in range(3):
        with nkeras.use_backend("numpy"):
            expected = model.predict(numbers(2, 4), verbose=0)
        np.testing.assert_allclose(model.predict(numbers(2, 4), verbose=0), expected, rtol=1e-5)
    assert replays(model) >= 3
    assert recordings(model) <= before + 2 + cache.COST


def test_plans_for_each_number_of_threads_live_side_by_side():
    threads = pytest.importorskip("nkeras_numba_cpu.threads")
    before = threads.get_num_threads()

    def use(model):
        found = []
        for step in range(24):
            threads.set_num_threads(1 + step % min(2, threads.limit()))
            found.append(model.train_on_batch(numbers(8, 4), numbers(8, 3, seed=1)))
        return found

    try:
        model = both_ways(lambda: stack(layers.Dense(3)), use, optimizer="sgd", loss="mse")
    finally:
        threads.set_num_threads(before)
    assert replays(model) >= 24 - 2 * 4


def test_plans_with_and_without_loss_scale_live_side_by_side():
    def use(model):
        found = []
        for step in range(24):
            model.optimizer.loss_scale_factor = 1024.0 if step % 2 else None
            found.append(model.train_on_batch(numbers(8, 4), numbers(8, 3, seed=1)))
        return found

    model = both_ways(lambda: stack(layers.Dense(3)), use, optimizer="sgd", loss="mse")
    assert replays(model) >= 24 - 2 * 4
