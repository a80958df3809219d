"""Bader charges: how many valence electrons belong to each atom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from pymatgen.core import Structure

from vacancy_flows.analysis.bader_grid import (
    BaderVolumes,
    Floats,
    Integers,
    bader_volumes,
    checked_grid,
    weighted_basins,
)

__all__ = [
    "BaderResult",
    "BaderScheme",
    "BaderVolumes",
    "bader_charges",
    "bader_volumes",
    "net_charges",
]

BaderScheme = Literal["weights", "on-grid"]
"""How a grid is divided: `weighted_basins` or `bader_volumes`."""


@dataclass(frozen=True)
class BaderResult:
    """Electrons of each atom, and how they were counted.

    Attributes
    ----------
    electrons
        Valence electrons per site, e, in the structure's order. Not net charges: those are
        `net_charges`.
    unassigned
        Electrons that belong to no atom (vacuum), e.
    total
        Electrons of the cell, e: the sum of `electrons` and `unassigned`.
    method
        For example "weights, AECCAR reference". With "no reference" a valence density without
        cores was divided, and the numbers can be badly wrong (pymatgen#3448).
    bare_sites
        Indices of sites without a density maximum of their own, which so have no electrons: a
        sign that the reference density has no cores, or that the grid is too coarse.
    farthest_maximum
        Largest distance of a maximum with electrons from the atom it was given to, Å; NaN where
        not known.
    """

    electrons: tuple[float, ...]
    unassigned: float
    total: float
    method: str
    bare_sites: tuple[int, ...] = ()
    farthest_maximum: float = float("nan")


def bader_charges(
    charge: ArrayLike,
    structure: Structure,
    reference: ArrayLike | None = None,
    *,
    scheme: BaderScheme = "weights",
    reference_name: str = "reference density",
    vacuum: float | None = None,
) -> BaderResult:
    """Count the electrons in the Bader volume of each atom.

    The volumes are those of `reference`, which should have the cores in it (AECCAR0 + AECCAR2
    of VASP); `charge` is what is counted in them. A maximum belongs to the atom nearest to it,
    periodic images included, so that noise near a core and maxima between atoms lose nothing.

    Parameters
    ----------
    charge : array_like
        (nx, ny, nz) valence density, e/Å³, at fractional coordinates (i/nx, j/ny, k/nz).
    structure : Structure
        The atoms and the cell.
    reference : array_like, optional
        (nx, ny, nz) density whose volumes are meant, any unit; without it `charge` itself,
        which `method` says.
    scheme : {"weights", "on-grid"}
        "weights" shares points on dividing surfaces (Yu, Trinkle 2011) and keeps symmetric
        atoms equal; "on-grid" is plain steepest ascent (Henkelman et al. 2006), whose error
        of up to some 0.1 e prefers grid directions and need not shrink on finer grids.
    reference_name : str
        What to call the reference in `method`.
    vacuum : float, optional
        Electrons at points with a reference (in its unit) below this are unassigned; None
        assigns all.

    Returns
    -------
    BaderResult

    Raises
    ------
    ValueError
        If the grids differ or are not finite 3D arrays, the structure is empty, or the scheme is
        unknown.
    """
    if scheme not in get_args(BaderScheme):
        raise ValueError(f"Bader scheme {scheme!r} is unknown; use 'weights' or 'on-grid'")
    if len(structure) == 0:
        raise ValueError("the structure has no atoms to give electrons to")
    density, cell = checked_grid(charge, structure.lattice.matrix)
    guide = density if reference is None else checked_grid(reference, cell)[0]
    if guide.shape != density.shape:
        raise ValueError(
            f"the charge is on a grid of {density.shape}, the reference density on one of "
            f"{guide.shape}: both must be the same (in VASP, CHGCAR and AECCAR of one run)"
        )
    amount = density * (structure.volume / density.size)
    outside = np.zeros(density.shape, dtype=bool) if vacuum is None else guide < vacuum
    inside = np.where(outside, 0.0, amount)
    if scheme == "weights":
        maxima, basins = weighted_basins(inside, guide, cell)
    else:
        volumes = bader_volumes(guide, cell)
        sums = np.bincount(volumes.labels.ravel(), weights=inside.ravel())
        maxima, basins = volumes.maxima, np.asarray(sums, dtype=float)
    filled = basins != 0  # not those of the vacuum
    site, distance = _nearest_sites(structure, maxima[filled] / np.array(density.shape))
    electrons = np.bincount(site, weights=basins[filled], minlength=len(structure))
    # A maximum of no account (an underflow of the density far from all atoms) is no fault.
    weighty = np.abs(basins[filled]) > 1e-3
    return BaderResult(
        electrons=tuple(float(e) for e in electrons),
        unassigned=float(amount[outside].sum()),
        total=float(amount.sum()),
        method=f"{scheme}, {'no reference' if reference is None else reference_name}",
        bare_sites=tuple(sorted(set(range(len(structure))).difference(site.tolist()))),
        farthest_maximum=float(distance[weighty].max(initial=0.0)),
    )


def net_charges(electrons: Sequence[float], valence: Sequence[float]) -> Floats:
    """Return the net charge of each atom: valence electrons minus Bader electrons.

    Parameters
    ----------
    electrons : sequence of float
        (N,) Bader electrons per site, `BaderResult.electrons`.
    valence : sequence of float
        (N,) electrons that the neutral atom brings, ZVAL of its POTCAR (6 for O).

    Returns
    -------
    numpy.ndarray
        (N,) in units of e: negative for anions such as O, positive for cations.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    counted, neutral = np.asarray(electrons, dtype=float), np.asarray(valence, dtype=float)
    if counted.shape != neutral.shape:
        raise ValueError(
            f"{counted.size} Bader charges and {neutral.size} numbers of valence electrons: give "
            "one of each per site"
        )
    return np.asarray(neutral - counted)


def _nearest_sites(structure: Structure, points: Floats) -> tuple[Integers, Floats]:
    """Index of the atom nearest to each fractional point (M, 3), and its distance in Å."""
    site = np.empty(len(points), dtype=np.int64)
    distance = np.empty(len(points))
    for start in range(0, len(points), 10_000):
        part = slice(start, start + 10_000)
        table = structure.lattice.get_all_distances(points[part], structure.frac_coords)
        site[part] = np.argmin(table, axis=1)
        distance[part] = np.min(table, axis=1)
    return site, distance
