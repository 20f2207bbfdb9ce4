"""Data sets that ship with nkeras."""

from nkeras.datasets import digits as digits
