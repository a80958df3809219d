"""Orbits of k-subsets under a permutation group, by orderly generation."""

import math

import numpy as np

_WORD = 62  # sites per 64-bit word
_BLOCK = 2_000_000  # numbers held at a time


def subset_orbits(
    permutations: np.ndarray, size: int, limit: int
) -> list[tuple[tuple[int, ...], int]]:
    """One member of each orbit of subsets.

    Subsets grow one element at a time, and only those that come first in their orbit are kept:
    without its last element, the first member of an orbit is the first of its own (Read, Ann.
    Discrete Math. 2, 107 (1978)). A subset is a binary number whose highest bit is element 0, so
    the lexicographically first member is the largest number.

    Parameters
    ----------
    permutations
        (G, n) int, all elements of the group, each once; entry (g, i) is the image of i.
    size
        Elements per subset.
    limit
        Largest number of orbits.

    Returns
    -------
    list of (tuple of int, int)
        The lexicographically first member of each orbit, and the orbit's size; in lexicographic
        order.

    Raises
    ------
    OverflowError
        Where there are more than `limit` orbits.
    """
    order, n = permutations.shape
    if math.comb(n, size) // order > limit:
        raise OverflowError("too many orbits")
    # Large subsets are found through their complements, of which there are as many.
    grown = min(size, n - size)
    weights = _weights(permutations)
    subsets = np.zeros((1, 0), int)
    for _ in range(grown):
        subsets = _grow(subsets, n, weights)
        if len(subsets) > limit:
            raise OverflowError("too many orbits")
    sizes = [int(order // count) for count in _stabilisers(subsets, weights)]
    if grown != size:
        subsets = _complements(subsets, permutations)
    found = [(tuple(int(i) for i in row), m) for row, m in zip(subsets, sizes, strict=True)]
    return sorted(found)


def _weights(permutations: np.ndarray) -> np.ndarray:
    """Bit (words, G, n) that each element's image contributes, the most significant word first."""
    order, n = permutations.shape
    words = max(1, -(-n // _WORD))
    weights = np.zeros((words, order, n), np.int64)
    bits = np.left_shift(np.int64(1), (_WORD - 1 - permutations % _WORD).astype(np.int64))
    for word in range(words):
        weights[word] = np.where(permutations // _WORD == word, bits, 0)
    return weights


def _compare(subsets: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether any image exceeds a subset, and how many equal it; both (C,)."""
    words, order, n = weights.shape
    exceeds: np.ndarray = np.zeros((len(subsets), order), bool)
    equal: np.ndarray = np.ones((len(subsets), order), bool)
    own_bits = _weights(np.arange(n)[None])
    for word in range(words):
        images = np.zeros((len(subsets), order), np.int64)
        own = np.zeros(len(subsets), np.int64)
        for column in subsets.T:
            images += weights[word][:, column].T
            own += own_bits[word, 0, column]
        exceeds |= equal & (images > own[:, None])
        equal &= images == own[:, None]
    return np.any(exceeds, axis=1), np.sum(equal, axis=1)


def _blocks(subsets: np.ndarray, order: int) -> list[np.ndarray]:
    """Subsets in parts that fit into memory with all their images."""
    length = max(1, _BLOCK // max(order, 1))
    return [subsets[i : i + length] for i in range(0, len(subsets), length)]


def _grow(subsets: np.ndarray, n: int, weights: np.ndarray) -> np.ndarray:
    """Subsets with one more element that come first in their orbits."""
    last = subsets[:, -1] if subsets.shape[1] else np.full(len(subsets), -1)
    repeats = n - 1 - last
    parents = np.repeat(subsets, repeats, axis=0)
    starts = np.repeat(np.cumsum(repeats) - repeats, repeats)
    added = np.arange(len(parents)) - starts + np.repeat(last, repeats) + 1
    candidates = np.column_stack([parents, added])
    kept = [part[~_compare(part, weights)[0]] for part in _blocks(candidates, weights.shape[1])]
    return np.concatenate(kept) if kept else candidates


def _stabilisers(subsets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Count the permutations (C,) that leave each subset as it is."""
    counts = [_compare(part, weights)[1] for part in _blocks(subsets, weights.shape[1])]
    return np.concatenate(counts)


def _complements(subsets: np.ndarray, permutations: np.ndarray) -> np.ndarray:
    """For each subset, the first member of the orbit of its complement."""
    n = permutations.shape[1]
    firsts = []
    for subset in subsets:
        inside = np.zeros((len(permutations), n), bool)
        np.put_along_axis(inside, permutations[:, subset], values=True, axis=1)
        # The first complement is the one whose subset comes last: as bytes, high bit first.
        keys = np.packbits(inside, axis=1)
        last = min(range(len(keys)), key=lambda g: keys[g].tobytes())
        firsts.append(np.flatnonzero(~inside[last]))
    return np.array(firsts, int).reshape(len(subsets), -1)
