"""What once made steps that are replayed differ from steps that run as they come."""

import contextvars
import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras.replay import cache as plans
from tests.replay.replays import both_ways, needs_plans, numbers, reasons

pytestmark = needs_plans


def is_symbolic(tensor):
    return isinstance(tensor, nkeras.KerasTensor)


def stack(*hidden):
    return nkeras.Sequential([layers.Input((4,)), *hidden])


def predict_often(model, times=6):
    return [model.predict(numbers(2, 4, seed=i), verbose=0) for i in range(times)]


def fit(model):
    x = numbers(40, 4)
    return model.fit(x, x[:, :1], batch_size=8, epochs=3, verbose=0).history["loss"]


def has_plan(model):
    return any(entry.plan for entry in model._plans._entries.values())


class Noise(nkeras.Layer):
    """Asks its generator for a seed and hands that on, as layers of users do."""

    def __init__(self):
        super().__init__()
        self.seeds = nkeras.random.SeedGenerator(1)

    def call(self, inputs):
        if is_symbolic(inputs):
            return inputs
        return inputs + nkeras.random.normal(inputs.shape, seed=self.seeds.next())


def test_a_seed_that_next_gave_is_planned():
    model = both_ways(lambda: stack(Noise()), predict_often)
    assert has_plan(model)


class Unseeded(nkeras.Layer):
    def call(self, inputs):
        return inputs if is_symbolic(inputs) else inputs + nkeras.random.normal(inputs.shape)


def test_a_new_global_seed_reaches_plans():
    def use(model):
        found = []
        for _ in range(3):
            nkeras.utils.set_random_seed(5)
            found += predict_often(model)
        return found

    both_ways(lambda: stack(Unseeded()), use)


class MadeInCall(nkeras.Layer):
    def call(self, inputs):
        if is_symbolic(inputs):
            return inputs
        return inputs + nkeras.random.normal(inputs.shape, seed=nkeras.random.SeedGenerator(4))


def test_a_generator_made_in_each_step_does_not_count_on():
    both_ways(lambda: stack(MadeInCall()), predict_often)


IDIOMS = {
    "abs": abs,
    "pos": lambda rate: +rate,
    "divmod": lambda rate: divmod(rate, 0.01)[0] * 0.01,
    "format": lambda rate: float(f"{rate:.3f}"),
    "str": lambda rate: float(str(rate)),
    "round": lambda rate: round(rate, 2),
    "isinstance": lambda rate: rate if isinstance(rate, float) else 0.0,
    "numpy sqrt": lambda rate: float(np.sqrt(rate)),
    "numpy scalar": lambda rate: np.float32(2) * rate,
    "array": np.asarray,
}


@pytest.mark.parametrize("idiom", IDIOMS)
def test_optimizers_may_do_with_the_learning_rate_what_python_can(idiom):
    class Descent(nkeras.optimizers.SGD):
        def update_step(self, gradient, variable, learning_rate):
            step = IDIOMS[idiom](learning_rate)
            variable.assign(ops.subtract(variable, ops.multiply(gradient, step)))

    both_ways(lambda: stack(layers.Dense(1)), fit, optimizer=lambda: Descent(0.1), loss="mse")


class OfClass(nkeras.Layer):
    scale = 1.0

    def call(self, inputs):
        return inputs * self.scale


class OfProperty(nkeras.Layer):
    def __init__(self):
        super().__init__()
        self._scale = 1.0

    @property
    def scale(self):
        return self._scale

    @scale.setter
    def scale(self, value):
        self._scale = value

    def call(self, inputs):
        return inputs * self._scale


@pytest.mark.parametrize("kind", [OfClass, OfProperty])
def test_attributes_of_the_class_may_be_set(kind):
    def use(model):
        found = predict_often(model)
        model.layers[0].scale = 2.0
        return found + predict_often(model)

    both_ways(lambda: stack(kind()), use)


def test_setting_an_equal_number_keeps_plans():
    model = stack(layers.Dropout(0.25))
    predict_often(model)
    plan = next(iter(model._plans._entries.values())).plan
    model.layers[0].rate = float("0.25")
    predict_often(model)
    assert plan is not None
    assert next(iter(model._plans._entries.values())).plan is plan


class Weighted(nkeras.losses.Loss):
    factor = 1.0

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1) * self.factor


def test_regularizers_losses_and_constraints_may_change():
    def make():
        return stack(
            layers.Dense(
                1,
                kernel_regularizer=nkeras.regularizers.L2(0.0),
                kernel_constraint=nkeras.constraints.MaxNorm(100.0),
            )
        )

    def use(model):
        found = fit(model)
        model.loss.factor = 3.0
        found += fit(model)
        model.layers[0].kernel_regularizer.l2 = 0.5
        found += fit(model)
        model.layers[0].kernel_constraint.max_value = 0.1
        return found + fit(model)

    assert has_plan(both_ways(make, use, optimizer="sgd", loss=Weighted))


def test_one_tensor_in_two_places_then_two_tensors():
    def make():
        pair = layers.Input((4,)), layers.Input((4,))
        return nkeras.Model(list(pair), layers.Subtract()(list(pair)))

    def use(model):
        one, other = (ops.convert_to_tensor(numbers(2, 4, seed=i)) for i in range(2))
        found = [model.predict([one, one], verbose=0) for _ in range(4)]
        return [*found, model.predict([one, other], verbose=0)]

    assert has_plan(both_ways(make, use))


@pytest.mark.filterwarnings("ignore:.*mask attached")
def test_masks_of_a_batch_are_heeded():
    def use(model):
        tensor = ops.convert_to_tensor(numbers(2, 3, 4))
        tensor._keras_mask = ops.convert_to_tensor(np.array([[True, True, False]] * 2))
        return [model.predict(tensor, verbose=0) for _ in range(5)]

    pooled = layers.GlobalAveragePooling1D()
    model = both_ways(lambda: nkeras.Sequential([layers.Input((3, 4)), pooled]), use)
    assert not has_plan(model)


class LastSum(nkeras.Layer):
    def build(self, input_shape):
        self.last = self.add_weight(shape=(4,), initializer="zeros", trainable=False)

    def call(self, inputs):
        if is_symbolic(inputs):
            return inputs
        before = ops.broadcast_to(ops.reshape(self.last.value, (1, 4)), inputs.shape)
        self.last.assign(ops.sum(inputs, axis=0))
        return before


def test_the_value_a_variable_had_may_be_returned():
    assert has_plan(both_ways(lambda: stack(LastSum()), predict_often))


class Counting(nkeras.Layer):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def call(self, inputs):
        self.calls += 1
        return inputs * 2.0 if self.calls > 6 else inputs


class CountingInPrivate(Counting):
    def __init__(self):
        super().__init__()
        self._calls = 0

    def call(self, inputs):
        self._calls += 1
        return inputs * 2.0 if self._calls > 6 else inputs


class EveryFifth(nkeras.optimizers.SGD):
    """Counts its steps in an attribute, as lookahead optimizers of users do."""

    _steps = 0

    def update_step(self, gradient, variable, learning_rate):
        self._steps += 1
        step = ops.multiply(gradient, learning_rate)
        variable.assign(variable - (step if self._steps % 5 else 3 * step))


class Growing(nkeras.optimizers.SGD):
    """Multiplies the learning rate by what no attribute tells."""

    def __init__(self):
        super().__init__(0.01)
        self.counts = [0]

    def update_step(self, gradient, variable, learning_rate):
        self.counts[0] += 1
        variable.assign(variable - ops.multiply(gradient, learning_rate * self.counts[0]))


@pytest.mark.parametrize("optimizer", [EveryFifth, Growing])
def test_optimizers_that_count_are_not_planned(optimizer):
    both_ways(lambda: stack(layers.Dense(1)), fit, optimizer=optimizer, loss="mse")


class Keeping(nkeras.Layer):
    def call(self, inputs):
        self.total = ops.sum(inputs)
        return inputs


def test_layers_that_change_their_attributes_are_not_planned():
    for kind in (Counting, CountingInPrivate):
        both_ways(lambda kind=kind: stack(kind()), lambda model: predict_often(model, 12))

    def use(model):
        found = []
        for i in range(6):
            model.predict(numbers(2, 4, seed=i), verbose=0)
            found.append(float(model.layers[0].total))
        return found

    both_ways(lambda: stack(Keeping()), use)


@pytest.mark.parametrize("draw", [random.random, np.random.rand])
def test_steps_that_draw_from_the_host_are_not_planned(draw):
    class Chance(nkeras.Layer):
        def call(self, inputs):
            return inputs * 2.0 if draw() < 0.5 else inputs

    both_ways(lambda: stack(Chance()), lambda model: predict_often(model, 30))


def test_what_predict_step_returns_beside_tensors_is_fresh():
    class Numbered(nkeras.Model):
        def __init__(self):
            super().__init__()
            self.__dict__["steps"] = [0]

        def call(self, inputs):
            return inputs * 2.0

        def predict_step(self, data):
            self.steps[0] += 1
            return {"y": super().predict_step(data), "step": self.steps[0]}

    def use(model):
        return [model.predict(numbers(2, 4), verbose=0)["step"] for _ in range(6)]

    both_ways(Numbered, use)


def test_a_model_that_changes_in_each_step_is_given_up():
    model = stack(layers.Dropout(0.5))
    for i in range(30):
        model.layers[0].rate = 0.1 + i / 100
        model.predict(numbers(2, 4), verbose=0)
    assert "changes all the time" in reasons(model)[0]
    assert next(iter(model._plans._entries.values())).recorded < 20
    for _ in range(plans.QUIET + 4):
        model.predict(numbers(2, 4), verbose=0)
    assert has_plan(model)


def test_another_thread_predicts_while_a_weight_is_assigned(monkeypatch):
    model = stack(layers.Dense(5), layers.BatchNormalization())
    predict_often(model)
    store = nkeras.Variable._store

    def interrupted(variable, tensor):
        with ThreadPoolExecutor(1) as other:
            other.submit(contextvars.copy_context().run, predict_often, model).result()
        store(variable, tensor)

    kernel = model.layers[0].kernel
    with monkeypatch.context() as patch:
        patch.setattr(nkeras.Variable, "_store", interrupted)
        kernel.assign(kernel * 2.0)
    found = predict_often(model)
    model.run_eagerly = True
    np.testing.assert_allclose(found, predict_often(model), rtol=1e-5, atol=1e-6)


def test_a_learning_rate_may_depend_on_predictions():
    def use(model):
        rates = []

        def rate():
            rates.append(0.01 + 0.01 * abs(model.predict(numbers(2, 4), verbose=0)).mean())
            return rates[-1]

        optimizer = nkeras.optimizers.SGD(rate)
        model.compile(optimizer, "mse", run_eagerly=model.run_eagerly)
        found = fit(model)
        predict_often(model)
        return [*found, *fit(model), *rates]

    model = both_ways(lambda: stack(layers.Dense(1)), use)
    assert has_plan(model)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_does_not_wait_for_a_thread_of_its_parent():
    model = stack(layers.Activation("linear"))
    predict_often(model)
    with model._plans._lock:  # as if another thread predicted at this moment
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            found = model.predict(numbers(2, 4), verbose=0)
            os._exit(0 if np.array_equal(found, numbers(2, 4)) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_very_many_shapes_do_not_make_plans_all_the_time(monkeypatch):
    made = []

    def make(*arguments):
        made.append(arguments)
        return plan(*arguments)

    plan = plans.Plan
    monkeypatch.setattr(plans, "Plan", make)
    model = nkeras.Sequential([layers.Input((4,)), layers.Activation("linear")])
    for _ in range(2):
        for samples in range(1, 40):
            for _ in range(4):
                model.predict(np.ones((samples, 4), "float32"), verbose=0, batch_size=64)
    assert plans.MOST - 2 < len(made) < plans.MOST + 4
    assert len(model._plans._entries) <= plans.MOST


def test_a_backend_without_plans_leaves_the_others_theirs():
    model = stack(layers.Dense(2))
    with nkeras.use_backend("numpy"):
        predict_often(model)
    predict_often(model)
    assert has_plan(model)
    assert not reasons(model)
