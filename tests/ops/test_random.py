"""nkeras.random: the same numbers on both CPU backends, the right moments, bad arguments."""

from __future__ import annotations

import numpy as np
import pytest

from nkeras import ops, random
from nkeras.backend import registry

COUNT = 40_000
# Function, arguments, and mean, variance, least and greatest possible value.
CASES = {
    "uniform": (lambda s: random.uniform((COUNT,), -1.0, 3.0, seed=s), 1.0, 16 / 12, -1.0, 3.0),
    "normal": (lambda s: random.normal((COUNT,), 2.0, 3.0, seed=s), 2.0, 9.0, -np.inf, np.inf),
    "truncated_normal": (
        lambda s: random.truncated_normal((COUNT,), 1.0, 2.0, seed=s),
        *(1.0, (2 * 0.8796256610342398) ** 2, -3.0, 5.0),
    ),
    "randint": (lambda s: random.randint((COUNT,), -5, 6, seed=s), 0.0, 10.0, -5, 5),
    "gamma": (lambda s: random.gamma((COUNT,), 2.5, seed=s), 2.5, 2.5, 0.0, np.inf),
    "small gamma": (lambda s: random.gamma((COUNT,), 0.3, seed=s), 0.3, 0.3, 0.0, np.inf),
    "beta": (lambda s: random.beta((COUNT,), 2.0, 3.0, seed=s), 0.4, 0.04, 0.0, 1.0),
    "binomial": (lambda s: random.binomial((COUNT,), 9, 0.3, seed=s), 2.7, 1.89, 0.0, 9.0),
    "dropout": (lambda s: random.dropout(ops.ones((COUNT,)), 0.2, seed=s), 1.0, 0.25, 0.0, 1.25),
}


@pytest.mark.parametrize("name", CASES)
def test_moments_and_support(name):
    draw, mean, variance, least, greatest = CASES[name]
    with registry.use_backend("numpy"):
        values = draw(11).numpy().astype("float64")
    assert values.shape == (COUNT,)
    assert values.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / COUNT))
    assert values.var() == pytest.approx(variance, rel=0.06)
    assert values.min() >= least
    assert values.max() <= greatest


@pytest.mark.parametrize("name", ["uniform", "normal", "truncated_normal"])
def test_distribution(name, oracle):
    """Kolmogorov and Smirnov's distance from the distribution function, at 1 in 10,000."""
    with registry.use_backend("numpy"):
        values = np.sort(getattr(random, name)((COUNT,), seed=4).numpy().astype("float64"))
    function = "jax.scipy.stats.norm.cdf(x)"
    exact = {
        "uniform": "x",
        "normal": function,
        "truncated_normal": f"({function} - 0.0227501319) / 0.9544997361",
    }[name]
    below = oracle.run(f"result = {exact}", x=values)
    steps = np.arange(COUNT) / COUNT
    distance = max(np.abs(below - steps).max(), np.abs(below - steps - 1 / COUNT).max())
    assert distance < np.sqrt(-np.log(1e-4 / 2) / 2 / COUNT)


@pytest.mark.parametrize("name", CASES)
def test_backends_agree(name):
    draw = CASES[name][0]
    with registry.use_backend("numpy"):
        expected = draw(3).numpy()
    with registry.use_backend("numba_cpu"):
        found = draw(3).numpy()
    if name in ("uniform", "randint", "binomial", "dropout"):
        np.testing.assert_array_equal(found, expected)
    else:  # backends round logarithms and cosines in their own ways
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


def test_seeds():
    seeds = random.SeedGenerator(1)
    a, b = random.uniform((3,), seed=seeds).numpy(), random.uniform((3,), seed=seeds).numpy()
    assert (a != b).any()
    np.testing.assert_array_equal(a, random.uniform((3,), seed=random.SeedGenerator(1)).numpy())
    assert (random.uniform((3,)).numpy() != random.uniform((3,)).numpy()).any()
    with pytest.raises(ValueError, match="seed"):
        random.uniform((3,), seed="x")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_uniform_never_reaches_its_upper_limit(dtype):
    with registry.use_backend("numpy"):
        values = random.uniform((COUNT,), dtype=dtype, seed=1)
    assert values.dtype == dtype
    assert values.numpy().astype("float64").max() < 1.0


@pytest.mark.parametrize("function", ["uniform", "normal", "truncated_normal"])
def test_shapes_and_dtypes(function):
    draw = getattr(random, function)
    assert draw(()).shape == ()
    assert draw((0, 3)).shape == (0, 3)
    assert draw([2, 3], dtype="float16").dtype == "float16"
    with pytest.raises(ValueError, match=f"{function}: argument `dtype`"):
        draw((2,), dtype="int32")


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_randint_over_the_whole_dtype(dtype):
    info = np.iinfo(dtype)
    with registry.use_backend("numpy"):
        values = random.randint((2000,), int(info.min), int(info.max) + 1, dtype, seed=1).numpy()
    assert values.dtype == dtype
    middle = (int(info.min) + int(info.max)) / 2
    assert 850 < (values > middle).sum() < 1150


def test_randint_refusals():
    for arguments in ((5, 5), (0, 300, "uint8"), (-1, 3, "uint8")):
        with pytest.raises(ValueError, match="randint"):
            random.randint((2,), *arguments)
    with pytest.raises(ValueError, match="dtype"):
        random.randint((2,), 0, 3, dtype="float32")


def test_categorical():
    probabilities = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]], "float32")
    with registry.use_backend("numpy"), np.errstate(divide="ignore"):
        drawn = random.categorical(np.log(probabilities), 20_000, dtype="int64", seed=5)
    assert drawn.dtype == "int64"
    counts = np.array([np.bincount(row, minlength=3) for row in drawn.numpy()]) / 20_000
    np.testing.assert_allclose(counts, probabilities, atol=0.015)
    assert counts[1, 2] == 0.0
    with pytest.raises(ValueError, match="categorical"):
        random.categorical([1.0, 2.0], 3)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_shuffle(axis):
    x = np.arange(60).reshape(5, 12)
    y = random.shuffle(x, axis=axis, seed=1).numpy()
    assert (x != y).any()
    order = np.argsort(y[0] if axis else y[:, 0])
    np.testing.assert_array_equal(np.take(y, order, axis=axis), x)


def test_shuffle_is_uniform():
    seeds = random.SeedGenerator(1)
    with registry.use_backend("numpy"):
        drawn = [tuple(random.shuffle([0, 1, 2], seed=seeds).numpy()) for _ in range(600)]
    counts = [drawn.count(one) for one in set(drawn)]
    assert len(counts) == 6
    assert max(counts) < 150


def test_dropout():
    x = ops.ones((4, 6))
    np.testing.assert_array_equal(random.dropout(x, 0.0).numpy(), 1.0)
    np.testing.assert_array_equal(random.dropout(x, 1.0).numpy(), 0.0)
    rows = random.dropout(x, 0.5, noise_shape=(None, 1), seed=3).numpy()
    assert (rows == rows[:, :1]).all()
    with pytest.raises(ValueError, match="rate"):
        random.dropout(x, 1.5)


def test_parameters_broadcast():
    with registry.use_backend("numpy"):
        drawn = random.gamma((4000, 2), np.array([1.0, 20.0], "float32"), seed=1).numpy()
        successes = random.binomial((4000, 2), np.array([0, 5]), 0.5, seed=1).numpy()
    np.testing.assert_allclose(drawn.mean(axis=0), [1.0, 20.0], rtol=0.06)
    assert successes[:, 0].max() == 0.0
    assert successes[:, 1].mean() == pytest.approx(2.5, abs=0.1)
    with pytest.raises(ValueError, match="counts"):
        random.binomial((2,), -1, 0.5)


def test_names_are_keras(oracle):
    names = oracle.run("result = [n for n in dir(keras.random) if not n.startswith('_')]")
    assert set(names) == set(random.__all__)
