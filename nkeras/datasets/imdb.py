"""IMDB: reviews of films, praise or not."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from nkeras.core.errors import short
from nkeras.datasets.npz import read_npz
from nkeras.datasets.sources import fetch
from nkeras.datasets.words import Rules, Split, read_word_index, shuffled


def load_data(
    path: str | os.PathLike[str] = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int | None = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
    **kwargs: Any,
) -> tuple[Split, Split]:
    """Load 50,000 reviews as lists of numbers of words, downloading 17 MB at the first call.

    Words are numbered by how often they occur: 1 is the most frequent one, and `index_from` is
    added to each number, so that 0 is free for padding, 1 for the start and 2 for words left out.

    The results are Keras' own, which differ from its page in two ways: with `maxlen` longer texts
    are left out, and so are those that are exactly as long; without `num_words` the word with the
    highest number of all becomes `oov_char`. To keep it, give `num_words` a larger number.

    Args:
        path: name of the file in the cache; see `nkeras.utils.get_file` on where that is.
        num_words: numbers from here on become `oov_char`; None for the highest one.
        skip_top: numbers below become `oov_char`, also `start_char` if it is one of them.
        maxlen: only texts that are shorter, with their start, are kept; None keeps all.
        seed: seed of the order of the reviews.
        start_char: number at the beginning of each review, or None for none.
        oov_char: number in place of words that are not kept, or None to leave them out.
        index_from: what is added to each number of a word.
        kwargs: none; arguments of Keras 2 are refused by name.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays `(25000,)` of lists of ints, and labels
        `(25000,)` of int64, 1 for praise. Always an array of lists, also where all have one length.

    Raises:
        ValueError: an argument is wrong, the file is damaged, or no review is short enough.
        TypeError: there is no such argument.
        OSError: the file cannot be downloaded.

    Source: https://keras.io/api/datasets/imdb/
    """
    owner = "imdb.load_data()"
    if kwargs:
        hint = "; `nb_words` is called `num_words` now" if "nb_words" in kwargs else ""
        raise TypeError(f"{owner} has no argument {short(next(iter(kwargs)), 60)}{hint}.")
    rules = Rules(owner, num_words, skip_top, maxlen, start_char, oov_char, index_from)
    names = ("x_train", "y_train", "x_test", "y_test")
    x_train, y_train, x_test, y_test = read_npz(fetch("imdb.npz", path), names)
    generator = np.random.RandomState(seed)
    train = rules.begin(*shuffled(x_train, y_train, generator))
    test = rules.begin(*shuffled(x_test, y_test, generator))
    texts = rules.end(np.concatenate([train[0], test[0]]), np.concatenate([train[1], test[1]]))
    labels = np.concatenate([train[2], test[2]])
    count = len(train[1])
    return (texts[:count], labels[:count]), (texts[count:], labels[count:])


def get_word_index(path: str | os.PathLike[str] = "imdb_word_index.json") -> dict[str, int]:
    """Load the number of each word, downloading 1.6 MB at the first call.

    `load_data` adds its `index_from` to these numbers.

    Args:
        path: name of the file in the cache; see `nkeras.utils.get_file` on where that is.

    Returns:
        A dict from the word to its number, from 1.

    Raises:
        ValueError: the file is damaged.
        OSError: the file cannot be downloaded.

    Source: https://keras.io/api/datasets/imdb/
    """
    return read_word_index(fetch("imdb_word_index.json", path))
