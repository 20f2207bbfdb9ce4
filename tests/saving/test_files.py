"""Saving and loading: what a user does, and the errors a user makes."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.saving.weights import places

X = np.random.default_rng(2).normal(size=(8, 4)).astype("float32")
Y = X[:, :2]


def mlp(units: int = 3, **options: Any) -> Any:
    layers = [nkeras.Input((4,)), nkeras.layers.Dense(units, "relu", **options)]
    model = nkeras.Sequential([*layers, nkeras.layers.Dropout(0.5), nkeras.layers.Dense(2)])
    model.compile("adam", "mse")
    return model


def test_a_model_goes_on_where_it_stopped_dropout_included(tmp_path: Path) -> None:
    model = mlp()
    model.fit(X, Y, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    read = nkeras.saving.load_model(tmp_path / "model.keras")
    for trained in (model, read):
        trained.fit(X, Y, shuffle=False, epochs=3, verbose=0)
    for one, other in zip(model.variables, read.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_an_optimizer_that_was_not_built_keeps_its_learning_rate(tmp_path: Path) -> None:
    model = mlp()
    model.optimizer.learning_rate = 0.25
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            float(nkeras.saving.load_model(tmp_path / "model.keras").optimizer.learning_rate)
            == 0.25
        )


def test_open_files_and_folders(tmp_path: Path) -> None:
    model = mlp()
    file = io.BytesIO()
    model.save(file)
    file.seek(0)
    model.save(tmp_path / "folder", zipped=False)
    for read in (nkeras.models.load_model(file), nkeras.models.load_model(tmp_path / "folder")):
        np.testing.assert_array_equal(read(X), model(X))


def test_without_the_state_of_training(tmp_path: Path) -> None:
    model = mlp()
    model.fit(X, Y, verbose=0)
    for name, options in (("m.keras", {}), ("m.h5", {}), ("folder", {"zipped": False})):
        model.save(tmp_path / name, include_optimizer=False, **options)
        read = nkeras.saving.load_model(tmp_path / name)
        assert not read.compiled
        np.testing.assert_array_equal(read(X), model(X))
    model.save(tmp_path / "whole.keras")
    assert (tmp_path / "m.keras").stat().st_size < (tmp_path / "whole.keras").stat().st_size


def test_assets_of_layers_of_ones_own(tmp_path: Path) -> None:
    @nkeras.saving.register_keras_serializable("test_files")
    class Words(nkeras.Layer):
        words: tuple[str, ...] = ()

        def call(self, inputs: Any) -> Any:
            return inputs + 0.0

        def save_assets(self, inner_path: str) -> None:
            Path(inner_path, "words.txt").write_text("\n".join(self.words))

        def load_assets(self, inner_path: str) -> None:
            self.words = tuple(Path(inner_path, "words.txt").read_text().split("\n"))

    model = nkeras.Sequential([nkeras.Input((4,)), Words(), Words()])
    model.layers[0].words, model.layers[1].words = ("one", "two"), ("three",)
    model.save(tmp_path / "model.keras")
    model.save(tmp_path / "folder", zipped=False)
    for path in (tmp_path / "model.keras", tmp_path / "folder"):
        read = nkeras.saving.load_model(path)
        assert [layer.words for layer in read.layers] == [("one", "two"), ("three",)]
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert "assets/layers/words_1/words.txt" in archive.namelist()


def test_a_folder_of_tensorflow_is_named(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(ValueError, match="is a SavedModel of TensorFlow"):
        nkeras.saving.load_model(tmp_path)


def test_compile_false(tmp_path: Path) -> None:
    mlp().save(tmp_path / "model.keras")
    assert not nkeras.saving.load_model(tmp_path / "model.keras", compile=False).compiled


def test_a_layer_in_two_places_is_one_again(tmp_path: Path) -> None:
    shared = nkeras.layers.Dense(4, name="shared")

    @nkeras.saving.register_keras_serializable("test_files")
    class Twice(nkeras.Layer):
        def __init__(self, first: Any, second: Any, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.first, self.second = first, second

        def build(self, input_shape: Any) -> None:
            self.first.build(input_shape)

        def call(self, inputs: Any) -> Any:
            return self.second(self.first(inputs))

        def get_config(self) -> dict[str, Any]:
            config = {**super().get_config()}
            for name in ("first", "second"):
                config[name] = nkeras.saving.serialize_keras_object(getattr(self, name))
            return config

        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            for name in ("first", "second"):
                config[name] = nkeras.saving.deserialize_keras_object(config[name])
            return cls(**config)

    model = nkeras.Sequential([nkeras.Input((4,)), Twice(shared, shared)])
    model.save(tmp_path / "model.keras")
    read = nkeras.saving.load_model(tmp_path / "model.keras")
    assert read.layers[0].first is read.layers[0].second
    np.testing.assert_array_equal(read(X), model(X))


def test_a_layer_in_two_wrappers_is_one_again(tmp_path: Path) -> None:
    inputs, inner = nkeras.Input((5, 4)), nkeras.layers.Dense(4)
    outputs = nkeras.layers.TimeDistributed(inner)(inputs)
    model = nkeras.Model(inputs, nkeras.layers.TimeDistributed(inner)(outputs))
    model.save(tmp_path / "model.keras")
    read = nkeras.saving.load_model(tmp_path / "model.keras")
    assert len(read.weights) == 2
    x = X[:5][None]
    np.testing.assert_array_equal(read(x), model(x))


def test_functions_of_ones_own_are_handed_over(tmp_path: Path) -> None:
    def twice_as_much(x: Any) -> Any:
        return 2 * x

    model = nkeras.Sequential([nkeras.Input((4,)), nkeras.layers.Lambda(twice_as_much)])
    model.save(tmp_path / "model.keras")
    with pytest.raises(TypeError, match=r"'twice_as_much'.*custom_objects"):
        nkeras.saving.load_model(tmp_path / "model.keras")
    read = nkeras.saving.load_model(
        tmp_path / "model.keras", custom_objects={"twice_as_much": twice_as_much}
    )
    np.testing.assert_array_equal(read(X), 2 * X)


def test_weights_all_or_none(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    mlp(units=5).save_weights(path)
    model = mlp()
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"kernel has shape \(4, 3\), in the file \(4, 5\)"):
        model.load_weights(path)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.warns(UserWarning, match="some weights stay"):
        model.load_weights(path, skip_mismatch=True)
    model.load_weights(path, objects_to_skip=[model.layers[0], model.layers[2], model.optimizer])


def test_a_file_is_not_replaced_against_the_users_will(tmp_path: Path) -> None:
    for save, name in ((mlp().save, "m.keras"), (mlp().save_weights, "m.weights.h5")):
        save(tmp_path / name)
        content = (tmp_path / name).read_bytes()
        with pytest.raises(FileExistsError, match="overwrite"):
            save(tmp_path / name, overwrite=False)
        assert (tmp_path / name).read_bytes() == content


def test_messages(tmp_path: Path) -> None:
    model = mlp()
    model.save(tmp_path / "model.keras")
    unbuilt = nkeras.Sequential([nkeras.layers.Dense(2)])
    for action, message in (
        (lambda: model.save(tmp_path / "model.tf"), "must end in .keras"),
        (lambda: model.save(tmp_path / "m.keras", overwrit=True), "unknown arguments"),
        (lambda: model.save("gs://bucket/m.keras"), "path of this machine"),
        (lambda: model.save_weights(tmp_path / "weights.npz"), "must end in .weights.h5"),
        (lambda: model.load_weights(tmp_path / "weights.npz"), "must end in .weights.h5"),
        (lambda: unbuilt.save_weights(tmp_path / "m.weights.h5"), "is not built"),
        (lambda: nkeras.saving.load_model(tmp_path / "none.keras"), "there is no file"),
        (lambda: nkeras.saving.load_model(tmp_path / "model.keras", safe_mode=False), "safe_mode"),
        (lambda: nkeras.saving.load_model(3), "a path"),
    ):
        with pytest.raises((ValueError, TypeError), match=message) as error:
            action()
        assert len(str(error.value)) <= 400
    with pytest.warns(UserWarning, match="not built"):
        unbuilt.save(tmp_path / "unbuilt.keras")
    assert not nkeras.saving.load_model(tmp_path / "unbuilt.keras").built


class Pair(nkeras.Model):
    """A model that is never called: `fit` would call its layers in a `train_step`."""

    def __init__(self) -> None:
        super().__init__()
        self.generator, self.judge = mlp(), mlp()


def test_a_model_whose_layers_are_built_has_weights(tmp_path: Path) -> None:
    first, second = Pair(), Pair()
    assert not first.built
    first.save_weights(tmp_path / "pair.weights.h5")
    second.load_weights(tmp_path / "pair.weights.h5")
    for mine, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_each_of_many_models_in_a_model_has_a_place_in_files() -> None:
    class Many(nkeras.Model):
        def __init__(self) -> None:
            super().__init__()
            for number in range(20):
                setattr(self, f"part_{number}", mlp())

    model = Many()
    for _ in range(3):  # lists of layers are made and freed: another may get the same id
        found = [variable for _, variable, is_layers in places(model) if is_layers]
        assert len(found) == len(model.weights) == 80


@pytest.mark.parametrize("where", ["a path", "in memory"])
def test_the_checksum_decides_before_a_weight_counts(tmp_path: Path, where: str) -> None:
    path = tmp_path / "a.keras"
    model = nkeras.Sequential([nkeras.Input((40,)), nkeras.layers.Dense(50)])
    model.save(path)
    damaged = bytearray(path.read_bytes())
    kernel = model.layers[0].kernel.numpy().tobytes()
    damaged[damaged.find(kernel) + 100] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"model.weights.h5'? is damaged .*checksum"):
        nkeras.saving.load_model(path if where == "a path" else io.BytesIO(damaged))


@pytest.mark.parametrize("address", [2**62, 2**63, 2**64 - 2])
@pytest.mark.parametrize("where", ["the root", "an array"])
def test_addresses_behind_the_end_of_an_hdf5_file(tmp_path: Path, address: int, where: str) -> None:
    path = tmp_path / "a.weights.h5"
    model = mlp()
    model.save_weights(path)
    damaged = bytearray(path.read_bytes())
    place = 64  # of the root, in the superblock
    if where == "an array":
        start = damaged.find(model.layers[0].kernel.numpy().tobytes())
        place = damaged.find(start.to_bytes(8, "little"))
    damaged[place : place + 8] = address.to_bytes(8, "little")
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"^a.weights.h5: .*(damaged|behind the end|became)"):
        model.load_weights(path)
