"""Structures on a new geometry, and the axes that strain refers to."""

from copy import deepcopy

import numpy as np
from numpy.typing import ArrayLike
from pymatgen.core import Structure


def with_geometry(
    template: Structure, lattice_matrix: ArrayLike, frac_coords: ArrayLike
) -> Structure:
    """Species, site properties, properties and charge of a template on a new geometry.

    Parameters
    ----------
    template
        Structure of N sites.
    lattice_matrix
        (3, 3), rows a, b, c in Å.
    frac_coords
        (N, 3), fractional, in the order of the template's sites; not wrapped.

    Returns
    -------
    Structure
        A new structure that shares nothing with the template.

    Raises
    ------
    ValueError
        For wrong shapes and numbers which are not finite.
    """
    matrix, positions = np.array(lattice_matrix, float), np.array(frac_coords, float)
    if matrix.shape != (3, 3) or positions.shape != (len(template), 3):
        raise ValueError(
            f"A geometry for {len(template)} sites needs a lattice of shape (3, 3) and positions "
            f"of shape ({len(template)}, 3), not {matrix.shape} and {positions.shape}."
        )
    if not (np.isfinite(matrix).all() and np.isfinite(positions).all()):
        raise ValueError("The new geometry has numbers that are not finite: look at its source.")
    return Structure(
        matrix,
        template.species,
        positions,
        charge=template._charge,  # noqa: SLF001  # `charge` would sum the oxidation states
        site_properties=deepcopy(template.site_properties),
        properties=deepcopy(template.properties),
    )


def conventional_axes(structure: Structure) -> np.ndarray:
    """Axes a, b, c that strain refers to, in the structure as it is now.

    Parameters
    ----------
    structure
        With or without ``properties["axes"]`` (3×3).

    Returns
    -------
    numpy.ndarray
        (3, 3), rows in Å: ``axes @ lattice.matrix``; without the property the cell's own
        vectors.
    """
    axes = np.array(structure.properties.get("axes", np.eye(3)), float)
    result: np.ndarray = axes @ structure.lattice.matrix
    return result
