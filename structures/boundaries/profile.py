"""What can be said of each boundary of a cell on its own: who stands there, how coordinated."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.boundaries.reading import is_metal
from vacancy_flows.structures.boundaries.sites import boundary_properties, plane_distances
from vacancy_flows.structures.sites import COORDINATION_CUTOFF

NEAR = 3.0
"""Å from a plane, within which atoms count as a boundary's."""

_WHOLE = 6  # O around a transition metal in a layered oxide


@dataclass(frozen=True)
class BoundaryProfile:
    """One boundary of a cell.

    Attributes
    ----------
    boundary
        Its number.
    o_coordination
        Cations within 2.6 Å → number of O, within `NEAR` of the plane.
    metals_under_six
        Element and O within 2.6 Å, as ``Ni5``, → number of transition metals within `NEAR` of
        the plane that have fewer than six.
    metals
        Transition metals within `NEAR` of the plane.
    width
        Å between the outermost of those with fewer than six, along the normal; 0 for none.
    """

    boundary: int
    o_coordination: dict[int, int]
    metals_under_six: dict[str, int]
    metals: int
    width: float


def boundary_profiles(structure: Structure) -> list[BoundaryProfile]:
    """Describe each boundary of a cell.

    Raises
    ------
    ValueError
        For a structure without boundaries.
    """
    symbols = np.array([site.specie.symbol for site in structure])
    oxygen, metal = symbols == "O", np.array([is_metal(s) for s in symbols])
    first, second, _, _ = structure.get_neighbor_list(COORDINATION_CUTOFF)
    cations = np.bincount(first[~oxygen[second]], minlength=len(structure))
    anions = np.bincount(first[oxygen[second]], minlength=len(structure))
    a, b, _ = structure.lattice.matrix
    height = structure.volume / float(np.linalg.norm(np.cross(a, b)))
    found = []
    for plane in boundary_properties(structure)["planes"]:
        near = plane_distances(structure, plane["boundary"]) <= NEAR
        under = np.flatnonzero(near & metal & (anions < _WHOLE))
        offset = structure.frac_coords[under, 2] - plane["fraction"]
        heights = (offset - np.round(offset)) * height
        found.append(
            BoundaryProfile(
                boundary=plane["boundary"],
                o_coordination=dict(sorted(Counter(cations[near & oxygen].tolist()).items())),
                metals_under_six=dict(
                    sorted(Counter(f"{symbols[i]}{anions[i]}" for i in under).items())
                ),
                metals=int((near & metal).sum()),
                width=float(np.ptp(heights)) if len(under) else 0.0,
            )
        )
    return found
