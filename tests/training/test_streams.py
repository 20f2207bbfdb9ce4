"""Loaders of other libraries, by stand-ins of their shape, and batches that change theirs."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.data.foreign import host_array
from nkeras.training.sources import adapt

X = np.arange(24, dtype="float32").reshape(8, 3)
Y = np.arange(8) % 2


class Tensor:
    """What torch, JAX and TensorFlow have: dlpack, and two attributes of torch's."""

    def __init__(self, array: np.ndarray, device: int = 1, requires_grad: bool = False) -> None:
        self.array = array
        self.kind = device
        self.device = {1: "cpu", 2: "cuda:0"}[device]
        self.requires_grad = requires_grad

    def detach(self) -> Tensor:
        return Tensor(self.array)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.kind, 0

    def __dlpack__(self, **options: Any) -> Any:
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient")
        return self.array.__dlpack__(**options)


class OldTensor:
    """One that cannot be shared, such as a tensor of texts."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack_device__(self) -> tuple[int, int]:
        raise BufferError("not for this dtype")

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.array


class Frame:
    """What a DataFrame of pandas is here: columns with dtypes."""

    def __init__(self, **columns: Any) -> None:
        self._columns = columns
        self.columns = list(columns)
        self.dtypes = [column.dtype for column in self._columns.values()]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.stack([column.astype(self._common()) for column in self._columns.values()], 1)

    def _common(self) -> Any:
        kinds = {getattr(dtype, "kind", "O") for dtype in self.dtypes}
        return object if kinds - set("biuf") else np.result_type(*self.dtypes)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns[name]

    def keys(self) -> list[str]:
        return self.columns


class Column:
    """What an Array of pyarrow is here."""

    name = ""

    def __init__(self, values: Any, null_count: Any = 0, type: Any = None) -> None:
        self.values = np.asarray(values)
        self.null_count = null_count
        self.type = type

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.values

    def flatten(self) -> Column:
        return Column(self.values.reshape(-1))


class Lists:
    list_size = 3


class Nullable:
    """A column of pandas' nullable integers that lacks one."""

    dtype = "Int64"

    def astype(self, dtype: Any) -> np.ndarray:
        return np.array([None] * 8, object)


class Polars:
    def __init__(self, **columns: Column) -> None:
        self.named = columns
        for name, column in columns.items():
            column.name = name

    def get_columns(self) -> list[Column]:
        return list(self.named.values())

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.stack([column.values for column in self.named.values()], 1)


class Field:
    def __init__(self, name: str, type: str) -> None:
        self.name, self.type = name, type


class RecordBatch:
    def __init__(self, **columns: Column) -> None:
        self.column_names = list(columns)
        self.columns = list(columns.values())
        names = {"f": "float", "i": "int64", "U": "string", "O": "string"}
        kinds = {name: names[column.values.dtype.kind] for name, column in columns.items()}
        self.schema = [Field(name, kind) for name, kind in kinds.items()]

    def column(self, index: int) -> Column:
        return self.columns[index]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        dtypes = {column.values.dtype.kind for column in self.columns}
        common = object if "U" in dtypes else "float64"
        return np.stack([column.values.astype(common) for column in self.columns], 1)


def of_library(name: str) -> type:
    """A loader that seems to come from a library."""

    class Loader:
        def __init__(self, batches: Any, slow: float = 0.0) -> None:
            self.batches = list(batches)
            self.slow = slow
            self.threads: set[str] = set()
            self.taken = 0

        def __iter__(self) -> Iterator[Any]:
            for batch in self.batches:
                self.threads.add(threading.current_thread().name)
                self.taken += 1
                time.sleep(self.slow)
                if isinstance(batch, Exception):
                    raise batch
                yield batch

        def __len__(self) -> int:
            return len(self.batches)

    Loader.__module__ = name
    return Loader


Torch = of_library("torch.utils.data.dataloader")
Own = of_library("__main__")


def batches(wrap: Any) -> list[Any]:
    return [[wrap(X[:4]), wrap(Y[:4])], [wrap(X[4:]), wrap(Y[4:])]]


@pytest.mark.parametrize("library", ["torch.utils.data", "tensorflow.data", "grain._src", "mine"])
@pytest.mark.parametrize("wrap", [Tensor, OldTensor, np.asarray, Column, np.ndarray.tolist])
def test_batches_of_other_libraries(library: str, wrap: Any) -> None:
    loader = of_library(library)(batches(wrap))
    for _ in range(2):
        found = list(adapt(loader).batches())
        assert [type(batch) for batch in found] == [tuple, tuple]
        np.testing.assert_array_equal(np.concatenate([x for x, _ in found]), X)
        np.testing.assert_array_equal(np.concatenate([y for _, y in found]), Y)
        assert found[0][0].dtype == "float32"
    ahead = {name.startswith("nkeras_dataset") for name in loader.threads}
    assert ahead == {library != "mine"}


def test_memory_is_shared() -> None:
    ((x, y),) = adapt(Torch([(Tensor(X), Tensor(Y, requires_grad=True))])).batches()
    assert np.shares_memory(x, X)
    assert np.shares_memory(y, Y)
    lists = Column(X, type=Lists())
    assert np.shares_memory(host_array(lists, "x"), X)
    assert host_array(lists, "x").shape == (8, 3)


def test_a_dict_of_columns_is_inputs_by_name() -> None:
    frame = Frame(a=X[:, 0], b=Y)
    (batch,) = adapt(Own([({name: frame[name] for name in frame.keys()}, Y)])).batches()
    assert set(batch[0]) == {"a", "b"}
    np.testing.assert_array_equal(batch[0]["b"], Y)


def test_tables_of_numbers_are_arrays() -> None:
    frame = Frame(a=X[:, 0], b=Y)
    record = RecordBatch(a=Column(X[:, 0]), b=Column(Y))
    for table in (frame, record):
        ((x, _),) = adapt(Own([(table, Y)])).batches()
        assert x.dtype == "float32"
        np.testing.assert_array_equal(x, np.stack([X[:, 0], Y], 1))


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (Frame(a=Y, city=np.array(["x"] * 8)), r"Batch 1 .*no number: 'city' \(<U1\)"),
        (Frame(a=Y, day=np.array(["2026-01-01"] * 8, "datetime64[D]")), r"'day' \(datetime64"),
        (Frame(a=Y, **{f"c{i}": np.array(["x"] * 8) for i in range(9)}), "'c2'.* and others"),
        (Frame(a=Y, n=Nullable()), r"number: 'n' \(Int64\)\. Give the others"),
        (Polars(a=Column(Y), b=Column(Y, null_count=lambda: 3)), "column 'b' of the Polars has 3"),
        (RecordBatch(a=Column(Y), city=Column(["x"] * 8)), r"'city' \(string\)"),
        (
            RecordBatch(a=Column(Y), age=Column(Y, null_count=2)),
            "Batch 1 .*column 'age' of the RecordBatch has 2 missing values",
        ),
        (Column(Y, null_count=1), "the Column has 1 missing values"),
        (Tensor(X, device=2), "a Tensor on the device 'cuda:0'"),
        (np.float32(3), "at least one dimension.*must be put into batches first"),
        ([[1.0], [2.0, 3.0]], "inhomogeneous"),
    ],
)
def test_wrong_leaves_name_the_batch(table: Any, text: str) -> None:
    for loader in (Own, Torch):
        with pytest.raises(ValueError, match=text) as found:
            list(adapt(loader([(X, Y), (table, Y)])).batches())
        assert len(str(found.value)) <= 400


STRUCTURES: list[tuple[Any, Any, str]] = [
    ((X, Y), (X, Y, Y), r"\(array, array, array\) instead of \(array, array\)"),
    ((X, Y), X, r"array instead of \(array, array\)"),
    ((X, Y), ({"a": X}, Y), r"\(\{a: array\}, array\) instead"),
    (({"a": X, "b": X}, Y), ({"a": X}, Y), r"\(\{a: array\}, array\) instead of \(\{a: array, b"),
    (((X, X), Y), ((X, None), Y), r"\(\(array, None\), array\) instead"),
]


@pytest.mark.parametrize(("first", "later", "text"), STRUCTURES)
def test_another_structure_names_the_batch(first: Any, later: Any, text: str) -> None:
    text = rf"Batch 2 of the \w+, counted from 0, has another structure than the first: {text}"
    for data in (Own([first, first, later]), Torch([first, first, later])):
        with pytest.raises(ValueError, match=text) as found:
            list(adapt(data).batches())
        assert len(str(found.value)) <= 400
    with pytest.raises(ValueError, match=text):
        list(adapt(iter([first, first, later])).batches())

    class Dataset(nkeras.utils.PyDataset):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            return later if index == 2 else first

    if isinstance(later, tuple):  # an array alone is (x,) there
        for workers in (1, 3):
            with pytest.raises(ValueError, match=text):
                list(adapt(Dataset(workers=workers)).batches())


def test_lists_and_tuples_are_alike() -> None:
    assert len(list(adapt(Own([[X, Y], (X, Y), [X, Y.tolist()]])).batches())) == 3


def test_no_more_than_two_batches_are_taken_ahead() -> None:
    loader = Torch([(X, Y)] * 20)
    taken = adapt(loader).batches()
    for number in range(3):
        next(taken)
        time.sleep(0.05)
        assert loader.taken <= number + 1 + 2
    before = threading.active_count()
    taken.close()
    assert threading.active_count() == before - 1


def test_errors_come_in_their_place_and_no_thread_is_left() -> None:
    before = threading.active_count()
    loader = Torch([(X, Y), (X, Y), KeyError("no such file"), (X, Y)])
    taken = adapt(loader).batches()
    next(taken)
    next(taken)
    with pytest.raises(KeyError, match="no such file") as found:
        next(taken)
    assert "__iter__" in {entry.name for entry in found.traceback}
    assert threading.active_count() == before


def model() -> nkeras.Sequential:
    nkeras.utils.set_random_seed(0)
    found = nkeras.Sequential([nkeras.Input((3,)), nkeras.layers.Dense(1)])
    found.compile("sgd", "mse")
    return found


def test_an_interrupt_ends_the_thread() -> None:
    class Interrupt(nkeras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 1:
                raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), nkeras.use_backend("numpy"):
        model().fit(Torch([(X, Y)] * 9, slow=0.01), verbose=0, callbacks=[Interrupt()])
    assert threading.active_count() == before


def test_training_is_that_on_arrays() -> None:
    with nkeras.use_backend("numpy"):
        expected = model().fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
        for loader in (Torch(batches(Tensor)), Own(batches(np.ndarray.tolist))):
            found = model().fit(loader, epochs=2, verbose=0).history
            assert found == expected


class Endless:
    def __iter__(self) -> Iterator[Any]:
        return ((X + i, Y) for i in itertools.count())


Endless.__module__ = "tensorflow.data"


def test_endless_loaders() -> None:
    data, trained = Endless(), model()
    with nkeras.use_backend("numpy"):
        before = threading.active_count()
        history = trained.fit(
            data,
            validation_data=data,
            steps_per_epoch=3,
            validation_steps=2,
            epochs=2,
            verbose=0,
        ).history
        assert len(history["val_loss"]) == 2
        assert trained.predict(data, steps=2, verbose=0).shape == (16, 1)
        assert trained.evaluate(data, steps=2, verbose=0) > 0
        assert threading.active_count() == before
