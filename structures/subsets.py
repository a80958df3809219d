"""Lowest subsets of a pairwise energy, proved by looking at every one."""

import itertools
import math

import numpy as np

from vacancy_flows.structures.charges import TIE


def lowest_subsets(
    single: np.ndarray, pair: np.ndarray, size: int, capacity: int, bound: float = math.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest subsets of a pairwise energy, by looking at every one.

    E(S) = Σ single_i + Σ_{i<j} pair_ij over the members. Subsets are put together from a first
    part and a last part, whose energies are tabulated; first parts that cannot come below the
    bound with any last part are passed over.

    Parameters
    ----------
    single
        (n,), eV.
    pair
        (n, n) symmetric, eV; the diagonal is not used.
    size
        Members.
    capacity
        Number of subsets wanted; those that tie with the last (1e-6 eV) come along.
    bound
        Energy, eV, above which nothing is of interest.

    Returns
    -------
    tuple of numpy.ndarray
        Subsets (m, size) int, sorted members, and energies (m,), eV, ascending.
    """
    if size == 0:
        return np.zeros((1, 0), int), np.zeros(1)
    n, last = len(single), size // 2
    ends = _subsets(n, last)
    inside = _inside(ends, single, pair)
    across = pair[:, ends].sum(axis=2)
    starts = np.searchsorted(ends[:, 0], np.arange(n + 1)) if last else np.zeros(n + 1, int)
    least = np.array([inside[s:].min(initial=math.inf) for s in starts])
    least_across = np.array([across[:, s:].min(axis=1, initial=math.inf) for s in starts])
    pool = _Pool(capacity, bound)
    firsts = _subsets(n, size - last)
    energies = _inside(firsts, single, pair)
    for first, energy in zip(firsts.tolist(), energies.tolist(), strict=True):
        after = first[-1] + 1
        if energy + least[after] + least_across[after][first].sum() > pool.bound + TIE:
            continue
        start = starts[after]
        totals = inside[start:] + energy
        for member in first:
            totals += across[member, start:]
        hits = np.flatnonzero(totals <= pool.bound + TIE)
        for hit in hits.tolist():
            pool.add(float(totals[hit]), (*first, *ends[start + hit].tolist()))
    return pool.sorted(size)


class _Pool:
    """The lowest few subsets met, and the energy that a new one must not exceed."""

    def __init__(self, capacity: int, bound: float) -> None:
        self.capacity, self.bound = capacity, bound
        self.entries: list[tuple[float, tuple[int, ...]]] = []

    def add(self, energy: float, members: tuple[int, ...]) -> None:
        """Take a subset in; now and then forget what is no longer among the lowest."""
        self.entries.append((energy, members))
        if len(self.entries) > 4 * self.capacity + 64:
            self._trim()

    def _trim(self) -> None:
        self.entries.sort()
        if len(self.entries) > self.capacity:
            self.bound = min(self.bound, self.entries[self.capacity - 1][0])
            self.entries = [e for e in self.entries if e[0] <= self.bound + TIE]

    def sorted(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return subsets (m, size) and energies (m,), ascending."""
        self._trim()
        members = np.array([m for _, m in self.entries], int).reshape(-1, size)
        return members, np.array([energy for energy, _ in self.entries])


def _subsets(n: int, size: int) -> np.ndarray:
    """All subsets (m, size) of n, lexicographic."""
    flat = itertools.chain.from_iterable(itertools.combinations(range(n), size))
    total = math.comb(n, size)
    return np.fromiter(flat, int, count=total * size).reshape(total, size)


def _inside(subsets: np.ndarray, single: np.ndarray, pair: np.ndarray) -> np.ndarray:
    """Energies (m,) of subsets, eV."""
    total: np.ndarray = single[subsets].sum(axis=1)
    for i, j in itertools.combinations(range(subsets.shape[1]), 2):
        total = total + pair[subsets[:, i], subsets[:, j]]
    return total
