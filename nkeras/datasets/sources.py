"""Where the data sets come from: file names, URLs and hashes of Keras 3.15."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from nkeras.utils.file_utils import get_file

_GOOGLE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_TORONTO = "https://www.cs.toronto.edu/~kriz/"


@dataclass(frozen=True)
class Source:
    """One file: its URL, its hash if Keras knows one, and where in the cache it lies."""

    url: str
    file_hash: str | None
    cache_subdir: str = "datasets"
    extract: bool = False


_FASHION = os.path.join("datasets", "fashion-mnist")

# By name in the cache.
SOURCES = {
    "boston_housing.npz": Source(
        f"{_GOOGLE}boston_housing.npz",
        "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
    ),
    "california_housing.npz": Source(
        f"{_GOOGLE}california_housing.npz",
        "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
    ),
    "cifar-10-batches-py-target": Source(
        f"{_TORONTO}cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        extract=True,
    ),
    "cifar-100-python-target": Source(
        f"{_TORONTO}cifar-100-python.tar.gz",
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        extract=True,
    ),
    "imdb.npz": Source(
        f"{_GOOGLE}imdb.npz",
        "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    ),
    "imdb_word_index.json": Source(
        f"{_GOOGLE}imdb_word_index.json", "bfafd718b763782e994055a2d397834f"
    ),
    "mnist.npz": Source(
        f"{_GOOGLE}mnist.npz",
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    ),
    "reuters.npz": Source(
        f"{_GOOGLE}reuters.npz",
        "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
    ),
    "reuters_word_index.json": Source(
        f"{_GOOGLE}reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921"
    ),
    **{
        name: Source(f"{_GOOGLE}{name}", None, _FASHION)
        for name in (
            "train-labels-idx1-ubyte.gz",
            "train-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz",
            "t10k-images-idx3-ubyte.gz",
        )
    },
}


def fetch(name: str, path: str | os.PathLike[str] | None = None) -> Path:
    """The file of that name, or the folder that it is extracted to, downloaded if need be.

    Args:
        name: one of `SOURCES`.
        path: another name for it in the cache.
    """
    source = SOURCES[name]
    return Path(
        get_file(
            name if path is None else path,
            source.url,
            file_hash=source.file_hash,
            cache_subdir=source.cache_subdir,
            extract=source.extract,
        )
    )
