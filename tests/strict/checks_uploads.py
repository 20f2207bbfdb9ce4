"""Batches are copied ahead: in which order, from which memory, and what comes of breaking off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest

import nkeras
from nkeras.core.tensor import Tensor
from nkeras.training.uploading import uploaded_ahead
from nkeras_numba_cuda import launch
from nkeras_numba_cuda.counting import counting
from nkeras_numba_cuda.strict import device
from nkeras_numba_cuda.uploads import Uploads
from tests.strict import small_models


@pytest.fixture(autouse=True)
def journal() -> Iterator[list[str]]:
    """What was queued, launches among it."""

    def launched(kernel: Any, *arguments: Any) -> None:
        device.told("launch")
        launch.launch_here(kernel, *arguments)

    with (
        nkeras.use_backend("numba_cuda"),
        mock.patch.object(device, "journal", []) as written,
        mock.patch.object(launch, "launcher", launched),
    ):
        yield written


def batches(count: int, closed: list[int] | None = None) -> Any:
    try:
        for number in range(count):
            x = np.full((3, 2), number, "float32")
            yield x, np.full(3, number, "int64"), None
    finally:
        if closed is not None:
            closed.append(count)


def test_the_order_of_copies_events_and_launches(journal: list[str]) -> None:
    for x, y, weights in uploaded_ahead(batches(4)):
        assert weights is None
        assert isinstance(x, Tensor)
        number = float((x + 0.0).numpy()[0, 0])
        assert (x.numpy() == number).all()
        assert y.numpy().tolist() == [number] * 3
        assert (x.dtype, y.dtype) == ("float32", "int64")
    begun = [
        "event on the compute stream",
        "copy stream waits for event of the compute stream",
        "copy of 512 bytes",
        "event on the copy stream",
    ]
    used = ["compute stream waits for event of the copy stream", "launch"]
    pinned = ["pinned memory", *begun]
    found = [line for line in journal if "launch" not in line or line == "launch"]
    assert found == [*pinned, *pinned, *used, *begun, *used, *begun, *used, *used]


def test_memory_is_pinned_and_not_written_while_it_is_read() -> None:
    """The stand-in copies when somebody waits: a buffer that is written too early shows."""
    uploads = Uploads()
    arrays = [np.full(70, number, "float32") for number in range(5)]
    begun = [uploads.begin([array], ["float32"]) for array in arrays[:2]]
    with counting() as counts:
        begun.append(uploads.begin([arrays[2]], ["float32"]))
    assert counts.synchronizations.total() == 1  # for the first copy, as nobody had waited yet
    for array, (copies, wait) in zip(arrays[:3], begun, strict=True):
        wait()
        np.testing.assert_array_equal(copies[0].get(), array)
    with counting() as counts:
        uploads.begin([arrays[3]], ["float32"])
    assert not counts.synchronizations


def test_arrays_of_all_kinds() -> None:
    given = [
        (np.array([[True, False, True]]), "bool"),
        (np.arange(6).reshape(2, 3).T, "int32"),
        (np.zeros((0, 4)), "float32"),
        (np.linspace(0, 1, 5), "bfloat16"),
        (np.arange(300, dtype="float16"), "float16"),
    ]
    copies, wait = Uploads().begin(*map(list, zip(*given, strict=True)))
    wait()
    for copy, (array, name) in zip(copies, given, strict=True):
        assert copy.dtype.name == name
        assert copy.data.ptr % 16 == 0 or not copy.size
        np.testing.assert_array_equal(copy.get(), array.astype(copy.dtype))
    assert Uploads().begin([], [])[0] == []


def test_breaking_off_waits_for_the_copy_and_closes_the_data(journal: list[str]) -> None:
    closed: list[int] = []
    ahead = uploaded_ahead(batches(4, closed))
    next(ahead)
    ahead.close()
    assert closed == [4]
    assert journal[-1] == "compute stream waits for event of the copy stream"


def test_other_backends_get_the_batches_as_they_are() -> None:
    ahead = uploaded_ahead(batches(3))
    assert isinstance(next(ahead)[0], Tensor)
    with nkeras.use_backend("numpy"):
        x = next(ahead)[0]
        assert type(x) is np.ndarray
        assert (x == 1).all()
        assert all(type(one[0]) is np.ndarray for one in uploaded_ahead(batches(3)))
    assert isinstance(next(ahead)[0], Tensor)


@pytest.mark.parametrize("place", ["numba_cuda", "cuda:1"])
def test_fit_is_the_same(place: str) -> None:
    x, y = small_models.data("mlp")
    found = []
    for backend in ("numpy", place):
        with nkeras.use_backend(backend):
            nkeras.utils.set_random_seed(0)
            model = small_models.mlp()
            model.compile("sgd", small_models.LOSS, metrics=["accuracy"])
            history = model.fit(x, y, batch_size=5, epochs=2, verbose=0)
            found.append([history.history["loss"], model.predict(x, verbose=0)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_generator_is_not_asked_for_a_batch_too_many() -> None:
    taken = []

    def endless() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        x, y = small_models.data("mlp")
        while True:
            taken.append(1)
            yield x[:4], y[:4]

    model = small_models.mlp()
    model.compile("sgd", small_models.LOSS)
    model.fit(endless(), steps_per_epoch=3, epochs=2, verbose=0)
    assert len(taken) == 6
