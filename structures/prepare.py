"""From any structure to a host: symmetrised, multiplied, every site labelled."""

import math
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from numbers import Integral
from typing import Any

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.checks import check_host
from vacancy_flows.structures.geometry import conventional_axes, with_geometry
from vacancy_flows.structures.moments import file_moments, file_states
from vacancy_flows.structures.names import short
from vacancy_flows.structures.symmetry import SYMPREC, space_group, symmetrise

__all__ = [
    "MAX_ATOMS",
    "SYMPREC",
    "conventional_axes",
    "prepare_host",
    "supercell_matrix",
    "symmetrise",
    "with_geometry",
]

MAX_ATOMS = 5000
"""Largest host; anything above is taken for a mistake in `supercell`."""


def supercell_matrix(spec: Any) -> np.ndarray:
    """Supercell as an integer matrix.

    Parameters
    ----------
    spec
        Three positive integers, or a 3×3 matrix of integers whose rows are the new lattice
        vectors in the old ones.

    Returns
    -------
    numpy.ndarray
        (3, 3) int, determinant positive.

    Raises
    ------
    ValueError
        For anything else: zero, negative triples, numbers that are not whole, True and False,
        wrong shapes, singular and left-handed matrices.
    """
    rows = _as_lists(spec)
    flat = [value for row in rows for value in (row if isinstance(row, list) else [row])]
    whole = all(isinstance(v, Integral) and not isinstance(v, bool | np.bool_) for v in flat)
    if len(rows) != 3 or len(flat) not in (3, 9) or not whole:
        raise ValueError(
            f"A supercell is three integers or a 3×3 matrix of them, not {short(spec)}."
        )
    largest = max(abs(int(value)) for value in flat)
    if largest > MAX_ATOMS:
        raise ValueError(
            f"The supercell {short(spec)} is absurdly large: with an entry of {largest} it would "
            f"be {largest} cells or more, each of at least one atom; give small integers."
        )
    if not any(isinstance(row, list) for row in rows):
        if min(flat) < 1:
            raise ValueError(f"The supercell {short(spec)} must be three integers of at least 1.")
        return np.diag(np.array(flat, int))
    if any(not isinstance(row, list) or len(row) != 3 for row in rows):
        raise ValueError(f"A supercell matrix has three rows of three integers, not {short(spec)}.")
    matrix = np.array([[int(value) for value in row] for row in rows])
    determinant = round(float(np.linalg.det(matrix)))
    if determinant == 0:
        raise ValueError(f"The supercell {short(spec)} is singular: its rows lie in one plane.")
    if determinant < 0:
        raise ValueError(
            f"The supercell {short(spec)} is left-handed (determinant {determinant}): "
            "swap two rows."
        )
    return matrix


def _as_lists(spec: Any) -> list[Any]:
    """Sequences and arrays as lists, two deep; anything else is no supercell."""
    if isinstance(spec, np.ndarray):
        spec = list(spec)
    if isinstance(spec, str) or not isinstance(spec, Sequence):
        raise ValueError(  # noqa: TRY004  # the command line turns ValueError into exit 2
            f"A supercell is three integers or a 3×3 matrix of them, not {short(spec)}."
        )
    return [list(row) if isinstance(row, list | tuple | np.ndarray) else row for row in spec]


def prepare_host(
    structure: Structure, supercell: Any = (1, 1, 1), symprec: float = SYMPREC
) -> Structure:
    """Symmetrise a structure, multiply it and label every site.

    Parameters
    ----------
    structure
        Ordered structure in any setting. Oxidation states are taken off the sites; where they
        leave the cell neutral, their average per element is kept in
        ``properties["oxidation_states"]``.
    supercell
        What :func:`supercell_matrix` takes; applied to the cell as given.
    symprec
        Tolerance in Å with which symmetry is looked for.

    Returns
    -------
    Structure
        Sites in the order of `structure`, the copies of each together. Site properties:
        ``label``, for example ``O-8j-3`` (element, Wyckoff position of the conventional
        standard cell, number from 1 over the sites of that element and letter), and ``magmom``
        (µB) where the input has moments. ``properties["axes"]`` holds 3×3 numbers so that
        ``axes @ lattice.matrix`` are the axes a, b, c of the conventional cell of a built-in
        host, else of the cell as given.

    Raises
    ------
    ValueError
        For partial occupancies, atoms closer than 0.5 Å, cells that are empty, flat, or of less
        than 2 or more than 100 Å³ per atom, bad supercells, and more than :data:`MAX_ATOMS` atoms.
    """
    matrix = supercell_matrix(supercell)
    check_host(structure)
    n_atoms = len(structure) * round(float(np.linalg.det(matrix)))
    if n_atoms > MAX_ATOMS:
        raise ValueError(
            f"The supercell {supercell!r} would have {n_atoms} atoms, more than {MAX_ATOMS}: "
            "use a smaller one."
        )
    unit = symmetrise(_bare(structure), symprec)
    host = _multiply(unit.add_site_property("wyckoff", _wyckoff(unit, symprec)), matrix)
    counts: Counter[tuple[str, str]] = Counter()
    labels = []
    for symbol, letter in zip(_symbols(host), host.site_properties["wyckoff"], strict=True):
        counts[symbol, letter] += 1
        labels.append(f"{symbol}-{letter}-{counts[symbol, letter]}")
    host.remove_site_property("wyckoff")
    host.add_site_property("label", labels)
    return host


def _symbols(structure: Structure) -> list[str]:
    return [site.specie.symbol for site in structure]


def _bare(structure: Structure) -> Structure:
    """Elements only, in a right-handed cell; moments, axes, states and boundaries stay."""
    moments, states = file_moments(structure), file_states(structure)
    properties: dict[str, Any] = {
        "axes": np.array(structure.properties.get("axes", np.eye(3)), float).tolist()
    }
    if states is not None:
        properties["oxidation_states"] = states
    kept = {} if moments is None else {"magmom": moments}
    if "grain" in structure.site_properties:
        kept["grain"] = structure.site_properties["grain"]
    for key in ("boundary", "provenance"):
        if key in structure.properties:
            properties[key] = deepcopy(structure.properties[key])
    if np.linalg.det(structure.lattice.matrix) < 0:
        raise ValueError("The cell is left-handed: swap two of its vectors.")
    return Structure(
        structure.lattice.matrix,
        _symbols(structure),
        structure.frac_coords,
        site_properties=kept or None,
        properties=properties,
    )


def _wyckoff(structure: Structure, symprec: float) -> list[str]:
    """Multiplicity and letter of each site, in the conventional standard cell of its group."""
    dataset = space_group(structure, symprec)
    size = Counter(np.array(dataset.crystallographic_orbits).tolist())
    ratio = len(dataset.std_types) / len(structure)
    return [
        f"{round(size[orbit] * ratio)}{letter}"
        for orbit, letter in zip(
            np.array(dataset.crystallographic_orbits).tolist(), dataset.wyckoffs, strict=True
        )
    ]


def _multiply(structure: Structure, matrix: np.ndarray) -> Structure:
    """Supercell whose lattice is matrix @ lattice, the copies of each site together."""
    inverse = np.linalg.inv(matrix)
    points = _lattice_points(matrix)
    positions = (structure.frac_coords[:, None] + points[None]).reshape(-1, 3) @ inverse
    repeats = len(points)
    properties = deepcopy(structure.properties)
    properties["axes"] = (np.array(properties["axes"]) @ inverse).tolist()
    return Structure(
        matrix @ structure.lattice.matrix,
        [specie for specie in structure.species for _ in range(repeats)],
        positions - np.floor(np.round(positions, 9)),
        site_properties={
            key: [value for value in values for _ in range(repeats)]
            for key, values in structure.site_properties.items()
        },
        properties=properties,
    )


def _lattice_points(matrix: np.ndarray) -> np.ndarray:
    """Lattice vectors (n, 3), in old cell vectors, that a supercell holds, sorted."""
    corners = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).T.reshape(-1, 3) @ matrix
    low, high = corners.min(axis=0), corners.max(axis=0)
    if math.prod(int(length) for length in high - low + 1) > 10**6:
        raise ValueError(f"The supercell {matrix.tolist()} is too skewed: choose shorter vectors.")
    grid = np.stack(
        np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij"),
        axis=-1,
    ).reshape(-1, 3)
    inside = grid @ np.linalg.inv(matrix)
    points: np.ndarray = grid[np.all((inside > -1e-8) & (inside < 1 - 1e-8), axis=1)]
    return points
