"""Whether symmetry makes the two boundaries of a cell equal."""

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.boundaries.sites import boundary_properties
from vacancy_flows.structures.symmetry import SYMPREC, space_group


def boundaries_are_equal(structure: Structure, symprec: float = SYMPREC) -> bool:
    """Tell whether a symmetry operation of the cell puts boundary 1 onto boundary 2.

    Only then the energy of a cell with two boundaries is twice that of each.

    Parameters
    ----------
    structure
        With boundaries, relaxed or not.
    symprec
        Å.

    Returns
    -------
    bool
        False for a cell with one boundary.

    Raises
    ------
    ValueError
        For a structure without boundaries, and where spglib finds no group.
    """
    planes = boundary_properties(structure)["planes"]
    if len(planes) != 2:
        return False
    first, second = (plane["fraction"] for plane in planes)
    a, b, _ = structure.lattice.matrix
    height = structure.volume / float(np.linalg.norm(np.cross(a, b)))
    group = space_group(structure, symprec)
    for rotation, translation in zip(group.rotations, group.translations, strict=True):
        if rotation[2, 0] or rotation[2, 1]:
            continue  # tilts the planes
        apart = rotation[2, 2] * first + translation[2] - second
        if abs(apart - round(apart)) * height < 2 * symprec:
            return True
    return False
