"""StatelessScope, and layers, metrics and models that compute with given values."""

from __future__ import annotations

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops

X = np.linspace(-1.0, 1.0, 24, dtype="float32").reshape(8, 3)
Y = np.arange(8) % 2


def model(**compiled):
    nkeras.utils.set_random_seed(3)
    made = nkeras.Sequential(
        [
            nkeras.Input((3,)),
            layers.Dense(4, kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(2, activity_regularizer="l2"),
        ]
    )
    loss = nkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(nkeras.optimizers.SGD(0.1), loss, **compiled)
    return made


def values(variables):
    return [variable.numpy() for variable in variables]


def same(some, others):
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_a_call_is_that_of_a_model_with_these_values():
    one, other = model(), model()
    shifted = [ops.add(variable, 0.5) for variable in one.trainable_variables]
    before = values(one.variables)
    found = one.stateless_call(
        shifted, one.non_trainable_variables, X, training=True, return_losses=True
    )
    same(values(one.variables), before)
    assert one.losses[:-1] == []  # the regularizer's own
    for variable, value in zip(other.trainable_variables, shifted, strict=True):
        variable.assign(value)
    np.testing.assert_array_equal(found[0], other(X, training=True))
    same(found[1], values(other.non_trainable_variables))  # also the state of the dropout's seed
    np.testing.assert_allclose(sorted(map(float, found[2])), sorted(map(float, other.losses)))


def test_gradients_reach_the_given_values():
    own = model()
    shifted = [ops.add(variable, 0.5) for variable in own.trainable_variables]

    def loss(*trainable):
        outputs, _ = own.stateless_call(trainable, own.non_trainable_variables, X, training=True)
        return ops.sum(ops.square(outputs))

    with nkeras.GradientTape() as tape:
        tape.watch(shifted)
        tape.watch(own.trainable_variables)
        total = loss(*shifted)
    found = tape.gradient(total, [*shifted, *own.trainable_variables])
    count = len(shifted)
    assert found[count:] == [None] * count
    other = model()
    for variable, value in zip(other.trainable_variables, shifted, strict=True):
        variable.assign(value)
    with nkeras.GradientTape() as tape:
        total = ops.sum(ops.square(other(X, training=True)))
    same(found[:count], tape.gradient(total, other.trainable_variables))


def test_a_training_without_side_effects_is_fit():
    """As the guide for JAX does it, with `nkeras.GradientTape`."""
    own, other = model(metrics=["accuracy"]), model(metrics=["accuracy"])
    own.optimizer.build(own.trainable_variables)
    trainable = [variable.value for variable in own.trainable_variables]
    others = [variable.value for variable in own.non_trainable_variables]
    optimizer = [variable.value for variable in own.optimizer.variables]
    for _ in range(3):
        with nkeras.GradientTape() as tape:
            tape.watch(trainable)
            y_pred, changed, losses = own.stateless_call(
                trainable, others, X, training=True, return_losses=True
            )
            loss, _ = own.stateless_compute_loss(
                trainable, others, own.metrics_variables, y=Y, y_pred=y_pred
            )
            loss = loss + losses[0]  # the activity's; the regularizer's is in it
        grads, others = tape.gradient(loss, trainable), changed
        trainable, optimizer = own.optimizer.stateless_apply(optimizer, grads, trainable)
    other.fit(X, Y, epochs=3, batch_size=8, shuffle=False, verbose=0)
    for one, variable in zip(trainable, other.trainable_variables, strict=True):
        np.testing.assert_allclose(one, variable, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "numba_cpu"])
def test_plans_take_the_given_values(backend):
    with nkeras.use_backend(backend):
        layer = layers.Dense(2)
        layer.build((8, 3))

        @nkeras.function
        def call(kernel, bias):
            return layer.stateless_call([kernel, bias], [], X)[0]

        for number in range(6):
            kernel = ops.full((3, 2), float(number))
            found = call(kernel, ops.zeros(2))
            np.testing.assert_allclose(found, X @ np.full((3, 2), number), rtol=1e-6, atol=1e-6)
        assert call.refusals() == []


def test_rematerialized_layers_take_them_too():
    plain, again = layers.Dense(2, activation="tanh"), None
    plain.build((8, 3))
    given = [ops.full((3, 2), 0.3), ops.zeros(2)]
    grads = []
    for wrapped in (plain, nkeras.remat(plain)):
        with nkeras.GradientTape() as tape:
            tape.watch(given)
            with nkeras.StatelessScope(zip(plain.variables, given, strict=True)):
                again = ops.sum(wrapped(X))
        grads.append(tape.gradient(again, given))
    same(*grads)


def test_scopes():
    w, other = nkeras.Variable([1.0, 2.0]), nkeras.Variable(3.0)
    with nkeras.StatelessScope([(w, [5.0, 6.0])]) as outer:
        other.assign_sub(1.0)
        with nkeras.StatelessScope() as inner:
            np.testing.assert_array_equal(w.numpy(), [5.0, 6.0])
            assert float(other) == 2.0
            w.assign([7.0, 8.0])
            inner.add_update((other, 9.0))
            assert float(other) == 9.0
        np.testing.assert_array_equal(w.value, [5.0, 6.0])
        np.testing.assert_array_equal(inner.get_current_value(w), [7.0, 8.0])
    np.testing.assert_array_equal(w, [1.0, 2.0])
    assert (float(other), float(outer.get_current_value(other))) == (3.0, 2.0)
    assert inner.get_current_value(nkeras.Variable(0.0)) is None


def test_steps_of_an_optimizer_count_in_the_scope_alone():
    w = nkeras.Variable([1.0])
    optimizer = nkeras.optimizers.Adam(0.1)
    optimizer.build([w])
    with nkeras.StatelessScope() as scope:
        optimizer.apply([ops.ones(1)], [w])
        optimizer.apply([ops.ones(1)], [w])
    assert int(optimizer.iterations) == 0
    assert int(scope.get_current_value(optimizer.iterations)) == 2
    assert float(w[0]) == 1.0
    np.testing.assert_allclose(scope.get_current_value(w), [0.8], rtol=1e-5)


def test_metrics():
    metric = nkeras.metrics.SparseCategoricalAccuracy()
    metric.update_state([1, 0], [[0.0, 1.0], [0.0, 1.0]])
    state = metric.stateless_update_state(metric.stateless_reset_state(), [1], [[0.0, 1.0]])
    assert float(metric.stateless_result(state)) == 1.0
    assert float(metric.result()) == 0.5


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda: layers.Dense(2).stateless_call([], [], X), "must be built"),
        (lambda: model().stateless_call([], [], X), "`trainable_variables`.*of 6 variables.*: 0"),
        (
            lambda: model().stateless_call(model().trainable_variables, [1], X),
            "`non_trainable_variables`",
        ),
        (lambda: nkeras.metrics.Mean().stateless_result([1.0]), "`metric_variables`"),
        (lambda: nkeras.StatelessScope([(3, 4)]), "pairs of a Variable"),
        (lambda: nkeras.StatelessScope([(nkeras.Variable(1.0), [1.0])]), r"has shape \(\)"),
        (lambda: nkeras.StatelessScope(initialize_variables=False), "initialize_variables"),
    ],
)
def test_refused(wrong, text):
    with pytest.raises(ValueError, match=text) as found:
        wrong()
    assert len(str(found.value)) <= 400
