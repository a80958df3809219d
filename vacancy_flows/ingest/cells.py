"""Which cell is which other cell less one atom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymatgen.core import Lattice, Structure
from scipy.optimize import linear_sum_assignment

LENGTH_TOLERANCE = 2e-3
"""Å: lattices whose lengths differ by more are two cells. 0.05 % of 4 Å moves E_f by some meV."""
ANGLE_TOLERANCE = 0.02
"""Degrees."""
LARGEST_SHIFT = 1.0
"""Å: an atom that is farther from its site is on another one."""


@dataclass(frozen=True)
class Match:
    """How a cell is another one less an atom.

    Attributes
    ----------
    vacant
        Index of the empty site in the larger cell.
    sites
        For each atom of the smaller cell the index of its site in the larger one.
    shift
        Largest distance of an atom from its site, Å.
    """

    vacant: int
    sites: tuple[int, ...]
    shift: float


def same_lattice(first: Lattice, second: Lattice) -> bool:
    """Tell whether two lattices have equal lengths and angles, in their order.

    Their orientation is left out: fractional coordinates are compared.
    """
    lengths = np.abs(np.array(first.abc) - second.abc)
    angles = np.abs(np.array(first.angles) - second.angles)
    return bool((lengths < LENGTH_TOLERANCE).all() and (angles < ANGLE_TOLERANCE).all())


def removed_element(larger: Structure, smaller: Structure) -> str | None:
    """Return the element of which one atom is missing, None where more or less differs."""
    missing = larger.composition.get_el_amt_dict()
    for element, number in smaller.composition.get_el_amt_dict().items():
        missing[element] = missing.get(element, 0.0) - number
    rest = {element: round(number) for element, number in missing.items() if number}
    return next(iter(rest)) if list(rest.values()) == [1] else None


def match_less_one(larger: Structure, smaller: Structure) -> Match | None:
    """Put the atoms of a cell onto the sites of another that has one more.

    Parameters
    ----------
    larger, smaller
        With one lattice; see `same_lattice`.

    Returns
    -------
    Match or None
        None where the compositions differ otherwise, or an atom lies more than `LARGEST_SHIFT`
        from every site that is left for it.
    """
    if removed_element(larger, smaller) is None:
        return None
    sites = np.full(len(smaller), -1)
    shift = 0.0
    for element in {site.specie.symbol for site in smaller}:
        here = _indices(smaller, element)
        there = _indices(larger, element)
        distances = larger.lattice.get_all_distances(
            smaller.frac_coords[here], larger.frac_coords[there]
        )
        rows, columns = linear_sum_assignment(distances**2)
        sites[here[rows]] = there[columns]
        shift = max(shift, float(distances[rows, columns].max()))
    if shift > LARGEST_SHIFT:
        return None
    (vacant,) = set(range(len(larger))) - set(sites.tolist())
    return Match(vacant, tuple(int(site) for site in sites), shift)


def _indices(structure: Structure, element: str) -> np.ndarray:
    return np.array([i for i, site in enumerate(structure) if site.specie.symbol == element])
