"""`losses` behind steps that are replayed: those of the last step."""

from __future__ import annotations

import numpy as np

import nkeras
from nkeras import layers, ops
from tests.replay.replays import both_ways, needs_plans, numbers, planned_kinds

pytestmark = needs_plans

X, Y = numbers(40, 4), numbers(40, 3, seed=1)


class Adding(nkeras.Layer):
    def call(self, inputs):
        self.add_loss(0.1 * ops.mean(ops.square(inputs)))
        self.add_loss([ops.max(inputs), ops.min(inputs)])
        return inputs


def stack():
    inputs, adding = layers.Input((4,)), Adding()
    dense = layers.Dense(4, kernel_regularizer="l2", activity_regularizer="l1")
    return nkeras.Model(inputs, layers.Dense(3)(adding(dense(adding(inputs)))))


def test_losses_are_those_of_the_last_step():
    def use(model):
        found, kept = [], []
        for i in range(6):
            x, y = X[4 * i : 4 * i + 4], Y[4 * i : 4 * i + 4]
            for step in (
                lambda x=x, y=y: model.train_on_batch(x, y),
                lambda x=x, y=y: model.test_on_batch(x, y),
                lambda x=x: model.predict(x, verbose=0),
            ):
                step()
                kept += model.losses
                found += [float(loss) for loss in model.losses]
        assert [float(one) for one in kept] == found  # steps do not write over them
        return found

    model = both_ways(stack, use, optimizer="adam", loss="mse")
    assert planned_kinds(model) == {"train", "test", "predict"}
    assert len(model.losses) == 8


class Twice(nkeras.Sequential):
    """Only the losses of the last call count."""

    def train_step(self, data):
        x, y = data
        first = ops.mean(self(2.0 * x))
        loss = self.compute_loss(x, y, self(x))
        return {"loss": loss + first}


def test_a_model_that_is_called_twice():
    def use(model):
        model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        return [float(loss) for loss in model.losses]

    def make():
        return Twice([layers.Input((4,)), Adding(), layers.Dense(3)])

    model = both_ways(make, use, optimizer="sgd", loss="mse")
    assert planned_kinds(model) == {"train"}
    np.testing.assert_allclose(float(model.losses[1]), X[-8:].max())
