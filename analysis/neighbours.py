"""Sites by label, bonds with periodic images, and distances to boundary planes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pymatgen.core import Structure

from vacancy_flows.structures.names import nearest, site_labels

Plane = tuple[ArrayLike, float]
"""Normal (3,), any length, and offset in Å: the points x with n̂·x = offset."""

# As in structures/sites.py: all other species count as cations.
_ANIONS = frozenset({"N", "O", "F", "S", "Cl", "Se", "Br", "Te", "I"})

_PERPENDICULAR = 0.02
"""Sine of the angle (about 1°) within which a cell vector counts as lying in a plane."""


@dataclass(frozen=True)
class Bonds:
    """Bonds from some sites to their counter-ions, one entry per bond.

    Attributes
    ----------
    centres
        (B,) int: for each bond the position of its centre in the list of sites asked for.
    others
        (B,) int: index in the structure of the counter-ion.
    vectors
        (B, 3) from the centre to the periodic image meant, Å, Cartesian.
    """

    centres: NDArray[np.int64]
    others: NDArray[np.int64]
    vectors: NDArray[np.float64]


def label_index(structure: Structure) -> dict[str, int]:
    """Index of each site label.

    Parameters
    ----------
    structure : Structure
        Labelled structure.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        Without labels, or if one occurs twice.
    """
    labels = site_labels(structure)
    index = {label: i for i, label in enumerate(labels)}
    if len(index) < len(labels):
        twice = next(label for i, label in enumerate(labels) if index[label] != i)
        raise ValueError(f"The site label {twice!r} occurs twice in the structure.")
    return index


def known_index(index: Mapping[str, int], label: str) -> int:
    """Index of one label.

    Parameters
    ----------
    index : Mapping[str, int]
        From `label_index`.
    label : str
        Site label.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        For an unknown label, with the nearest known.
    """
    if label not in index:
        raise ValueError(f"There is no site {label!r}; nearest known: {nearest(label, index)}.")
    return index[label]


def bonds_of(structure: Structure, sites: Sequence[int], cutoff: float) -> Bonds:
    """Find the bonds of some sites to counter-ions: anion to cations, cation to anions.

    Parameters
    ----------
    structure : Structure
        Any ordered structure.
    sites : sequence of int
        Indices of the centres.
    cutoff : float
        Longest bond, Å.

    Returns
    -------
    Bonds
        Every periodic image within the cutoff counts, by centre and then by length.

    Raises
    ------
    ValueError
        If the cutoff is not a positive number.
    """
    if not np.isfinite(cutoff) or cutoff <= 0:
        raise ValueError(f"The cutoff of bonds must be a positive length in Å, not {cutoff}.")
    if not sites:
        return Bonds(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 3)))
    anion = np.array([site.specie.symbol in _ANIONS for site in structure])
    centres, others, images, lengths = structure.get_neighbor_list(
        cutoff, sites=[structure[i] for i in sites]
    )
    chosen = np.asarray(sites)
    kept = np.flatnonzero(anion[chosen[centres]] != anion[others])
    kept = kept[np.lexsort((lengths[kept], centres[kept]))]
    frac = structure.frac_coords
    steps = frac[others[kept]] + images[kept] - frac[chosen[centres[kept]]]
    return Bonds(centres[kept], others[kept], steps @ structure.lattice.matrix)


def plane_distances(
    structure: Structure, sites: Sequence[int], planes: Sequence[Plane]
) -> list[float | None]:
    """Distance of each site to the nearest of some planes, repeated with the cell.

    Parameters
    ----------
    structure : Structure
        The cell and the sites.
    sites : sequence of int
        Indices.
    planes : sequence of (normal, offset)
        Each spanned by two cell vectors (within about 1°); the third repeats it.

    Returns
    -------
    list of float or None
        Å, one per site; None everywhere if there are no planes.

    Raises
    ------
    ValueError
        For a plane that no two cell vectors span.
    """
    if not planes:
        return [None] * len(sites)
    nearest_plane = np.full(len(sites), np.inf)
    positions = structure.cart_coords[list(sites)].reshape(-1, 3)
    for direction, offset in planes:
        normal = np.asarray(direction, dtype=float)
        length = float(np.linalg.norm(normal))
        if normal.shape != (3,) or not length > 0 or not np.isfinite([length, offset]).all():
            raise ValueError(
                f"A plane is a normal of three numbers and an offset in Å, not {normal.tolist()}, "
                f"{offset}."
            )
        rise = structure.lattice.matrix @ (normal / length)
        across = np.flatnonzero(np.abs(rise) > _PERPENDICULAR * np.array(structure.lattice.abc))
        if len(across) != 1:
            raise ValueError(
                f"The plane with normal {normal.tolist()} is not spanned by two vectors of the "
                "cell, so that it does not repeat with it."
            )
        period = abs(float(rise[across[0]]))
        height = (positions @ (normal / length) - offset) % period
        nearest_plane = np.minimum(nearest_plane, np.minimum(height, period - height))
    return [float(distance) for distance in nearest_plane]
