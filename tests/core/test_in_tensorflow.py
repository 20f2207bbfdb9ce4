"""Layers and ops in functions that TensorFlow traces, with a graph of a few lines in its place."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import nkeras
from nkeras import layers, ops
from nkeras.utils import FeatureSpace


class Traced:
    """A tensor of the graph: it cannot become an array."""

    name = "traced:0"

    def __init__(self, shape, dtype, values=None):
        self.set_shape(shape)
        self.dtype = SimpleNamespace(name=dtype)
        self.values = values

    def set_shape(self, shape):
        sizes = () if shape is None else shape
        self.shape = type("Shape", (tuple,), {"rank": None if shape is None else len(sizes)})(sizes)

    def __array__(self, dtype=None, copy=None):
        raise NotImplementedError("a tensor of a graph has no values")


@pytest.fixture(autouse=True)
def tensorflow(monkeypatch):
    def numpy_function(run, inputs, dtypes):
        results = run(*[tensor.values for tensor in inputs])
        assert [str(result.dtype) for result in results if result.dtype != object] == [
            dtype for dtype in dtypes if dtype != "string"
        ]
        return [Traced(None, d, r) for d, r in zip(dtypes, results, strict=True)]

    def shape(tensor):
        return [Traced((), "int32", np.int32(size)) for size in tensor.values.shape]

    stand_in = SimpleNamespace(
        shape=shape,
        is_symbolic_tensor=lambda value: isinstance(value, Traced),
        numpy_function=numpy_function,
    )
    monkeypatch.setitem(sys.modules, "tensorflow", stand_in)


def test_a_layer_is_called_when_the_graph_runs() -> None:
    images = Traced((None, 4, 4, 1), "uint8", np.full((2, 4, 4, 1), 255, np.uint8))
    pipeline = nkeras.Sequential([layers.Rescaling(1 / 255), layers.CenterCrop(2, 3)])
    y = pipeline(images, training=True)
    assert tuple(y.shape) == (None, 2, 3, 1)
    np.testing.assert_array_equal(y.values, np.ones((2, 2, 3, 1)))


def test_a_layer_is_built_and_has_no_node_of_it() -> None:
    dense = layers.Dense(3)
    dense(Traced((None, 2), "float32", np.ones((5, 2), np.float32)))
    assert dense.kernel.shape == (2, 3)
    with pytest.raises((AttributeError, ValueError)):
        dense.input  # noqa: B018


def test_structures_and_text() -> None:
    columns = {"a": Traced((None,), "string", np.array([b"x", b"y"], object)), "b": np.ones(2)}

    class Both(nkeras.Layer):
        def __init__(self):
            super().__init__()
            self.lookup = layers.StringLookup(vocabulary=["x", "y"])

        def build(self, input_shape):
            pass

        def call(self, inputs):
            return {"number": self.lookup(inputs["a"]), "text": inputs["a"]}

    found = Both()(columns)
    assert found["number"].values.tolist() == [1, 2]
    assert found["text"].values.tolist() == ["x", "y"]


def test_single_values_of_a_feature_space() -> None:
    features = FeatureSpace({"c": FeatureSpace.string_categorical(num_oov_indices=0)})
    with nkeras.use_backend("numpy"):
        features.adapt([{"c": np.array(["x", "y", "y"])}])
        found = features({"c": Traced((), "string", b"x")})
    assert tuple(found.shape) == (2,)
    assert found.values.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("op", [ops.sqrt, lambda x: ops.one_hot(ops.cast(x, "int32"), 5)])
def test_ops(op) -> None:
    x = np.array([1.0, 4.0], np.float32)
    y = op(Traced((None,), "float32", x))
    np.testing.assert_allclose(y.values, nkeras.ops.convert_to_numpy(op(x)), rtol=1e-6)
    assert y.shape[0] is None


@pytest.mark.parametrize("rows", [(), (None,)])
def test_feature_spaces(rows) -> None:
    kinds = {"a": "float_rescaled", "b": nkeras.utils.FeatureSpace.string_categorical()}
    space = nkeras.utils.FeatureSpace(kinds)
    space.adapt({"a": np.ones(2), "b": np.array(["x", "y"])})
    values = np.ones(len(rows) or (), np.int64), np.full(len(rows) or (), b"y", object)
    columns = dict(zip("ab", map(Traced, (rows, rows), ("int64", "string"), values), strict=True))
    y = space(columns)
    assert tuple(y.shape) == (*rows, 4)
    np.testing.assert_array_equal(y.values, space({"a": values[0], "b": values[1]}))


def test_sizes_that_are_not_known() -> None:
    x = Traced((None, 4), "float32", np.arange(12.0, dtype=np.float32).reshape(3, 4))
    batch, width = ops.shape(x)
    assert isinstance(batch, Traced)
    assert width == 4
    y = ops.reshape(x, (batch, 2, 2))
    assert tuple(y.shape) == (None, 2, 2)
    np.testing.assert_array_equal(y.values, x.values.reshape(3, 2, 2))
    assert ops.stack([batch, batch]).values.tolist() == [3, 3]
    with pytest.raises(ValueError, match=r"[Rr]eshape"):
        ops.reshape(x, (5, 2, 2))


def test_images_are_preprocessed() -> None:
    preprocess = nkeras.applications.vgg19.preprocess_input
    image = np.full((4, 4, 3), 100, np.uint8)
    found = preprocess(Traced((None, None, 3), "uint8", image))
    np.testing.assert_array_equal(found.values, preprocess(image))


def test_the_backend_is_that_of_the_definition() -> None:
    with nkeras.use_backend("numpy"):
        assert ops.add(Traced((), "float32", np.float32(1)), 1.0).values == 2.0


def test_a_tensor_without_rank_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'traced:0'.*no known rank.*set_shape"):
        layers.Rescaling(2.0)(Traced(None, "float32"))


def test_autograph_leaves_layers_and_ops_as_they_are() -> None:
    for called in (layers.Dense(1), ops.image.resize, ops.sqrt):
        assert hasattr(called, "autograph_info__"), called
