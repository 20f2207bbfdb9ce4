"""Reuters: newswires of 46 topics."""

from __future__ import annotations

import os

import numpy as np

from nkeras.core.errors import is_a, refuse
from nkeras.datasets.npz import read_npz
from nkeras.datasets.sources import fetch
from nkeras.datasets.words import Rules, Split, read_word_index, shuffled

_TOPICS = """
cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship
cotton carcass crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin
strategic-metal livestock retail ipi iron-steel rubber heat jobs lei bop zinc orange pet-chem dlr
gas silver wpi hog lead
"""


def load_data(
    path: str | os.PathLike[str] = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int | None = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[Split, Split]:
    """Load 11,228 newswires as lists of numbers of words, downloading 2 MB at the first call.

    Words are numbered as in `imdb.load_data`, with the same two remarks on `maxlen` and
    `num_words`.

    Args:
        path: name of the file in the cache; see `nkeras.utils.get_file` on where that is.
        num_words: numbers from here on become `oov_char`; None for the highest one.
        skip_top: numbers below become `oov_char`, also `start_char` if it is one of them.
        maxlen: only texts that are shorter, with their start, are kept; None keeps all.
        test_split: the fraction of the texts that are for testing, 0 to 1.
        seed: seed of the order of the texts.
        start_char: number at the beginning of each text, or None for none.
        oov_char: number in place of words that are not kept, or None to leave them out.
        index_from: what is added to each number of a word.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays `(samples,)` of lists of ints, and labels
        `(samples,)` of int64 from 0 to 45. Always an array of lists, also where all are as long.

    Raises:
        ValueError: an argument is wrong, the file is damaged, or no text is short enough.
        OSError: the file cannot be downloaded.

    Source: https://keras.io/api/datasets/reuters/
    """
    owner = "reuters.load_data()"
    if not is_a(test_split, (int, float)) or not 0 <= test_split <= 1:
        refuse("test_split", test_split, "a number from 0 to 1", owner)
    rules = Rules(owner, num_words, skip_top, maxlen, start_char, oov_char, index_from)
    texts, labels = read_npz(fetch("reuters.npz", path), ("x", "y"))
    words, lengths, labels = rules.begin(*shuffled(texts, labels, np.random.RandomState(seed)))
    texts = rules.end(words, lengths)
    count = int(len(texts) * (1 - test_split))
    return (texts[:count], labels[:count]), (texts[count:], labels[count:])


def get_word_index(path: str | os.PathLike[str] = "reuters_word_index.json") -> dict[str, int]:
    """Load the number of each word, downloading 0.5 MB at the first call.

    `load_data` adds its `index_from` to these numbers.

    Args:
        path: name of the file in the cache; see `nkeras.utils.get_file` on where that is.

    Returns:
        A dict from the word to its number, from 1.

    Raises:
        ValueError: the file is damaged.
        OSError: the file cannot be downloaded.

    Source: https://keras.io/api/datasets/reuters/
    """
    return read_word_index(fetch("reuters_word_index.json", path))


def get_label_names() -> tuple[str, ...]:
    """The 46 topics, in the order of their labels.

    Example:
        >>> get_label_names()[:4]
        ('cocoa', 'grain', 'veg-oil', 'earn')

    Source: https://keras.io/api/datasets/reuters/
    """
    return tuple(_TOPICS.split())
