"""The examples run, and learn."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


def test_each_has_a_test() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    tested |= set(LEAST)
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= tested


def test_own_elementwise_op() -> None:
    names = load("own_elementwise_op")
    gradient = names["show_gradient"]().numpy()
    expected = 1 - np.tanh(np.linspace(-4, 4, 5) / 2) ** 2
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)
    losses = names["train_with_it"]()
    assert losses["numpy"] == pytest.approx(losses["cpu"], rel=1e-2)
    assert losses["cpu"] < 0.03


def test_own_array_kernel() -> None:
    names = load("own_array_kernel")
    found, true = names["learn_decays"]()
    np.testing.assert_allclose(found, true, atol=0.01)


def test_locally_normalized_convolution() -> None:
    names = load("locally_normalized_convolution")
    seen, changed = names["train"](names["normalized_conv"](16))
    assert seen > 0.9
    assert changed > 0.9


def test_augmentation() -> None:
    plain, augmented = load("augmentation")["main"](epochs=4)
    assert augmented > plain + 0.05


def test_autoencoder() -> None:
    before, after = load("autoencoder")["main"](epochs=8)
    assert after < 0.75 * before


def test_lenet_at_work(tmp_path: Path) -> None:
    page = tmp_path / "lenet.html"
    accuracy = load("lenet_at_work")["main"](page, epochs=2, images=400)
    assert accuracy > 0.3
    assert '"moments":["before","epoch 2"]' in page.read_text(encoding="utf-8")


def test_gan() -> None:
    distance, _, _ = load("gan")["main"](steps=400)
    assert 0.7 < distance < 1.3


@pytest.mark.long
def test_gan_covers_the_ring() -> None:
    distance, deviation, least = load("gan")["main"]()
    assert 0.9 < distance < 1.1
    assert deviation < 0.2
    assert least > 0.1


def test_locally_connected() -> None:
    local, _ = load("locally_connected")["main"](epochs=3)
    assert local > 0.85


@pytest.mark.long
def test_locally_connected_beats_its_convolutional_twin() -> None:
    local, shared = load("locally_connected")["main"]()
    assert local > shared


def test_images_from_folder() -> None:
    with nkeras.use_backend("numpy"):  # compiles nothing
        assert 0.0 <= load("images_from_folder")["main"](epochs=1, count=12) <= 1.0


@pytest.mark.long
def test_images_from_folder_are_told_apart() -> None:
    assert load("images_from_folder")["main"]() > 0.9


def test_transfer_learning() -> None:
    before, after = load("transfer_learning")["main"](epochs=2)
    assert min(before, after) > 1 / 6


@pytest.mark.long
def test_transfer_learning_tells_shapes_and_colours_apart() -> None:
    before, after = load("transfer_learning")["main"]()
    assert after > max(before, 0.9)


def test_sequence_classification() -> None:
    assert load("sequence_classification")["main"](epochs=4) > 0.9


def test_text_classification() -> None:
    assert load("text_classification")["main"](epochs=3, count=600) > 0.8


def test_transformer_sorts() -> None:
    assert load("transformer_sorts")["main"](epochs=2, count=4000) > 0.5


def test_forecast() -> None:
    error, yesterday = load("forecast")["main"](epochs=4)
    assert error < yesterday


def test_structured_data() -> None:
    accuracy, risk = load("structured_data")["main"](rows=1000, epochs=4)
    assert accuracy > 0.65
    assert risk > 0.5


def test_custom_layer_and_train_step() -> None:
    assert load("custom_layer_and_train_step")["main"]() > 0.97


LEAST = {"simple_mnist_convnet": (2, 0.2, 0.88), "functional_api": (1, 0.11, 0.85)}


@pytest.mark.parametrize("name", LEAST)
def test_few_epochs(name: str) -> None:
    epochs, least, _ = LEAST[name]
    assert load(name)["main"](epochs=epochs) > least


@pytest.mark.long
@pytest.mark.parametrize("name", LEAST)
def test_all_epochs(name: str) -> None:
    assert load(name)["main"]() > LEAST[name][2]


def test_mnist_file(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    images = {
        f"x_{part}": generator.integers(0, 256, (64, 28, 28), np.uint8)
        for part in ("train", "test")
    }
    labels = {f"y_{part}": generator.integers(0, 10, 64, np.uint8) for part in ("train", "test")}
    np.savez(tmp_path / "mnist.npz", **images, **labels)
    accuracy = load("simple_mnist_convnet")["main"](str(tmp_path / "mnist.npz"), epochs=1)
    assert 0 <= accuracy <= 1
