"""`nkeras.function`: what is replayed gives what the function gives, bit by bit."""

import itertools

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras_numba_cpu.replay.io_binding import LARGE
from tests.replay.replays import needs_plans, numbers

pytestmark = needs_plans

MANY = LARGE // 4 + 3  # float32 numbers in a large array


@pytest.fixture(autouse=True)
def _backend():
    with nkeras.use_backend("numba_cpu"):
        yield


def tensor(*shape, seed=0):
    return ops.convert_to_tensor(numbers(*shape, seed=seed))


class Calls:
    """Counts calls where no guard looks: a function that is seen to count is not replayed."""

    def __init__(self):
        self._count = itertools.count()
        self.one_more = self._count.__next__

    def __len__(self):
        return int(repr(self._count)[len("count(") : -1])


def count_calls(function):
    """The function, and what grows with each call of its Python."""
    calls = Calls()
    one_more = calls.one_more

    def counted(*arguments, **named):
        one_more()
        return function(*arguments, **named)

    return nkeras.function(counted), calls


def agree(value, other):
    flat, others = nkeras.tree.flatten(value), nkeras.tree.flatten(other)
    assert len(flat) == len(others)
    for a, b in zip(flat, others, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_its_repr_is_short():
    def double(x):
        return x * 2.0

    name = "test_its_repr_is_short.<locals>.double"
    assert repr(nkeras.function(double)) == f"<nkeras.function {name}>"


@pytest.mark.parametrize("size", [5, MANY])
def test_replays_from_the_fourth_call_on(size):
    function, calls = count_calls(lambda x, y: (ops.exp(x) * y, [ops.tanh(x), x + 1.0]))
    found = []
    for seed in range(8):
        x, y = tensor(size, seed=seed), tensor(size, seed=seed + 50)
        found.append((function(x, y), (ops.exp(x) * y, [ops.tanh(x), x + 1.0])))
    assert len(calls) == 3
    assert function.refusals() == []
    for result, expected in found:  # later calls leave earlier results alone
        agree(result, expected)
    assert isinstance(found[-1][0][1], list)


@pytest.mark.parametrize("size", [6, 2 * MANY])
def test_outputs_that_are_inputs_views_or_one_another(size):
    def several(x):
        y = x * 2.0
        return x, ops.reshape(x, (2, -1)), y, y, ops.reshape(y, (-1, 2)), y[3:], y[3:] + 1.0

    function, calls = count_calls(several)
    found = [(function(tensor(size, seed=i)), several(tensor(size, seed=i))) for i in range(7)]
    assert len(calls) == 3
    assert function.refusals() == []
    for result, expected in found:
        agree(result, expected)


def test_inputs_that_lie_otherwise_are_copied():
    function, calls = count_calls(lambda x: ops.exp(x))
    array = np.ones((400, 400), "float32")
    locked = array.copy()
    locked.flags.writeable = False
    for given in [array] * 4 + [array.T, np.full((800, 400), 2, "f4")[::2], locked]:
        agree(function(given), ops.exp(np.ascontiguousarray(given)))
    assert len(calls) == 3


def test_training_of_ones_own():
    def train(decorate):
        nkeras.utils.set_random_seed(1)
        model = nkeras.Sequential(
            [
                nkeras.Input((4,)),
                layers.Dense(300, activation="relu"),
                layers.Dropout(0.3),
                layers.BatchNormalization(),
                layers.Dense(3),
            ]
        )
        optimizer = nkeras.optimizers.Adam(0.01)

        @decorate
        def step(x, y):
            with nkeras.GradientTape() as tape:
                loss = ops.sparse_categorical_crossentropy(
                    y, model(x, training=True), from_logits=True
                )
                loss = ops.mean(loss)
            weights = model.trainable_variables
            optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss}

        losses = []
        for i in range(9):
            labels = np.random.default_rng(i).integers(0, 3, 16)
            losses.append(float(step(tensor(16, 4, seed=i), labels)["loss"]))
        return losses, [v.numpy() for v in (*model.variables, *optimizer.variables)], step

    losses, state, step = train(nkeras.function)
    expected, other, _ = train(lambda function: function)
    assert step.refusals() == []
    assert losses == expected
    agree(state, other)


def test_a_variable_that_is_assigned_and_returned():
    variable = nkeras.Variable(np.zeros(MANY, "float32"))

    @nkeras.function
    def add(x):
        variable.assign_add(x)
        return variable.value, variable.value * 2.0

    held = []
    for i in range(6):
        value, twice = add(ops.ones((MANY,)))
        held.append((i + 1, value, twice))
    for number, value, twice in held:
        assert np.all(value.numpy() == number)
        assert np.all(twice.numpy() == 2 * number)
    assert add.refusals() == []


def test_what_is_no_tensor_says_which_function_is_meant():
    function, calls = count_calls(lambda x, times, how=None: x * times if how is None else x + how)
    x = tensor(3)
    for _ in range(5):
        agree(function(x, 2), x * 2)
        agree(function(x, 3), x * 3)
        agree(function(x, 2, how=1.5), x + 1.5)
        assert function(x, True).dtype == "float32"
    assert len(calls) == 12


def test_structures_and_keywords():
    function, calls = count_calls(lambda pair, *, named: pair[0] + named["b"] * pair[1])
    for i in range(6):
        x, y = tensor(4, seed=i), tensor(4, seed=9 - i)
        agree(function([x, 2.0], named={"b": y}), x + y * 2.0)
    assert len(calls) == 3


def test_what_cannot_be_replayed_runs_as_it_stands():
    function, calls = count_calls(lambda x: x * 2.0 if float(ops.sum(x)) > 0 else x)
    for i in range(6):
        x = ops.convert_to_tensor([1.0 if i % 2 else -1.0])
        agree(function(x), x * 2.0 if i % 2 else x)
    assert len(calls) == 6
    assert function.refusals() == ["Python looks at the values of a tensor"]


def test_random_numbers_go_on():
    def draw(decorate):
        seeds = nkeras.random.SeedGenerator(5)
        function = decorate(lambda x: nkeras.random.uniform((3,), seed=seeds) + x)
        return [function(ops.zeros((3,))).numpy() for _ in range(7)]

    agree(draw(nkeras.function), draw(lambda function: function))


def test_errors_of_values_are_raised_in_a_replay():
    function = nkeras.function(
        lambda labels, x: ops.sparse_categorical_crossentropy(labels, x, from_logits=True)
    )
    x = tensor(4, 3)
    for _ in range(5):
        function(np.array([0, 1, 2, 0]), x)
    assert function.refusals() == []
    with pytest.raises(ValueError, match="label 7"):
        function(np.array([0, 1, 7, 0]), x)


def test_inside_a_tape_it_runs_as_it_stands():
    function = nkeras.function(lambda x: ops.exp(x))
    x = tensor(3)
    for _ in range(5):
        function(x)
    with nkeras.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    agree(tape.gradient(y, x), ops.exp(x))


def test_functions_within_functions_methods_and_symbols():
    inner = nkeras.function(lambda x: x * 2.0)
    outer, calls = count_calls(lambda x: inner(x) + 1.0)
    for i in range(6):
        agree(outer(tensor(3, seed=i)), tensor(3, seed=i) * 2.0 + 1.0)
    assert len(calls) == 3
    assert outer(nkeras.Input((3,))).shape == (None, 3)

    class Scaled:
        def __init__(self, scale):
            self.scale = scale

        @nkeras.function
        def __call__(self, x):
            return x * self.scale

    two, three = Scaled(2.0), Scaled(3.0)
    for _ in range(5):
        agree(two(tensor(3)), tensor(3) * 2.0)
        agree(three(tensor(3)), tensor(3) * 3.0)


def test_other_backends_and_changes_of_backend():
    function = nkeras.function(lambda x: ops.exp(x))
    for name in ("numba_cpu", "numpy", "numba_cpu"):
        with nkeras.use_backend(name):
            for _ in range(5):
                x = tensor(3)
                np.testing.assert_allclose(function(x).numpy(), np.exp(x.numpy()), rtol=1e-6)


def test_needs_a_function():
    with pytest.raises(TypeError, match=r"nkeras\.function: a function is expected"):
        nkeras.function(3)
