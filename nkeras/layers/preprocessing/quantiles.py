"""Quantiles of numbers that come in batches, in little memory."""

from __future__ import annotations

import math

import numpy as np

_LEVELS = 32  # summaries of up to 2**31 blocks
_BLOCK = 1 << 16


class QuantileSketch:
    """What is needed of a stream of numbers to find its quantiles within `epsilon`.

    A quantile that it gives has a rank that differs from the right one by at most `epsilon` times
    the count; the first 65,536 numbers and a few more are kept as they are, so that it is exact for
    them. Nothing is drawn, and results depend on the numbers in their order, not on how they are
    cut into batches.

    Numbers are gathered in blocks. A block becomes a summary of equal weights: every so manieth of
    it sorted. Two summaries of one weight become one of twice the weight by leaving out every
    second of both sorted, so that there is at most one summary of each weight.

    Args:
        epsilon: error of ranks, between 0 and 1.

    Source: Munro and Paterson 1980; Manku, Rajagopalan and Lindsay 1998, Approximate medians and
    other quantiles in one pass and with limited memory.
    """

    def __init__(self, epsilon: float) -> None:
        # Each time a summary of size n is made its ranks are off by at most 1 / 2n more; weights
        # of 1 / n are what is interpolated in.
        self._size = math.ceil((_LEVELS / 2 + 1) / epsilon)
        self._stride = max(1, math.ceil(_BLOCK / self._size))
        self._waiting: list[np.ndarray] = []
        self._waits = 0
        self._levels: list[np.ndarray | None] = []
        self._turns: list[int] = []
        self.count = 0

    def add(self, values: np.ndarray) -> None:
        """Count numbers in: a vector without NaN."""
        self.count += len(values)
        block = self._size * self._stride
        while self._waits + len(values) >= block:
            taken = block - self._waits
            full = np.sort(np.concatenate([*self._waiting, values[:taken]]))
            self._waiting, self._waits, values = [], 0, values[taken:]
            self._keep(full[(self._stride - 1) // 2 :: self._stride])
        if len(values):
            self._waiting.append(values.copy())
            self._waits += len(values)

    def _keep(self, summary: np.ndarray) -> None:
        """Keep a summary of one block, together with those that there are."""
        for level, other in enumerate(self._levels):
            if other is None:
                self._levels[level] = summary
                return
            # Taking the first of two makes ranks too large, the second too small: in turns.
            both = np.sort(np.concatenate([other, summary]))
            summary = both[self._turns[level] :: 2]
            self._levels[level], self._turns[level] = None, 1 - self._turns[level]
        self._levels.append(summary)
        self._turns.append(0)

    def summary(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers in ascending order, and how many each stands for."""
        values = list(self._waiting)
        weights = [np.ones(self._waits)]
        for level, kept in enumerate(self._levels):
            if kept is not None:
                values.append(kept)
                weights.append(np.full(len(kept), float(self._stride << level)))
        if not values:
            return np.zeros(0, "float32"), np.zeros(0)
        together = np.concatenate(values)
        order = np.argsort(together, kind="stable")
        return together[order], np.concatenate(weights)[order]

    def quantiles(self, shares: np.ndarray) -> np.ndarray:
        """The numbers below which these shares of all are, interpolated between neighbours.

        Args:
            shares: vector of numbers between 0 and 1.

        Returns:
            float64 vector.
        """
        values, weights = self.summary()
        return np.interp(shares, weights.cumsum() / self.count, values.astype("float64"))
