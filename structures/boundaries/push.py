"""Push overlapping atoms apart, and widen boundaries until no pair is too close."""

from collections.abc import Callable

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.boundaries.overlap import Spheres, anion_class, closest

_SKIN = 0.6  # Å, list of neighbours
_WIDEN, _WIDEST = 0.2, 2.0  # Å


def pushed_until_clear(build: Callable[[float], Structure], distances: Spheres) -> Structure:
    """Widen boundaries until the push brings all pairs to the hard distances.

    Parameters
    ----------
    build
        Gives the cell with its boundaries widened by so many Å.
    distances
        Soft and hard ones.

    Returns
    -------
    Structure
        ``properties["boundary"]`` also has ``"closest"`` (Å, by kind of pair) and ``"pushed"``
        (largest displacement, Å).

    Raises
    ------
    ValueError
        Where 2 Å do not suffice.
    """
    hard = (distances.hard[0, 0], distances.hard[0, 1], distances.hard[1, 1])
    for widening in np.arange(0.0, _WIDEST + 1e-9, _WIDEN):
        start = build(round(float(widening), 6))
        pushed = push_apart(start, distances)
        found = closest(pushed)
        if all(found[name] >= h for name, h in zip(("M-M", "M-O", "O-O"), hard, strict=True)):
            moved = pushed.frac_coords - start.frac_coords
            moved = (moved - np.round(moved)) @ start.lattice.matrix
            boundary = pushed.properties["boundary"]
            boundary["closest"] = {name: round(value, 4) for name, value in found.items()}
            boundary["pushed"] = round(float(np.linalg.norm(moved, axis=1).max()), 4)
            return pushed
    raise ValueError(
        f"Atoms of the two grains stay too close even when the boundaries are widened by {_WIDEST} "
        "Å: take another termination, translation or plane."
    )


def push_apart(
    structure: Structure, distances: Spheres, max_steps: int = 400, tolerance: float = 0.01
) -> Structure:
    """Move overlapping atoms apart, cell fixed, as little as it takes.

    Each step moves both atoms of every overlapping pair by a share of the overlap.

    Parameters
    ----------
    structure
        Ordered structure.
    distances
        Its `soft` distances are aimed at.
    max_steps
        Steps at most.
    tolerance
        Largest overlap left, Å; where atoms are caught between others more may be left.

    Returns
    -------
    Structure
        A new structure with all properties of the old one.
    """
    kind = anion_class([site.specie.symbol for site in structure])
    cutoff = float(distances.soft.max()) + _SKIN
    positions, lattice = structure.cart_coords.copy(), structure.lattice.matrix
    pairs: tuple[np.ndarray, ...] | None = None
    origin = positions
    result: Structure = structure.copy()
    for _ in range(max_steps):
        if pairs is None or np.abs(positions - origin).max() > _SKIN / 4:
            result = _moved(structure, positions)
            first, second, image, _ = result.get_neighbor_list(cutoff)
            # The wrapped positions of `result` are those that the images refer to.
            positions = result.cart_coords.copy()
            pairs, origin = (first, second, image @ lattice), positions.copy()
        first, second, shift = pairs
        vectors = positions[second] + shift - positions[first]
        lengths = np.linalg.norm(vectors, axis=1)
        excess = distances.soft[kind[first], kind[second]] - lengths
        close = excess > 0
        if not close.any() or excess.max() < tolerance:
            break
        unit = vectors[close] / np.maximum(lengths[close], 1e-6)[:, None]
        move = np.zeros_like(positions)
        # Every pair is listed from both of its ends.
        np.add.at(move, first[close], -0.35 * excess[close][:, None] * unit)
        positions = positions + np.clip(move, -0.1, 0.1)
    return _moved(structure, positions)


def _moved(structure: Structure, positions: np.ndarray) -> Structure:
    result: Structure = structure.copy()
    fractional = structure.lattice.get_fractional_coords(positions)
    for site, frac in zip(result, fractional, strict=True):
        site.frac_coords = frac
    return result
