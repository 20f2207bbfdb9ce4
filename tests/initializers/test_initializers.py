"""Initializers: distributions, configs equal to Keras', seeds, names and what they refuse."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

from nkeras import initializers, ops
from nkeras.backend import registry
from nkeras.core.random import SeedGenerator
from nkeras.initializers.random import compute_fans

RANDOM = [
    ("RandomNormal", {"mean": 0.5, "stddev": 2.0}),
    ("RandomUniform", {"minval": -1.0, "maxval": 3.0}),
    ("TruncatedNormal", {"mean": -1.0, "stddev": 0.5}),
    ("VarianceScaling", {}),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "uniform"}),
    ("VarianceScaling", {"mode": "fan_avg", "distribution": "untruncated_normal"}),
    ("VarianceScaling", {"distribution": "normal", "input_axes": [0], "output_axes": [1, 2]}),
    ("GlorotNormal", {}),
    ("GlorotUniform", {}),
    ("HeNormal", {}),
    ("HeUniform", {}),
    ("LecunNormal", {}),
    ("LecunUniform", {}),
    ("Orthogonal", {"gain": 1.5}),
]
FIXED = [
    ("Zeros", {}),
    ("Ones", {}),
    ("Constant", {"value": 3}),
    ("Constant", {"value": [1.0, 2.0, 3.0]}),
    ("Identity", {}),
    ("Identity", {"gain": 2.5}),
]
STFT = [
    ("STFT", {}),
    ("STFT", {"side": "imag", "window": "hamming", "scaling": "spectrum", "periodic": True}),
    ("STFT", {"window": "blackman", "scaling": None}),
    ("STFT", {"window": None}),
    ("STFT", {"window": [0.5, 1.0, 1.0, 0.5, 0.25, 0.0]}),
]


def _ids(cases):
    return [f"{name}-{arguments}" for name, arguments in cases]


@pytest.fixture(autouse=True)
def _numpy_backend():
    with registry.use_backend("numpy"):
        yield


@pytest.fixture(scope="module")
def keras_numbers(oracle):
    """Keras' own samples, to compare distributions with."""
    return oracle.run(
        """
        result = []
        for name, arguments in cases:
            made = getattr(keras.initializers, name)(seed=1, **arguments)
            numbers = made((30, 20, 40))
            result.append((numbers, keras.initializers.serialize(made)))
        """,
        cases=RANDOM,
    )


def _same_distribution(a: np.ndarray, b: np.ndarray) -> bool:
    """Kolmogorov and Smirnov's test of two samples, at a level of 1 in 10,000."""
    both = np.sort(np.concatenate([a, b]))
    below_a = np.searchsorted(np.sort(a), both, side="right") / a.size
    below_b = np.searchsorted(np.sort(b), both, side="right") / b.size
    limit = math.sqrt(-math.log(1e-4 / 2) / 2 * (a.size + b.size) / (a.size * b.size))
    return float(np.abs(below_a - below_b).max()) < limit


@pytest.mark.parametrize("i", range(len(RANDOM)), ids=_ids(RANDOM))
def test_distribution_and_config_are_keras(i, keras_numbers):
    name, arguments = RANDOM[i]
    made = getattr(initializers, name)(seed=2, **arguments)
    theirs, described = keras_numbers[i]
    ours = made((30, 20, 40)).numpy()
    assert ours.dtype == np.float32
    ours, theirs = ours.astype("float64"), theirs.astype("float64")
    assert _same_distribution(ours.ravel(), theirs.ravel())
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.03 * float(theirs.std()))
    assert ours.std() == pytest.approx(theirs.std(), rel=0.03)
    if "uniform" in (name + str(arguments)).lower().replace("untruncated", ""):
        assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=0.01)
    if name == "TruncatedNormal":
        assert np.abs(ours + 1.0).max() <= 1.0
    described["config"]["seed"] = 2
    assert initializers.serialize(made) == described
    again = initializers.deserialize(described)
    np.testing.assert_array_equal(again((4, 3, 2)).numpy(), made((4, 3, 2)).numpy())


@pytest.mark.parametrize(("name", "arguments"), FIXED, ids=_ids(FIXED))
@pytest.mark.parametrize("dtype", [None, "int32", "float64"])
def test_fixed_values_are_keras(name, arguments, dtype, oracle):
    made = getattr(initializers, name)(**arguments)
    theirs, described = oracle.run(
        """
        made = getattr(keras.initializers, name)(**arguments)
        result = made((3, 3), dtype=dtype), keras.initializers.serialize(made)
        """,
        name=name,
        arguments=arguments,
        dtype=None if dtype == "float64" else dtype,  # JAX has no float64 unless asked
    )
    ours = made((3, 3), dtype=dtype)
    assert ours.dtype == (dtype if dtype == "float64" else theirs.dtype.name)
    np.testing.assert_array_equal(ours.numpy(), theirs)
    serialized = initializers.serialize(made)
    if name == "Identity":  # Keras forgets the gain
        assert serialized["config"] == {"gain": made.gain}
        described["config"] = serialized["config"]
    assert serialized == described
    np.testing.assert_array_equal(
        initializers.get(serialized)((3, 3)).numpy(), made((3, 3)).numpy()
    )


@pytest.mark.parametrize(("name", "arguments"), STFT, ids=_ids(STFT))
def test_fourier_kernels_are_keras(name, arguments, oracle):
    made = getattr(initializers, name)(**arguments)
    code = """
        made = getattr(keras.initializers, name)(**arguments)
        result = made((6, 1, 5)), keras.initializers.serialize(made)
        """
    theirs, described = oracle.run(code, name=name, arguments=arguments)
    np.testing.assert_allclose(made((6, 1, 5)).numpy(), theirs, atol=2e-6)
    assert initializers.serialize(made) == described
    assert initializers.get("STFTInitializer")((6, 1, 5)).dtype == "float32"


def test_fourier_kernels_refuse():
    for arguments, message in (
        ({"side": "both"}, "argument `side`"),
        ({"scaling": "sum"}, "argument `scaling`"),
        ({"window": "flat"}, "argument `window` must be one of boxcar, hann"),
    ):
        with pytest.raises(ValueError, match=f"STFT: {message}"):
            initializers.STFT(**arguments)
    with pytest.raises(ValueError, match=r"STFT: the shape must be .*shape=\(3, 3\)"):
        initializers.STFT()((3, 3))
    with pytest.raises(ValueError, match=r"must have the shape \(4,\)"):
        initializers.STFT(window=[1.0, 2.0])((4, 1, 3))


def test_signatures_are_keras(oracle):
    names = sorted({name for name, _ in RANDOM + FIXED + STFT})
    theirs = oracle.run(
        """
        import inspect
        result = {
            name: [(p.name, repr(p.default)) for p in
                   inspect.signature(getattr(keras.initializers, name)).parameters.values()]
            for name in names
        }
        """,
        names=names,
    )
    for name in names:
        parameters = inspect.signature(getattr(initializers, name)).parameters.values()
        assert [(p.name, repr(p.default)) for p in parameters] == theirs[name], name


@pytest.mark.parametrize("name", sorted({name for name, _ in RANDOM}))
def test_seeds(name):
    cls = getattr(initializers, name)

    def draw(one):
        return one((4, 3)).numpy()

    once, other = cls(), cls()
    np.testing.assert_array_equal(draw(once), draw(once))  # as Keras: one seed for each instance
    assert (draw(once) != draw(other)).any()
    np.testing.assert_array_equal(draw(cls(seed=5)), draw(cls(seed=5)))
    np.testing.assert_array_equal(draw(cls(seed=5)), draw(cls(seed=5).clone()))
    assert (draw(cls(seed=5)) != draw(cls(seed=6))).any()
    moving = cls(seed=SeedGenerator(5))
    first = draw(moving)
    assert (first != draw(moving)).any()
    np.testing.assert_array_equal(first, draw(initializers.get(initializers.serialize(moving))))
    for bad in ("x", 1.5, True):
        with pytest.raises(ValueError, match=f"{name}: argument `seed`"):
            cls(seed=bad)


def test_a_seed_generator_is_saved_as_keras_saves_it(oracle):
    theirs = oracle.run(
        """
        seed = keras.random.SeedGenerator(3, name="mine")
        result = keras.initializers.serialize(keras.initializers.HeNormal(seed=seed))
        """
    )
    seed = SeedGenerator(3, name="mine")
    assert initializers.serialize(initializers.HeNormal(seed=seed)) == theirs


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 2, 5), (5, 1)])
def test_orthogonal(shape):
    q = initializers.Orthogonal(gain=2.0, seed=1)(shape).numpy().reshape(-1, shape[-1]) / 2.0
    product = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-5)


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4), (3, 3, 2, 8), (2, 2, 2, 3, 5)])
def test_fans_are_keras(shape, oracle):
    theirs = oracle.run(
        """
        from keras.src.initializers.random_initializers import compute_fans
        result = compute_fans(shape)
        """,
        shape=shape,
    )
    assert compute_fans(shape) == theirs
    if len(shape) > 2:
        assert compute_fans(shape, [0], [1, 2]) == (shape[0], shape[1] * shape[2])


def test_bad_arguments():
    with pytest.raises(ValueError, match="scale"):
        initializers.VarianceScaling(scale=-1.0)
    with pytest.raises(ValueError, match="mode"):
        initializers.VarianceScaling(mode="fan")
    with pytest.raises(ValueError, match="distribution"):
        initializers.VarianceScaling(distribution="cauchy")
    with pytest.raises(ValueError, match="two dimensions"):
        initializers.Identity()((2, 3, 4))
    with pytest.raises(ValueError, match="two dimensions"):
        initializers.Orthogonal()((2,))
    with pytest.raises(ValueError, match="floating"):
        initializers.RandomNormal()((2,), dtype="int32")
    with pytest.raises(NotImplementedError, match="__call__"):
        initializers.Initializer()((2,))


@pytest.mark.parametrize(
    "name",
    (
        "zeros one normal uniform glorot_uniform GlorotUniform he_normal lecun_normal orthogonal "
        "OrthogonalInitializer identity truncated_normal"
    ).split(),
)
def test_by_name_as_in_keras(name, oracle):
    theirs = oracle.run("result = type(keras.initializers.get(name)).__name__", name=name)
    assert type(initializers.get(name)).__name__ == theirs


def test_get_of_other_things():
    made = initializers.Constant(2.0)
    assert initializers.get(None) is None
    assert initializers.get(made) is made
    assert type(initializers.get(initializers.Ones)) is initializers.Ones
    for values in (np.eye(2), ops.convert_to_tensor(np.eye(2))):
        np.testing.assert_array_equal(
            initializers.get(values)((2, 2), "float32").numpy(), np.eye(2)
        )
        with pytest.raises(ValueError, match="shape"):
            initializers.get(values)((3, 2))
    for bad in ("no_such_initializer", 3):
        with pytest.raises(ValueError, match="initializer"):
            initializers.get(bad)
