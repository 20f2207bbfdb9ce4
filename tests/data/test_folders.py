"""Folders of images, texts and sounds: what the three have in common, against Keras."""

from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nkeras
from nkeras.core import tree
from nkeras.utils import (
    audio_dataset_from_directory,
    image_dataset_from_directory,
    text_dataset_from_directory,
)
from tests.data.folders import filled, write_image, write_sound, write_text
from tests.harness import oracle

KINDS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "image": (image_dataset_from_directory, write_image, {"image_size": (4, 6)}),
    "text": (text_dataset_from_directory, write_text, {}),
    "audio": (audio_dataset_from_directory, write_sound, {"output_sequence_length": 12}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def made(kind: str, folder: Path, **options: Any) -> Any:
    function, _, usual = KINDS[kind]
    return function(folder, **{"verbose": False, **usual, **options})


def prepared(kind: str, folder: Path, **options: Any) -> Path:
    return filled(folder, KINDS[kind][1], **options)


# What Keras' functions do before they leave the files to TensorFlow or grain.
LISTED = """
from keras.src.utils import dataset_utils
result = []
for call in calls:
    paths, labels, names = dataset_utils.index_directory(
        folder, call["labels"], formats=(".png",), class_names=call["class_names"],
        shuffle=call["shuffle"], seed=call["seed"], follow_links=call["follow_links"],
        verbose=False,
    )
    parts = []
    for subset in ("training", "validation"):
        parts.append(dataset_utils.get_training_or_validation_split(paths, labels, 0.3, subset))
    result.append((paths, labels, names, parts))
"""


@oracle.requires_keras
def test_files_labels_and_parts_are_those_of_keras(tmp_path: Path) -> None:
    folder = prepared("image", tmp_path / "files", classes=3, count=25, nested=True)
    other = prepared("image", tmp_path / "other", classes=1, count=3)
    (folder / "class_1" / "linked").symlink_to(other)
    calls = [
        {
            "labels": labels,
            "class_names": names,
            "shuffle": shuffle,
            "seed": seed,
            "follow_links": follow_links,
        }
        for labels, names, follow_links in (
            ("inferred", None, False),
            ("inferred", None, True),
            ("inferred", ["class_2", "class_0"], False),
            (None, None, True),
            ([i % 4 for i in range(25)], None, False),
        )
        for shuffle, seed in ((False, 1), (True, 1), (True, 1337))
    ]
    # Keras shuffles the list that it is given.
    asked = [{**call, "labels": _copy(call["labels"])} for call in calls]
    expected = oracle.run(LISTED, calls=asked, folder=str(folder))
    for call, (paths, labels, names, parts) in zip(calls, expected, strict=True):
        found = made("image", folder, **call)
        assert found.file_paths == paths
        assert found.class_names == names
        assert _same(found._labels, labels)
        both = made("image", folder, validation_split=0.3, subset="both", **call)
        for subset, pair, part in zip(("training", "validation"), both, parts, strict=True):
            alone = made("image", folder, validation_split=0.3, subset=subset, **call)
            for dataset in (pair, alone):
                assert dataset.file_paths == part[0]
                assert _same(dataset._labels, part[1])


def _copy(labels: Any) -> Any:
    return list(labels) if isinstance(labels, list) else labels


def _same(ours: Any, theirs: Any) -> bool:
    return (ours is None and theirs is None) or np.array_equal(ours, theirs)


@every_kind
def test_modes_of_labels(kind: str, tmp_path: Path) -> None:
    folder = prepared(kind, tmp_path)
    expected = {"int": ((8,), "int32"), "binary": ((8, 1), "float32")}
    expected["categorical"] = (8, 2), "float32"
    for mode, (shape, dtype) in expected.items():
        dataset = made(kind, folder, batch_size=8, label_mode=mode)
        x, labels = next(iter(dataset))
        assert len(x) == 8
        assert labels.shape == shape
        assert labels.dtype == dtype
        assert dataset.class_names == ["class_0", "class_1"]
        classes = labels if mode == "int" else labels[:, -1]
        expected_classes = [int("class_1" in path) for path in dataset.file_paths[:8]]
        np.testing.assert_array_equal(classes, expected_classes)
    plain = made(kind, folder, batch_size=5, label_mode=None)
    assert plain.class_names is None
    assert [len(batch) for batch in plain] == [5, 5, 5, 1]


@every_kind
def test_labels_that_are_given(kind: str, tmp_path: Path) -> None:
    folder = prepared(kind, tmp_path, classes=3, count=6)
    given = [0, 1, 0, 1, 1, 1]
    dataset = made(kind, folder, labels=given, shuffle=False)
    assert dataset.class_names == ["0", "1"]
    np.testing.assert_array_equal(dataset[0][1], given)
    np.testing.assert_array_equal(made(kind, folder, labels=tuple(given), seed=2)._labels.sum(), 4)
    floats = made(kind, folder, labels=np.arange(6) / 4, shuffle=False)[0][1]
    assert floats.dtype == "float32"
    np.testing.assert_array_equal(floats, np.arange(6) / 4)
    assert given == [0, 1, 0, 1, 1, 1]
    with pytest.raises(ValueError, match=r"labels from 0 to 1.*label 7 for .*class_0"):
        made(kind, folder, labels=[7, 1, 1, 1, 1, 1], label_mode="categorical", shuffle=False)


@every_kind
def test_files_without_labels_in_the_folder_itself(kind: str, tmp_path: Path) -> None:
    folder = prepared(kind, tmp_path, count=7)
    for index in range(3):
        KINDS[kind][1](folder / f"more_{index}", index)
    dataset = made(kind, folder, labels=None, batch_size=5)
    assert dataset.class_names is None
    assert [len(batch) for batch in dataset] == [5, 5]


@every_kind
def test_single_samples(kind: str, tmp_path: Path) -> None:
    folder = prepared(kind, tmp_path, count=5)
    singles = made(kind, folder, batch_size=None, shuffle=False)
    batch = made(kind, folder, batch_size=5, shuffle=False)[0]
    assert len(singles) == 5
    for index, (x, label) in enumerate(singles):
        assert np.array_equal(x, batch[0][index])
        assert label == batch[1][index]
    again = singles.batch(5)
    np.testing.assert_array_equal(again[0][0], batch[0])
    assert again.class_names == singles.class_names
    with pytest.raises(ValueError, match="`batch_size` must be a positive int"):
        singles.batch(0)
    with pytest.raises(IndexError, match="has 5 batches"):
        singles[5]


@every_kind
@pytest.mark.parametrize("workers", [1, 2, 7])
def test_order_depends_on_the_seed_alone(kind: str, workers: int, tmp_path: Path) -> None:
    folder = prepared(kind, tmp_path, count=25, nested=True)
    one, other = (made(kind, folder, batch_size=4, seed=1337) for _ in range(2))
    one.workers = workers
    first, second = (_joined(one) for _ in range(2))
    again = [_joined(other) for _ in range(2)]
    np.testing.assert_array_equal(first, again[0])
    np.testing.assert_array_equal(second, again[1])
    assert not np.array_equal(first, second)
    assert sorted(map(str, first.tolist())) == sorted(map(str, second.tolist()))
    still = made(kind, folder, batch_size=4, shuffle=False)
    np.testing.assert_array_equal(_joined(still), _joined(still))


def _joined(dataset: Any) -> np.ndarray:
    return np.concatenate([batch[0] for batch in dataset])


@every_kind
def test_two_iterations_at_a_time(kind: str, tmp_path: Path) -> None:
    dataset = made(kind, prepared(kind, tmp_path, count=15), batch_size=8, label_mode=None)
    other = iter(dataset)
    assert sum(len(next(other)) for _ in dataset) == 15


def test_no_thread_is_left(tmp_path: Path) -> None:
    before = threading.active_count()
    dataset = made("text", prepared("text", tmp_path), batch_size=1)
    iterator = iter(dataset)
    next(iterator)
    assert threading.active_count() > before
    del iterator
    assert threading.active_count() == before


@every_kind
def test_split(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = prepared(kind, tmp_path, count=10)
    options: dict[str, Any] = {"batch_size": 10, "validation_split": 0.2, "seed": 1337}
    parts = {
        name: made(kind, folder, subset=name, verbose=True, **options)
        for name in ("training", "validation")
    }
    assert [len(part[0][0]) for part in parts.values()] == [8, 2]
    pair = made(kind, folder, subset="both", verbose=True, **options)
    assert [part.file_paths for part in pair] == [part.file_paths for part in parts.values()]
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "Found 10 files belonging to 2 classes.",
        "Using 8 files for training.",
        "Using 2 files for validation.",
    ]
    first = _joined(pair[1])
    np.testing.assert_array_equal(first, _joined(pair[1]))  # it is not shuffled anew
    with pytest.raises(ValueError, match=r"No validation .* files remain of 10"):
        made(kind, folder, subset="both", **{**options, "validation_split": 0.05})


def test_seed_comes_from_numpys_as_in_keras(tmp_path: Path) -> None:
    folder = prepared("text", tmp_path)
    nkeras.utils.set_random_seed(3)
    found = made("text", folder).file_paths
    np.random.seed(3)  # noqa: NPY002
    seed = np.random.randint(10**6)  # noqa: NPY002
    assert found == made("text", folder, seed=int(seed)).file_paths


# The cases of Keras' tests of errors, and more.
ERRORS: list[tuple[dict[str, Any], str]] = [
    ({"labels": "other"}, "`labels` argument should be"),
    ({"label_mode": "other"}, "`label_mode` argument must be"),
    (
        {"labels": [0, 0, 1, 1, 1], "class_names": ["class_0", "class_1", "class_2"]},
        'only pass `class_names` if `labels="inferred"`',
    ),
    ({"labels": None, "class_names": ["class_0"]}, 'if `labels="inferred"`'),
    ({"label_mode": None, "class_names": ["class_0"]}, "cannot be specified with"),
    (
        {"labels": [0, 0, 1, 1]},
        r"Expected the lengths of `labels` to match the number of files.*is 4 .* found 5 files",
    ),
    ({"labels": [[0, 1], [2]]}, "should be a list of integers"),
    ({"labels": ["cat"] * 5}, "should be a list of integers"),
    ({"class_names": ["class_0", "wrong_class"]}, "`class_names` passed did not match"),
    ({"class_names": ["class_0", "class_0"]}, "each once"),
    ({"label_mode": "binary"}, "there must be exactly 2"),
    ({"validation_split": 2}, "`validation_split` must be between 0 and 1"),
    ({"validation_split": "0.2", "subset": "both"}, "`validation_split` must be between 0 and 1"),
    (
        {"validation_split": 0.2, "subset": "other"},
        '`subset` must be either "training", "validation" or "both"',
    ),
    ({"validation_split": 0.0, "subset": "training"}, "`validation_split` must be set"),
    ({"validation_split": 0.2}, "`validation_split` must be set"),
    ({"validation_split": 0.2, "subset": "training"}, "must provide a `seed`"),
    ({"batch_size": 0}, "`batch_size` must be a positive int"),
    ({"batch_size": 2.5}, "`batch_size` must be a positive int"),
]


@every_kind
def test_errors(kind: str, tmp_path: Path) -> None:
    folder = prepared(kind, tmp_path, classes=3, count=5)
    for options, text in ERRORS:
        with pytest.raises(ValueError, match=text) as found:
            made(kind, folder, **options)
        assert len(str(found.value)) <= 400


@every_kind
def test_folders_that_are_none(kind: str, tmp_path: Path) -> None:
    empty = prepared(kind, tmp_path / "empty", count=0)
    what = {"image": "No images found", "text": "No text files found"}
    with pytest.raises(ValueError, match=what.get(kind, "No audio files found in directory")):
        made(kind, empty)
    KINDS[kind][1](empty / "alone", 0)
    with pytest.raises(ValueError, match="There are some in the folder itself"):
        made(kind, empty)
    file = tmp_path / "a file"
    file.write_text("")
    with pytest.raises(NotADirectoryError, match=r"Received the file .*a file"):
        made(kind, file)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        made(kind, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="must be a folder of this machine"):
        KINDS[kind][0]("gs://bucket/images")
    with pytest.raises(TypeError, match="`directory` must be the name of a folder"):
        KINDS[kind][0](7)


@every_kind
def test_files_that_are_not_read_are_told(kind: str, tmp_path: Path) -> None:
    folder = prepared(kind, tmp_path)
    (folder / "class_0" / ".DS_Store").write_bytes(b"")
    made(kind, folder)
    (folder / "class_0" / "notes.md").write_text("")
    with pytest.warns(UserWarning, match=r"1 files are not read.*notes\.md"):
        made(kind, folder)
    (folder / "class_1" / "picture.webp").write_text("")
    with pytest.warns(UserWarning, match=r"2 files are not read.*and others"):
        made(kind, folder)


@every_kind
def test_a_broken_file_is_named_in_fit_too(kind: str, tmp_path: Path) -> None:
    folder = prepared(kind, tmp_path, count=5)
    path = next(iter((folder / "class_1").iterdir()))
    path.write_bytes(b"\xff\xfe no such thing")
    dataset = made(kind, folder, batch_size=2)
    with pytest.raises(ValueError, match=path.name) as found:
        list(dataset)
    assert len(str(found.value)) <= 400
    if kind != "text":
        model = nkeras.Sequential([nkeras.layers.Flatten(), nkeras.layers.Dense(2)])
        model.compile("sgd", nkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
        before = threading.active_count()
        with pytest.raises(ValueError, match=path.name), nkeras.use_backend("numpy"):
            model.fit(dataset, verbose=0)
        assert threading.active_count() == before


@every_kind
def test_processes_can_read_too(kind: str, tmp_path: Path) -> None:
    """A process gets a copy of the dataset."""
    dataset = made(kind, prepared(kind, tmp_path, count=5), batch_size=3)
    copy = pickle.loads(pickle.dumps(dataset))
    for ours, theirs in zip(dataset[1], copy[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_names_stand_where_keras_has_them() -> None:
    preprocessing = nkeras.preprocessing
    assert preprocessing.image_dataset_from_directory is image_dataset_from_directory
    assert preprocessing.text_dataset_from_directory is text_dataset_from_directory
    assert "text_dataset_from_directory" in dir(preprocessing)


def test_formats_of_keras_give_ours(tmp_path: Path) -> None:
    folder = prepared("text", tmp_path)
    for name in ("tf", "grain"):
        assert isinstance(made("text", folder, format=name), nkeras.utils.PyDataset)
    for function in (image_dataset_from_directory, text_dataset_from_directory):
        with pytest.raises(ValueError, match='`format` must be "tf" or "grain"'):
            function(folder, format="torch")


@pytest.mark.skipif(os.name == "nt", reason="names of files are bytes on POSIX systems only")
def test_names_in_other_letters(tmp_path: Path) -> None:
    folder = filled(tmp_path / "Bilder für alle", write_text, classes=2, count=4)
    (folder / "class_0" / "ÄÖÜ 漢字.TXT").write_text("ja", "utf-8")
    dataset = made("text", folder, shuffle=False)
    assert "ja" in dataset[0][0].tolist()


def test_training_goes_on_with_the_same_order(tmp_path: Path) -> None:
    """The order is part of what `BackupAndRestore` keeps."""
    dataset = made("text", prepared("text", tmp_path), seed=5)
    assert tree.flatten([getattr(dataset, name) for name in dataset.saved_attributes])
    assert set(dataset.saved_attributes) == {"_order", "_random"}
