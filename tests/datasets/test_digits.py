"""The digits that ship with nkeras are scikit-learn's, split once and for all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from nkeras.datasets import digits


def rows(images: np.ndarray, labels: np.ndarray) -> list[bytes]:
    """One sortable value per image with its label."""
    return sorted(
        bytes([label]) + image.tobytes() for image, label in zip(images, labels, strict=True)
    )


def test_shapes_and_range() -> None:
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert x_train.shape == (1437, 8, 8)
    assert x_test.shape == (360, 8, 8)
    assert y_train.shape == (1437,)
    assert y_test.shape == (360,)
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert (x_train.min(), x_train.max()) == (0, 16)


def test_every_digit_has_its_share() -> None:
    (_, y_train), (_, y_test) = digits.load_data()
    all_counts = np.bincount(y_train, minlength=10) + np.bincount(y_test, minlength=10)
    expected = all_counts * 360 / 1797
    assert np.all(np.abs(np.bincount(y_test, minlength=10) - expected) < 1)


def test_same_images_as_scikit_learn() -> None:
    from sklearn.datasets import load_digits  # a second, in which each worker would wait

    (x_train, y_train), (x_test, y_test) = digits.load_data()
    source = load_digits()
    ours = rows(np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test]))
    assert ours == rows(source.images.astype(np.uint8), source.target.astype(np.uint8))


def test_split_never_changes() -> None:
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    digest = hashlib.sha256()
    for array in (x_train, y_train, x_test, y_test):
        digest.update(array.tobytes())
    assert digest.hexdigest()[:16] == "6b2f1c9a0b01b7c2"


def test_calls_share_no_memory() -> None:
    (first, _), _ = digits.load_data()
    first[:] = 0
    (second, _), _ = digits.load_data()
    assert second.any()


def test_file_is_small() -> None:
    assert Path(digits.__file__).with_name("digits.npz").stat().st_size < 120_000
