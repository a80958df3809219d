"""Minima of a price over the translations of one grain along a boundary."""

import itertools
import math
from collections.abc import Callable

import numpy as np

_STEP = 0.4  # Å, first grid
_FINEST = 0.005  # Å
_KEPT = 4  # translations that are refined
_APART = 0.3  # Å, translations closer than this are one minimum

Price = Callable[[np.ndarray], np.ndarray]


def minima(price: Price, periods: np.ndarray) -> list[np.ndarray]:
    """Find the best few translations.

    Parameters
    ----------
    price
        Gives the prices (T,) of translations (T, 2), Å.
    periods
        (2, 2), rows in Å: translations that change nothing.

    Returns
    -------
    list of numpy.ndarray
        At most four, each (2,), refined to 0.01 Å, not equal modulo the periods.
    """
    counts = [max(1, math.ceil(float(np.linalg.norm(row)) / _STEP)) for row in periods]
    parts = [np.arange(n) / n for n in counts]
    grid = np.stack(np.meshgrid(*parts, indexing="ij"), axis=-1).reshape(-1, 2) @ periods
    found: list[np.ndarray] = []
    prices = np.round(price(grid), 9)
    low = _local_minima(prices.reshape(counts)).ravel()
    for i in np.flatnonzero(low)[np.argsort(prices[low], kind="stable")]:
        refined = _refined(price, grid[i])
        if _is_new(refined, found, periods):
            inside = np.round(refined @ np.linalg.inv(periods), 4) % 1.0
            found.append(np.round(inside @ periods, 3) + 0.0)
        if len(found) == _KEPT:
            break
    return found


def _local_minima(prices: np.ndarray) -> np.ndarray:
    """Mark the points (n, m) of a periodic grid that have no lower neighbour."""
    low = np.ones(prices.shape, bool)
    for shift in itertools.product((-1, 0, 1), repeat=2):
        low &= prices <= np.roll(prices, shift, axis=(0, 1))
    return low


def _is_new(shift: np.ndarray, found: list[np.ndarray], periods: np.ndarray) -> bool:
    """Whether a translation is none of those found, modulo the periods."""
    if not found:
        return True
    apart = (np.array(found) - shift) @ np.linalg.inv(periods)
    apart = (apart - np.round(apart)) @ periods
    return bool(np.linalg.norm(apart, axis=1).min() > _APART)


def _refined(price: Price, start: np.ndarray) -> np.ndarray:
    """Walk down on ever finer grids."""
    best, step = start, _STEP / 2
    moves = np.array(list(itertools.product((0, -1, 1), repeat=2)))
    while step > _FINEST:
        prices = np.round(price(best + step * moves), 9)
        lowest = int(np.argmin(prices))
        best = best + step * moves[lowest]
        if lowest == 0:
            step /= 2
    return best
