"""Batches from generators, iterables and PyDatasets, and how epochs are cut from them."""

from __future__ import annotations

import importlib
import os
import threading
import warnings

import numpy as np
import pytest

import nkeras
from nkeras.training.epochs import Epochs
from nkeras.training.sources import adapt


def epoch(epochs):
    """Indices of steps and first numbers of their batches."""
    return [
        (
            begin,
            end,
            [int(np.ravel(batch[0] if isinstance(batch, tuple) else batch)[0]) for batch in found],
        )
        for begin, end, found in epochs.steps()
    ]


def numbers(epochs):
    return [item for _, _, found in epoch(epochs) for item in found]


def counting(stop):
    return ((np.array([float(i)]),) for i in range(stop))


class Loader:
    """What a data loader looks like."""

    def __init__(self, length, known=True):
        self.length = length
        self.known = known

    def __iter__(self):
        return counting(self.length)

    def __len__(self):
        if not self.known:
            raise TypeError("no length")
        return self.length


class Dataset(nkeras.utils.PyDataset):
    def __init__(self, length=4, **named):
        super().__init__(**named)
        self.length = length
        self.told = []
        self.threads = set()

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.threads.add(threading.current_thread().name)
        return np.full((2, 1), float(index)), np.arange(2)

    def on_epoch_begin(self):
        self.told.append("begin")

    def on_epoch_end(self):
        self.told.append("end")


class Endless(Dataset):
    @property
    def num_batches(self):
        return None


class Failing(Dataset):
    def __getitem__(self, index):
        if index == 2:
            raise KeyError("no such file")
        return super().__getitem__(index)


def test_all_batches_of_arrays_each_epoch():
    epochs = Epochs(adapt(np.arange(5.0), batch_size=2))
    assert epochs.num_batches == 3
    assert numbers(epochs) == numbers(epochs) == [0, 2, 4]


def test_steps_per_execution_hands_out_several():
    epochs = Epochs(adapt(np.arange(5.0), batch_size=1), steps_per_execution=2)
    assert epoch(epochs) == [(0, 1, [0, 1]), (2, 3, [2, 3]), (4, 4, [4])]


def test_steps_go_on_where_the_last_epoch_ended_and_begin_anew():
    epochs = Epochs(adapt(np.arange(4.0), batch_size=1), steps=2)
    assert numbers(epochs) == [0, 1]
    assert numbers(epochs) == [2, 3]
    assert numbers(epochs) == [0, 1]


def test_too_few_batches_warn_and_end_the_epoch():
    epochs = Epochs(adapt(np.arange(4.0), batch_size=1), steps=3)
    assert numbers(epochs) == [0, 1, 2]
    with pytest.warns(UserWarning, match="ran out of data"):
        assert numbers(epochs) == [3]
    assert numbers(epochs) == [0, 1, 2]


def test_a_generator_is_taken_up_once():
    epochs = Epochs(adapt(counting(3), shuffle=True))
    assert epochs.num_batches is None
    assert numbers(epochs) == [0, 1, 2]
    assert epochs.num_batches == 3
    with pytest.warns(UserWarning, match="ran out of data"):
        assert numbers(epochs) == []
    assert epochs.exhausted


def test_a_generator_with_steps():
    epochs = Epochs(adapt(counting(5)), steps=2)
    assert [numbers(epochs), numbers(epochs)] == [[0, 1], [2, 3]]
    with pytest.warns(UserWarning, match="ran out of data"):
        assert numbers(epochs) == [4]


def test_peek_takes_nothing_away():
    epochs = Epochs(adapt(counting(3)))
    assert epochs.peek()[0][0] == epochs.peek()[0][0] == 0
    assert numbers(epochs) == [0, 1, 2]


@pytest.mark.parametrize("known", [True, False])
def test_loaders_begin_anew_each_epoch(known):
    epochs = Epochs(adapt(Loader(3, known)))
    assert epochs.num_batches == (3 if known else None)
    assert numbers(epochs) == numbers(epochs) == [0, 1, 2]


def test_a_loader_of_unknown_length_with_steps_begins_anew():
    epochs = Epochs(adapt(Loader(2, known=False)), steps=2)
    assert numbers(epochs) == numbers(epochs) == [0, 1]


@pytest.mark.parametrize("empty", [counting(0), Loader(0), Loader(0, known=False), Dataset(0)])
def test_no_batches_are_refused(empty):
    with pytest.raises(ValueError, match="no data"):
        numbers(Epochs(adapt(empty)))


def test_class_weight_in_batches():
    stream = iter([(np.zeros((2, 1)), np.array([0, 1]))])
    with pytest.warns(UserWarning, match=r"`class_weight` lacks the classes \[0\]"):
        (batch,) = adapt(stream, class_weight={1: 3.0}).batches()
    assert batch[2].tolist() == [1.0, 3.0]
    stream = iter([(np.zeros(2), np.zeros(2), np.zeros(2))])
    with pytest.raises(ValueError, match="at the same time"):
        list(adapt(stream, class_weight={1: 3.0}).batches())


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_datasets_keep_their_order_with_any_number_of_threads(workers):
    dataset = Dataset(7, workers=workers, max_queue_size=2)
    epochs = Epochs(adapt(dataset))
    assert epochs.num_batches == 7
    assert numbers(epochs) == numbers(epochs) == list(range(7))
    assert dataset.told == ["begin", "end"] * 2
    assert (threading.current_thread().name in dataset.threads) == (workers < 2)
    assert not [one for one in threading.enumerate() if one.name.startswith("nkeras_dataset")]


def test_datasets_are_shuffled_by_batches():
    nkeras.utils.set_random_seed(1)
    epochs = Epochs(adapt(Dataset(9), shuffle=True))
    first, second = numbers(epochs), numbers(epochs)
    assert sorted(first) == sorted(second) == list(range(9))
    assert first != second


def test_a_dataset_without_end_needs_steps():
    epochs = Epochs(adapt(Endless(workers=2)), steps=3)
    assert [numbers(epochs), numbers(epochs)] == [[0, 1, 2], [3, 4, 5]]
    epochs.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("nkeras_dataset")]


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_of_a_dataset_arrive(workers):
    with pytest.raises(KeyError, match="no such file"):
        numbers(Epochs(adapt(Failing(workers=workers))))


@pytest.mark.long
def test_a_dataset_in_processes(tmp_path, monkeypatch):
    # In a module of its own, because the processes must import it.
    code = """
import os
import numpy as np
import nkeras

class Processes(nkeras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return np.array([float(index)]), np.array([os.getpid()])
"""
    (tmp_path / "nkeras_test_processes.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("nkeras_test_processes")
    epochs = Epochs(adapt(module.Processes(workers=2, use_multiprocessing=True)))
    found = [batch for _, _, batches in epochs.steps() for batch in batches]
    assert [batch[0][0] for batch in found] == [0, 1, 2, 3]
    assert os.getpid() not in {int(batch[1][0]) for batch in found}


def test_threads_make_the_batches_of_a_dataset_that_no_process_can_have():
    class Local(nkeras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return np.full((1, 1), index)

    epochs = Epochs(adapt(Local(workers=2, use_multiprocessing=True)))
    with pytest.warns(UserWarning, match=r"Threads make the batches of Local: .*__main__"):
        assert numbers(epochs) == [0, 1, 2]


def test_a_dataset_that_forgets_its_base_class_works():
    class Forgetful(nkeras.utils.PyDataset):
        def __init__(self):
            self.length = 2

        def __len__(self):
            return self.length

        def __getitem__(self, index):
            return np.full((1, 1), index)

    assert numbers(Epochs(adapt(Forgetful()))) == [0, 1]


def test_bad_arguments_of_datasets():
    with pytest.raises(ValueError, match="`workers`"):
        Dataset(workers=-1)
    with pytest.raises(ValueError, match="`max_queue_size`"):
        Dataset(max_queue_size=0)
    with pytest.raises(NotImplementedError, match="__len__"):
        _ = nkeras.utils.PyDataset().num_batches
    with pytest.raises(NotImplementedError, match="__getitem__"):
        nkeras.utils.PyDataset()[0]


def test_batches_of_wrong_form_are_refused():
    class Four(Dataset):
        def __getitem__(self, index):
            return (np.zeros(1),) * 4

    with pytest.raises(ValueError, match=r"Four.__getitem__\(\) must return"):
        numbers(Epochs(adapt(Four())))


def test_default_shuffling_of_streams_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numbers(Epochs(adapt(counting(2), shuffle=True)))


class Asks(Dataset):
    def __getitem__(self, index):
        self.told.append(nkeras.get_backend())
        return super().__getitem__(index)


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_have_the_backend_of_the_training(workers):
    dataset = Asks(workers=workers)
    with nkeras.use_backend("numpy"):
        numbers(Epochs(adapt(dataset)))
    assert set(dataset.told) == {"begin", "end", "numpy"}
