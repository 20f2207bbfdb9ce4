"""Data sets that ship with nkeras."""

from nkeras.core import missing
from nkeras.datasets import digits as digits

missing.explain(__name__)
