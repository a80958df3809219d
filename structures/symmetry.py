"""Space-group operations of a cell as it is, and structures made to obey them exactly."""

from typing import Any

import numpy as np
import spglib
from pymatgen.core import Structure
from scipy.linalg import sqrtm
from scipy.spatial import cKDTree

from vacancy_flows.structures.geometry import with_geometry

SYMPREC = 0.03
"""Tolerance in Å with which symmetry is looked for (science.md, section 4)."""


def spglib_cell(structure: Structure) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lattice rows (3, 3) in Å, fractional positions (N, 3) and atomic numbers (N,)."""
    return structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers)


def space_group(structure: Structure, symprec: float = SYMPREC) -> Any:
    """Space-group dataset of spglib for an ordered structure, moments not looked at.

    Parameters
    ----------
    structure
        Any setting, primitive or supercell.
    symprec
        Tolerance in Å.

    Returns
    -------
    spglib.SpglibDataset
        Operations are those of the cell given, in its own basis.

    Raises
    ------
    ValueError
        Where spglib finds no group.
    """
    return checked(spglib.get_symmetry_dataset, spglib_cell(structure), symprec=symprec)


def checked(function: Any, cell: tuple[np.ndarray, ...], **options: Any) -> Any:
    """Call a function of spglib, and turn both its kinds of failure into ValueError."""
    try:
        found = function(cell, **options)
    except Exception as error:  # spglib 3 raises its own class, spglib 2 gives None
        if not type(error).__module__.startswith("spglib"):
            raise
        found = None
    if found is None:
        raise ValueError(
            f"spglib finds no symmetry with symprec {options.get('symprec')} Å. "
            "Are atoms doubled or closer than symprec? Change the structure or symprec."
        )
    return found


def site_permutations(
    structure: Structure, rotations: np.ndarray, translations: np.ndarray
) -> np.ndarray:
    """Where each operation takes each site.

    Parameters
    ----------
    structure
        The cell, N sites.
    rotations
        (G, 3, 3), in the cell's basis, acting on columns of fractional coordinates.
    translations
        (G, 3), fractional.

    Returns
    -------
    numpy.ndarray
        (G, N) int; element (g, i) is the site onto which operation g puts site i.

    Raises
    ------
    ValueError
        Where an operation does not put sites one to one onto sites of the same species.
    """
    positions = structure.frac_coords
    images = np.einsum("gij,nj->gni", rotations, positions) + np.asarray(translations)[:, None]
    # A nearly orthogonal basis makes the distances of a periodic KD-tree nearly Cartesian ones.
    reduced = spglib.niggli_reduce(structure.lattice.matrix)
    reduced = structure.lattice.matrix if reduced is None else reduced
    to_reduced = structure.lattice.matrix @ np.linalg.inv(reduced)
    lengths = np.linalg.norm(reduced, axis=1)
    tree = cKDTree(_into_box(positions @ to_reduced, lengths), boxsize=lengths)
    found = tree.query(_into_box(images @ to_reduced, lengths))[1]
    numbers = np.array(structure.atomic_numbers)
    one_to_one = np.all(np.sort(found, axis=1) == np.arange(len(structure)))
    if not one_to_one or np.any(numbers[found] != numbers):
        raise ValueError(
            "A symmetry operation does not map the sites one to one. "
            "Symmetrise the structure first, or use a smaller symprec."
        )
    permutations: np.ndarray = found
    return permutations


def _into_box(fractional: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Fractional coordinates as lengths in [0, length); both (..., 3)."""
    wrapped = fractional % 1.0
    inside: np.ndarray = np.where(wrapped >= 1.0, 0.0, wrapped) * lengths  # -1e-17 % 1 is 1
    # Rounding may still reach the length itself, which the tree refuses.
    return np.where(inside >= lengths, 0.0, inside)


def symmetrise(structure: Structure, symprec: float = SYMPREC) -> Structure:
    """Make a structure obey its space group exactly, in its own setting.

    Sites are folded into the primitive cell, where metric and positions are averaged over the
    operations that spglib finds, and unfolded again, so that a supercell whose shape breaks the
    point group is mended too. Setting, order of sites and their properties stay, and so does the
    orientation: the lattice is changed by a pure (symmetric) stretch. Where the origin misses a
    special position of the group by less than symprec, the crystal is shifted onto it: Wyckoff
    letters depend on the origin, and must not depend on the noise of a file.

    Parameters
    ----------
    structure
        Ordered structure in any setting, primitive or supercell.
    symprec
        Tolerance in Å with which the group is found.

    Returns
    -------
    Structure
        A new structure; no atom moves by more than about symprec.

    Raises
    ------
    ValueError
        Where no group is found.
    """
    dataset = space_group(structure, symprec)
    lattice, positions = structure.lattice.matrix, structure.frac_coords
    # Rows of the cell in primitive vectors: whole numbers, so the primitive cell is exact.
    multiple = np.round(lattice @ np.linalg.inv(dataset.primitive_lattice))
    _, first, group = np.unique(
        dataset.mapping_to_primitive, return_index=True, return_inverse=True
    )
    if len(first) * round(abs(float(np.linalg.det(multiple)))) != len(structure):
        raise ValueError(
            f"The primitive cell cannot be told with symprec {symprec} Å: use a smaller symprec."
        )
    folded = positions @ multiple
    shift = folded - folded[first][group]
    mean = np.zeros((len(first), 3))
    np.add.at(mean, group, shift - np.round(shift))
    mean = folded[first] + mean * len(first) / len(structure)
    primitive = Structure(
        np.linalg.inv(multiple) @ lattice, [structure.species[i] for i in first], mean
    )
    stretch, exact = _averaged(primitive, symprec)
    unfolded = exact[group] + np.round(folded - exact[group])
    return with_geometry(structure, lattice @ stretch, unfolded @ np.linalg.inv(multiple))


def _averaged(primitive: Structure, symprec: float) -> tuple[np.ndarray, np.ndarray]:
    """Stretch (3, 3) of the lattice rows and exact fractional positions of a primitive cell."""
    dataset = space_group(primitive, symprec)
    rotations, translations = np.array(dataset.rotations), np.array(dataset.translations)
    lattice, positions = primitive.lattice.matrix, primitive.frac_coords
    # Rotations act on columns x, so lengths are kept where W^T G W = G.
    metric = np.einsum("gki,kl,glj->ij", rotations, lattice @ lattice.T, rotations)
    inverse = np.linalg.inv(lattice)
    stretch = np.real(sqrtm(inverse @ metric @ inverse.T / len(rotations)))
    permutations = site_permutations(primitive, rotations, translations)
    images = np.einsum("gij,nj->gni", rotations, positions) + translations[:, None]
    shift = images - positions[permutations]
    moved = np.zeros_like(positions)
    np.add.at(moved, permutations, shift - np.round(shift))
    exact = positions + moved / len(rotations) + _origin_shift(dataset, symprec)
    return stretch, exact


def _origin_shift(dataset: Any, symprec: float) -> np.ndarray:
    """Fractional shift (3,) that puts the nearest special origin onto that of the cell.

    In the standard basis x_std = P x + p the operations have translations w + (1 - W) p about
    the cell's own origin. If that is a special one, they are multiples of 1/12 (International
    Tables A, chapter 1.4); p is corrected so that they are, along polar directions not at all.
    """
    operations = spglib.get_symmetry_from_database(dataset.hall_number)
    slopes = np.eye(3) - operations["rotations"]
    translations = operations["translations"] + slopes @ dataset.origin_shift
    misfit = np.round(12 * translations) / 12 - translations
    correction = np.linalg.lstsq(slopes.reshape(-1, 3), misfit.reshape(-1), rcond=1e-6)[0]
    solved = np.allclose(slopes @ correction, misfit, atol=1e-6)
    if not solved or np.linalg.norm(correction @ dataset.std_lattice) > symprec:
        return np.zeros(3)
    shift: np.ndarray = -np.linalg.inv(dataset.transformation_matrix) @ correction
    return shift
