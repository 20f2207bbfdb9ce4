"""What Keras' own tests of models ask for."""

import numpy as np
import pytest

import nkeras
from nkeras import layers


def make():
    nkeras.utils.clear_session()
    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(2, name="out")], name="model")
    model.compile("adam", "mse")
    return model


def test_state_tree():
    model = make()
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    state = model.get_state_tree("numpy_array")
    kernel = state["trainable_variables"]["model"]["out"]["kernel"]
    np.testing.assert_array_equal(kernel, model.layers[0].kernel.numpy())
    assert state["non_trainable_variables"] == {}
    assert set(state["metrics_variables"]["loss"]) == {"count", "total"}
    assert state["optimizer_variables"]["adam"]["iteration"] == 1
    assert isinstance(
        model.get_state_tree()["trainable_variables"]["model"]["out"]["bias"], nkeras.Tensor
    )
    other = make()
    other.optimizer.build(other.trainable_variables)
    other.set_state_tree({key: state[key] for key in state if key != "metrics_variables"})
    np.testing.assert_array_equal(other.layers[0].kernel.numpy(), kernel)
    assert int(other.optimizer.iterations) == 1


def test_state_tree_of_a_part():
    model = make()
    before = model.layers[0].kernel.numpy()
    model.set_state_tree({"trainable_variables": {"model": {"out": {"bias": [1.0, 2.0]}}}})
    np.testing.assert_array_equal(model.layers[0].bias.numpy(), [1, 2])
    np.testing.assert_array_equal(model.layers[0].kernel.numpy(), before)
    with pytest.warns(UserWarning, match="no variables .*model/in/bias"):
        model.set_state_tree({"trainable_variables": {"model": {"in": {"bias": 1}}}})
    with pytest.raises(ValueError, match="unknown variable name 'weights'"):
        model.set_state_tree({"weights": {}})
    with pytest.raises(ValueError, match="`value_format` must be one of"):
        model.get_state_tree("list")


def test_state_tree_of_a_model_that_was_not_compiled():
    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(2)])
    assert model.get_state_tree()["optimizer_variables"] == {}


@pytest.mark.parametrize("second", ["one", "one/kernel"])
def test_state_tree_needs_paths(second):
    class Two(nkeras.Model):
        def build(self, input_shape):
            for name in ("one", second):
                with nkeras.name_scope("a") if "/" not in name else nkeras.name_scope("one"):
                    self.add_weight((1,), name=name.rpartition("/")[2])
            self.twice = nkeras.Variable(1.0, name="one")
            self.twice.path = self.weights[0].path + ("/x" if "/" in second else "")

    model = Two()
    model.build((None, 1))
    with pytest.raises(ValueError, match=r"found twice in the model|leads on from that"):
        model.get_state_tree()


def test_path_of_a_layer():
    layer = layers.Dense(2, name="inside")
    assert layer.path is None
    nkeras.Sequential([nkeras.Input((3,)), layer], name="around")
    assert layer.path == "around/inside"


def test_a_list_of_one_output_stays_one_in_a_configuration():
    x = nkeras.Input((3,))
    model = nkeras.Model([x], [layers.Dense(1)(x)])
    again = nkeras.models.model_from_json(model.to_json())
    assert isinstance(again.output, list)
    assert isinstance(again.predict([np.ones((1, 3))], verbose=0), np.ndarray)


@pytest.mark.parametrize("shape", [(None, 4), (2, 3)])
def test_a_sequential_model_is_built_for_its_input(shape):
    model = nkeras.Sequential([nkeras.Input((3,)), layers.Dense(1)])
    model.build((None, 3))
    with pytest.raises(ValueError, match=r"configured to use input shape \(None, 3\)"):
        model.build(shape)


@pytest.mark.parametrize("policy", [None, 5])
def test_the_default_policy_is_a_policy(policy):
    with pytest.raises(ValueError, match=r"Invalid `policy` argument\. Expected the name"):
        nkeras.config.set_dtype_policy(policy)


class Plain(nkeras.Model):
    def __init__(self):
        super().__init__()
        self.dense = nkeras.Sequential([layers.Dense(3), layers.Dense(2)])

    def call(self, x):
        return self.dense(x)


class Renamed(nkeras.Model):
    def __init__(self):
        super().__init__()
        self.a_dense = nkeras.Sequential([layers.Dense(3), layers.Dense(2)])

    @property
    def dense(self):
        return self.a_dense

    def call(self, x):
        return self.dense(x)


def test_weights_are_found_by_the_name_of_a_property(tmp_path):
    plain, renamed = Plain(), Renamed()
    for model in (plain, renamed):
        model(np.ones((2, 2), "float32"))
    plain.save_weights(tmp_path / "a.weights.h5")
    renamed.load_weights(tmp_path / "a.weights.h5")
    for one, other in zip(plain.get_weights(), renamed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    renamed.save_weights(tmp_path / "b.weights.h5")
    with pytest.raises(ValueError, match="do not fit"):
        plain.load_weights(tmp_path / "b.weights.h5")


def test_a_layer_of_a_stack_gets_one_argument():
    class Two(layers.Layer):
        def call(self, inputs, training):
            return inputs

    class Nothing(layers.Layer):
        def call(self):
            return 1

    with pytest.raises(
        ValueError, match=r"can only have a single .*needs \['inputs', 'training'\]"
    ):
        nkeras.Sequential([Two()]).build((None, 2))
    with pytest.raises(ValueError, match="has no positional argument"):
        nkeras.Sequential([nkeras.Input((2,)), Nothing()])


def test_a_stack_with_a_layer_that_says_no_shape():
    class Dynamic(layers.Layer):
        def call(self, inputs):
            return inputs + 1.0

        def compute_output_spec(self, *args, **kwargs):
            raise NotImplementedError

    x = np.ones((3, 2), "float32")
    for start in ([], [nkeras.Input((2,))]):
        model = nkeras.Sequential([*start, Dynamic(), layers.Dense(2)])
        model(x)
        expected = (x + 1) @ model.layers[1].kernel.numpy()
        np.testing.assert_allclose(model(x).numpy(), expected, rtol=1e-6)
        model.summary(print_fn=lambda *_, **__: None)
