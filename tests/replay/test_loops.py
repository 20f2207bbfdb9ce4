"""Rounds of loops that are alike are one step of a plan; others are in it one by one."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras.replay.graph import Loop
from tests.replay.replays import needs_plans, numbers

pytestmark = needs_plans
ROUNDS = 20
W = numbers(4, 4, seed=8) * 0.4
U = numbers(4, 4, seed=9) * 0.4


def leaves(structure: Any) -> list[Any]:
    return [leaf for leaf in nkeras.tree.flatten(structure) if leaf is not None]


def loops_of(function: Any) -> list[Loop]:
    """The loops in the plans of a function."""
    entries = function._plans._entries.values()
    return [
        step
        for entry in entries
        if entry.plan
        for step in entry.plan.graph.steps
        if isinstance(step, Loop)
    ]


def check(plain: Callable[..., Any], *shapes: tuple[int, ...], loops: int) -> Any:
    """Replays give the bits of the function itself, with so many loops in the plan."""
    planned = nkeras.function(plain)
    for seed in range(6):
        given = [
            ops.convert_to_tensor(numbers(*shape, seed=seed + i)) for i, shape in enumerate(shapes)
        ]
        found, expected = leaves(planned(*given)), leaves(plain(*given))
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert one.numpy().tobytes() == other.numpy().tobytes()
    assert planned.refusals() == []
    assert len(loops_of(planned)) == loops
    return planned


def tanh_step(w: Any, u: Any) -> Any:
    def step(carry: Any, x: Any) -> Any:
        carry = ops.tanh(ops.matmul(carry, w) + x)
        return carry, carry

    return step


def gated_step(w: Any, u: Any) -> Any:
    def step(carry: Any, x: Any) -> Any:
        h, s = carry
        z = ops.matmul(h, w) + ops.matmul(x, u)
        s = ops.relu(z) * s + ops.sigmoid(z) * h + h * h
        h = ops.tanh(s) * ops.sigmoid(ops.matmul(s, u))
        return (h, s), h

    return step


def exclusive_step(w: Any, u: Any) -> Any:
    return lambda carry, x: (ops.relu(ops.matmul(carry, w)) + x, carry)


def delayed_step(w: Any, u: Any) -> Any:
    return lambda c, x: ((x, ops.tanh(c[0] @ w), c[1]), c[2] * x)


def silent_step(w: Any, u: Any) -> Any:
    return lambda carry, x: (ops.sin(carry @ w) + x, None)


def swapped_step(w: Any, u: Any) -> Any:
    def step(carry: Any, x: Any) -> Any:
        a, b, same = carry
        return (b, a + ops.tanh(x @ w) * same, same), (a * b, ops.exp(-a * a))

    return step


STEPS = {
    "tanh": (tanh_step, 1),
    "gated": (gated_step, 2),
    "exclusive": (exclusive_step, 1),
    "delayed": (delayed_step, 3),
    "silent": (silent_step, 1),
    "swapped": (swapped_step, 3),
}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", STEPS)
def test_scan_is_one_step(name, reverse):
    make, carries = STEPS[name]
    w, u = nkeras.Variable(W), nkeras.Variable(U)

    def plain(x, h):
        first = h if carries == 1 else tuple(h * (i + 1.0) for i in range(carries))
        return ops.scan(make(w, u), first, x, reverse=reverse)

    check(plain, (ROUNDS, 2, 4), (2, 4), loops=1)


def with_gradient(name: str, uses: str, reverse: bool) -> Any:
    make, carries = STEPS[name]
    w, u = nkeras.Variable(W), nkeras.Variable(U)

    def plain(x, h):
        first = h if carries == 1 else tuple(h * (i + 1.0) for i in range(carries))
        with nkeras.GradientTape() as tape:
            tape.watch([x, h])
            carry, y = ops.scan(make(w, u), first, x, reverse=reverse)
            loss = ops.sum(w * w) + ops.sum(ops.exp(x)) * 0.01
            if uses == "last":
                loss += ops.sum(leaves(carry)[0] ** 2)
            if "carry" in uses:
                loss += sum(ops.sum(one * one) * (i + 1.0) for i, one in enumerate(leaves(carry)))
            if "outputs" in uses:
                loss += sum(ops.sum(ops.sin(one)) * (i + 0.5) for i, one in enumerate(leaves(y)))
        return [loss, *tape.gradient(loss, [w, u, x, h])]

    return plain


@pytest.mark.parametrize("uses", ["last", "carry", "outputs", "carry and outputs"])
@pytest.mark.parametrize("name", STEPS)
def test_gradients_are_one_step_and_equal_bit_by_bit(name, uses):
    # The gradient of the last carry alone changes places with each round, or needs no round.
    loops = 1 if uses == "last" and name in ("delayed", "swapped") else 2
    if name == "silent" and uses == "outputs":
        loops = 1
    check(with_gradient(name, uses, name == "gated"), (ROUNDS, 2, 4), (2, 4), loops=loops)


def test_gradients_in_float64():
    w = nkeras.Variable(W.astype("float64"))

    @nkeras.function
    def planned(x):
        with nkeras.GradientTape() as tape:
            tape.watch(x)
            _, y = ops.scan(tanh_step(w, None), ops.zeros((2, 4), "float64"), x)
            loss = ops.sum(ops.sin(y))
        return loss, *tape.gradient(loss, [x, w])

    x = numbers(ROUNDS, 2, 4).astype("float64")
    for _ in range(4):
        _, grad_x, grad_w = planned(x)
    assert len(loops_of(planned)) == 2
    for array, gradient, index in ((x, grad_x, (7, 1, 2)), (w, grad_w, (1, 3))):
        values = []
        for sign in (1.0, -1.0):
            moved = np.array(W if array is w else x, "float64")
            moved[index] += sign * 1e-6
            if array is w:
                w.assign(moved)
            values.append(float(planned(moved if array is x else x)[0]))
        if array is w:
            w.assign(W.astype("float64"))
        expected = (values[0] - values[1]) / 2e-6
        np.testing.assert_allclose(gradient.numpy()[index], expected, rtol=1e-7, atol=1e-8)


def test_map_is_one_step():
    check(lambda x: ops.map(lambda row: ops.exp(row) @ W[:, 0], x), (ROUNDS, 3, 4), loops=1)


def test_rows_may_be_constants():
    def plain(h):
        return ops.scan(lambda c, i: (c * 0.5 + ops.cast(i, "float32"), c), h, ops.arange(ROUNDS))

    check(plain, (3,), loops=1)


def test_rounds_without_rows():
    check(lambda h: ops.scan(lambda c, _: (ops.sin(c), c), h, length=ROUNDS), (3,), loops=1)


def test_loops_in_loops():
    def outer(carry, rows):
        return ops.scan(lambda c, x: (ops.tanh(c + x), c), carry, rows)

    def plain(x, h):
        return ops.scan(outer, h, x)

    # Those in the rounds that come first and last are loops of their own.
    *inner, loop, last = loops_of(check(plain, (ROUNDS, 18, 3), (3,), loops=6))
    assert [type(step) for step in loop.body.steps].count(Loop) == 1
    assert not any(Loop in map(type, one.body.steps) for one in (*inner, last))


def test_large_inputs_and_outputs_are_the_callers():
    check(lambda x, h: ops.scan(tanh_step(W, None), h, x), (40, 300, 4), (300, 4), loops=1)


def test_few_rounds_are_done_one_by_one():
    check(lambda x, h: ops.scan(tanh_step(W, None), h, x), (8, 2, 4), (2, 4), loops=0)


# What rounds must not do to be alike.


def test_random_numbers():
    seed = nkeras.random.SeedGenerator(3)
    again = nkeras.random.SeedGenerator(3)

    def steps(seed):
        return lambda x: ops.map(lambda row: row + nkeras.random.normal((4,), seed=seed), x)

    planned = nkeras.function(steps(seed))
    for i in range(6):
        x = numbers(ROUNDS, 4, seed=i)
        np.testing.assert_array_equal(planned(x), steps(again)(x))
    assert loops_of(planned) == []


def test_assigned_variables():
    def make():
        total = nkeras.Variable(np.zeros(4, "float32"))

        def step(x):
            return ops.map(lambda row: total.assign_add(row) * 1.0, x)

        return total, step

    (total, step), (other, plain) = make(), make()
    planned = nkeras.function(step)
    for i in range(6):
        x = numbers(ROUNDS, 4, seed=i)
        np.testing.assert_array_equal(planned(x), plain(x))
        np.testing.assert_array_equal(total, other)
    assert loops_of(planned) == []


def test_python_values_that_change_in_a_round():
    class Count:
        n = 0

    def plain(x):
        Count.n = 0

        def step(row):
            Count.n += 1
            return row * (2.0 if Count.n == 11 else 1.0)

        return ops.map(step, x)

    planned = nkeras.function(plain)
    for i in range(6):
        x = numbers(ROUNDS, 4, seed=i)
        np.testing.assert_array_equal(planned(x), plain(x))
    assert loops_of(planned) == []


def test_python_iterators():
    def plain(x):
        factors = iter(range(ROUNDS))
        return ops.map(lambda row: row * float(next(factors)), x)

    check(plain, (ROUNDS, 4), loops=0)


def test_lists_that_grow():
    def plain(x):
        seen = []

        def step(row):
            seen.append(row * 2.0)
            return row

        return ops.map(step, x), ops.stack(seen)

    check(plain, (ROUNDS, 4), loops=0)


def test_iterators_whose_first_values_are_equal():
    def plain(x):
        factors = itertools.chain([1.0] * 15, [3.0] * 5)
        return ops.map(lambda row: row * next(factors), x)

    check(plain, (ROUNDS, 4), loops=0)


def test_numbers_drawn_by_python():
    def plain(x):
        random.seed(4)
        return ops.map(lambda row: row * random.choice([1.0, 2.0]), x)

    planned = nkeras.function(plain)
    for i in range(5):
        x = numbers(ROUNDS, 4, seed=i)
        np.testing.assert_array_equal(planned(x), plain(x))
    assert loops_of(planned) == []


def test_what_python_keeps_of_the_round_before():
    def plain(x):
        kept = {"row": x[0]}

        def step(row):
            made = row + kept["row"]
            kept["row"] = row
            return made

        return ops.map(step, x)

    check(plain, (ROUNDS, 4), loops=0)


def test_shapes_that_change():
    def plain(x):
        carry, _ = ops.scan(lambda c, row: (ops.concatenate([c, row]), None), ops.zeros((1,)), x)
        return carry

    check(plain, (ROUNDS, 2), loops=0)


def test_gradients_by_the_users_own_rule_are_followed_round_by_round():
    @ops.custom_gradient
    def doubled(x):
        return x, lambda upstream: upstream * 2.0

    def plain(x, h):
        with nkeras.GradientTape() as tape:
            tape.watch([x, h])
            carry, _ = ops.scan(lambda c, row: (doubled(c) * 0.4 + row, c), h, x)
        return tape.gradient(carry, [x, h])

    check(plain, (ROUNDS, 4), (4,), loops=0)


@pytest.mark.parametrize("persistent", [False, True])
def test_derivatives_of_derivatives(persistent):
    def plain(x, h):
        with nkeras.GradientTape() as outer:
            outer.watch(h)
            with nkeras.GradientTape(persistent=persistent) as inner:
                inner.watch(h)
                carry, _ = ops.scan(tanh_step(W, None), h, x)
                loss = ops.sum(carry)
            gradient = inner.gradient(loss, h)
        return outer.gradient(ops.sum(gradient * gradient), h)

    check(plain, (ROUNDS, 2, 4), (2, 4), loops=0)


def test_a_second_tape_behind_the_loop():
    w = nkeras.Variable(W)

    def plain(x, h):
        with nkeras.GradientTape() as tape:
            carry, _ = ops.scan(tanh_step(w, None), h, x)
            loss = ops.sum(carry * carry)
        with nkeras.GradientTape() as second:
            gradient = tape.gradient(loss, w)
            norm = ops.sum(gradient * gradient)
        return gradient, second.gradient(norm, w)

    check(plain, (ROUNDS, 2, 4), (2, 4), loops=1)


def test_the_sequence_itself_inside():
    def plain(x, h):
        with nkeras.GradientTape() as tape:
            tape.watch(x)
            carry, _ = ops.scan(lambda c, row: (ops.tanh(c * row + ops.mean(x)), None), h, x)
            loss = ops.sum(carry)
        return tape.gradient(loss, x)

    check(plain, (ROUNDS, 4), (4,), loops=2)


# Layers.


class OwnCell(nkeras.Layer):
    """A cell of a user's."""

    def __init__(self, units: int, counts: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.units = self.state_size = units
        self.counts = counts
        self.calls = 0

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], self.units))
        self.recurrent = self.add_weight(name="recurrent", shape=(self.units, self.units))

    def call(self, x: Any, states: Any) -> Any:
        if self.counts:
            self.calls += 1
            self.add_loss(ops.sum(x) * 0.01)
        h = ops.elu(ops.matmul(x, self.kernel) + ops.matmul(states[0], self.recurrent) * 0.5)
        return h, [h]


LAYERS = {
    "lstm": lambda **options: layers.LSTM(3, activation="relu", **options),
    "gru": lambda **options: layers.GRU(3, activation="elu", **options),
    "dropout": lambda **options: layers.LSTM(
        3, activation="relu", dropout=0.3, recurrent_dropout=0.2, **options
    ),
    "half": lambda **options: layers.SimpleRNN(
        3, activation="relu", dtype="mixed_bfloat16", **options
    ),
    "own": lambda **options: layers.RNN(OwnCell(3), **options),
    "stacked": lambda **options: layers.RNN(
        [OwnCell(3), layers.GRUCell(2, activation="relu")], **options
    ),
    "convolution": lambda **options: layers.ConvLSTM1D(
        2, 3, dropout=0.3, recurrent_dropout=0.2, **options
    ),
}
USES = {
    "last": {},
    "all": {"return_sequences": True, "go_backwards": True},
    "stateful": {"stateful": True},
    "masked": {"return_sequences": True},
    "zeros": {"return_sequences": True, "zero_output_for_mask": True},
}
SHORT = [("lstm", "last"), ("own", "masked"), ("dropout", "stateful")]
LONG = [pair for pair in itertools.product(LAYERS, USES) if pair not in SHORT]


@pytest.mark.parametrize(
    ("name", "use"), [*SHORT, *[pytest.param(*pair, marks=pytest.mark.long) for pair in LONG]]
)
@pytest.mark.filterwarnings("ignore:Layer 'flatten")
def test_layers_train_with_two_loops(name, use):
    if name == "convolution" and use in ("masked", "zeros"):
        return
    rest = (5, 2) if name == "convolution" else (4,)
    found = []
    for eagerly in (True, False):
        nkeras.utils.set_random_seed(1)
        inputs = nkeras.Input(batch_shape=(3, ROUNDS, *rest))
        x = layers.Masking()(inputs) if use in ("masked", "zeros") else inputs
        outputs = layers.Dense(2)(layers.Flatten()(LAYERS[name](**USES[use])(x)))
        model = nkeras.Model(inputs, outputs)
        model.compile(nkeras.optimizers.SGD(0.05), "mse", run_eagerly=eagerly)
        losses = []
        for seed in range(5):
            x, y = numbers(3, ROUNDS, *rest, seed=seed), numbers(3, 2, seed=seed)
            x[0, 5:12] = x[1, 17:] = x[2, :3] = 0.0
            losses.append(model.train_on_batch(x, y))
        found.append((losses, [weight.numpy().tobytes() for weight in model.weights]))
    assert found[0] == found[1]
    assert len(loops_of(model)) == 2


def test_a_cell_that_counts_and_adds_losses_runs_each_step():
    found = []
    for eagerly in (True, False):
        nkeras.utils.set_random_seed(1)
        cell = OwnCell(3, counts=True)
        model = nkeras.Sequential([nkeras.Input((ROUNDS, 4)), layers.RNN(cell), layers.Dense(2)])
        model.compile(nkeras.optimizers.SGD(0.05), "mse", run_eagerly=eagerly)
        losses = [
            model.train_on_batch(numbers(3, ROUNDS, 4, seed=i), numbers(3, 2, seed=i))
            for i in range(5)
        ]
        found.append((losses, cell.calls))
    assert found[0] == found[1]
    assert loops_of(model) == []
