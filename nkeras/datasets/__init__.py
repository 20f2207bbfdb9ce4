"""Data sets: `digits` ships with nkeras, the others are downloaded when they are first loaded."""

from typing import TYPE_CHECKING

from nkeras.core import missing
from nkeras.datasets import digits as digits

_LATER = (
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
)

if TYPE_CHECKING:
    from nkeras.datasets import boston_housing as boston_housing
    from nkeras.datasets import california_housing as california_housing
    from nkeras.datasets import cifar10 as cifar10
    from nkeras.datasets import cifar100 as cifar100
    from nkeras.datasets import fashion_mnist as fashion_mnist
    from nkeras.datasets import imdb as imdb
    from nkeras.datasets import mnist as mnist
    from nkeras.datasets import reuters as reuters

missing.explain(__name__, inside=_LATER)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
