"""Folders of texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from nkeras.utils import text_dataset_from_directory
from tests.data.folders import filled, write_text


def test_texts(tmp_path: Path) -> None:
    folder = filled(tmp_path, write_text)
    dataset = text_dataset_from_directory(folder, batch_size=8, max_length=10, verbose=False)
    texts, labels = dataset[0]
    assert texts.dtype == object
    assert texts.shape == labels.shape == (8,)
    assert {len(text) for text in texts} == {10}
    whole = text_dataset_from_directory(folder, verbose=False, shuffle=False)[0][0]
    assert whole[0] == "text 0 of a café" * 3


def test_characters_stay_what_they_are(tmp_path: Path) -> None:
    text = "\ufeff漢字\r\nnext\0 line\u2028\n"
    (tmp_path / "a.txt").write_bytes(text.encode())
    (tmp_path / "b.txt").write_bytes(b"")
    dataset = text_dataset_from_directory(tmp_path, labels=None, shuffle=False, verbose=False)
    assert dataset[0].tolist() == [text, ""]
    single = text_dataset_from_directory(
        tmp_path, labels=None, batch_size=None, max_length=2, shuffle=False, verbose=False
    )
    assert [one.item() for one in single] == [text[:2], ""]


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("naïve".encode("latin-1"))
    dataset = text_dataset_from_directory(tmp_path, labels=None, verbose=False)
    with pytest.raises(ValueError, match=r"latin\.txt' is no text in UTF-8.* at byte 2"):
        dataset[0]


def test_errors(tmp_path: Path) -> None:
    for length in (0, 2.5):
        with pytest.raises(ValueError, match="`max_length` must be a positive int"):
            text_dataset_from_directory(tmp_path, max_length=length)  # type: ignore[arg-type]
