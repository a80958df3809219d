"""What cannot be a host, told before any search in it."""

import numpy as np
from pymatgen.core import Element, Structure

_MIN_DISTANCE = 0.5  # Å; H2 has 0.74, nothing is closer
# Å³; diamond, the densest solid, has 5.7, oxides 8 to 30, slabs in vacuum more.
_VOLUME_PER_ATOM = (2.0, 100.0)
_MIN_SPACING = 0.1  # Å between lattice planes; below it a search for neighbours has no end


def check_host(structure: Structure) -> None:
    """Refuse what cannot be a host.

    Parameters
    ----------
    structure
        As it was read.

    Raises
    ------
    ValueError
        For partial occupancies, atoms closer than 0.5 Å, dummy species, coordinates that are no
        finite numbers, and cells that are empty, flat, or of less than 2 or more than 100 Å³ per
        atom.
    """
    if len(structure) == 0:
        raise ValueError("The structure has no atoms.")
    if not structure.is_ordered:
        site = next(site for site in structure if not site.is_ordered)
        raise ValueError(
            f"The structure has partial occupancies (first: {site.species_string} at "
            f"{np.round(site.frac_coords, 4).tolist()}): make an ordered cell first."
        )
    if not (
        np.isfinite(structure.lattice.matrix).all() and np.isfinite(structure.cart_coords).all()
    ):
        raise ValueError("The structure has coordinates that are not finite numbers.")
    _check_cell(structure)
    if any(site.specie.symbol not in Element.__members__ for site in structure):
        raise ValueError("The structure has dummy species: every site must be a chemical element.")
    first, second, _, distance = structure.get_neighbor_list(_MIN_DISTANCE)
    if len(distance):
        i, j, shortest = first[0], second[0], distance[0]
        raise ValueError(
            f"Sites {i + 1} and {j + 1} ({structure[i].species_string}, "
            f"{structure[j].species_string}) are only {shortest:.3f} Å apart: remove doubled atoms."
        )


def _check_cell(structure: Structure) -> None:
    """Refuse cells of a wrong scale, in which a search for neighbours would take all memory."""
    with np.errstate(all="ignore"):
        per_atom = structure.volume / len(structure)
    low, high = _VOLUME_PER_ATOM
    if not low <= per_atom <= high:
        raise ValueError(
            f"The cell has {per_atom:.3g} Å³ per atom, outside {low:g} to {high:g}: "
            "check scale and vectors of the cell, which are in Å, and the number of atoms."
        )
    spacing = 1 / max(structure.lattice.reciprocal_lattice_crystallographic.abc)
    if not spacing >= _MIN_SPACING:
        raise ValueError(
            f"The cell is flat or skewed, its lattice planes {spacing:.2g} Å apart: "
            "reduce it first."
        )
