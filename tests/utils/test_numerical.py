"""to_categorical and normalize against Keras; the names of `nkeras.utils` and `nkeras.backend`."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.utils import normalize, to_categorical

CLASSES: list[tuple[Any, int | None]] = [
    ([0, 2, 1], None),
    ([0, 2, 1], 5),
    ([[0], [2]], None),
    ([[0, 1], [2, 3]], 4),
    (3, None),
    ([], 3),
    (np.array([1.0, 2.0]), None),
]
NORMS: list[dict[str, Any]] = [{}, {"axis": -2}, {"order": 1}, {"axis": 1, "order": 2}]


def test_to_categorical_is_keras(oracle: Any) -> None:
    expected = oracle.run(
        "result = [keras.utils.to_categorical(x, n) for x, n in classes]", classes=CLASSES
    )
    for (x, count), wanted in zip(CLASSES, expected, strict=True):
        got = to_categorical(x, count)
        np.testing.assert_array_equal(got, wanted)
        assert got.dtype == wanted.dtype


def test_to_categorical_of_a_tensor() -> None:
    made = to_categorical(nkeras.ops.convert_to_tensor([[0], [2]]), 3)
    assert isinstance(made, nkeras.Tensor)
    np.testing.assert_array_equal(made.numpy(), [[1, 0, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match="num_classes"):
        to_categorical(nkeras.ops.convert_to_tensor([1]))


@pytest.mark.parametrize(("x", "count"), [([0, 3], 3), ([-1, 0], 3), ([], None)])
def test_classes_out_of_range(x: list[int], count: int | None) -> None:
    with pytest.raises(ValueError, match="to_categorical"):
        to_categorical(x, count)


@pytest.mark.parametrize("arguments", NORMS, ids=str)
def test_normalize_is_keras(oracle: Any, arguments: dict[str, Any]) -> None:
    x = np.array([[3.0, -4.0, 0.0], [0.0, 0.0, 0.0], [1.0, 2.0, 2.0]])
    expected = oracle.run("result = keras.utils.normalize(x, **a)", x=x, a=arguments)
    np.testing.assert_allclose(normalize(x, **arguments), expected, rtol=1e-12)
    as_tensor = normalize(nkeras.ops.convert_to_tensor(x), **arguments)
    assert isinstance(as_tensor, nkeras.Tensor)
    np.testing.assert_allclose(as_tensor.numpy(), expected, rtol=1e-6, atol=1e-7)


def test_normalize_along_the_first_axis() -> None:
    """Keras 3.15 takes the norms of axis 0, but divides along the last one."""
    x = np.array([[3.0, 0.0], [4.0, 0.0]])
    np.testing.assert_allclose(normalize(x, axis=0), [[0.6, 0.0], [0.8, 0.0]])


def test_names_of_utils() -> None:
    names = """
        to_categorical normalize set_random_seed clear_session Progbar PyDataset Sequence
        get_custom_objects CustomObjectScope custom_object_scope register_keras_serializable
        serialize_keras_object deserialize_keras_object get_registered_name get_registered_object
        pack_x_y_sample_weight unpack_x_y_sample_weight print_summary
    """
    for name in names.split():
        assert callable(getattr(nkeras.utils, name)), name
    with pytest.raises(AttributeError, match="nothing"):
        nkeras.utils.nothing  # noqa: B018


def test_a_seed_is_also_that_of_libraries_whose_pipelines_shuffle(monkeypatch):
    seeded = []
    tensorflow = SimpleNamespace(random=SimpleNamespace(set_seed=seeded.append))
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(manual_seed=seeded.append))
    nkeras.utils.set_random_seed(7)
    assert seeded == [7, 7]


def test_old_scripts_find_settings_in_backend() -> None:
    backend = nkeras.backend
    backend.set_floatx("float64")
    backend.set_epsilon(1e-3)
    backend.set_image_data_format("channels_first")
    assert (backend.floatx(), backend.epsilon()) == ("float64", 1e-3)
    assert nkeras.config.image_data_format() == backend.image_data_format() == "channels_first"
    backend.clear_session()
    assert nkeras.layers.Dense(1).name == "dense"
    with pytest.raises(AttributeError, match="nothing"):
        backend.nothing  # noqa: B018


@pytest.mark.parametrize("count", [-2, 1.5, "3"])
def test_to_categorical_refuses_what_is_no_number_of_classes(count):
    with pytest.raises(ValueError, match="`num_classes` must be a positive int or None"):
        to_categorical([0], count)
