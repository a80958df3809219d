"""The bulk lattice seen along a zone axis: integer bases, and the projection ingrained uses."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.symmetry import space_group

IntVector = tuple[int, int, int]
_SYMPREC = 0.01  # Å; the primitive cell must be that of the crystal, not of a noisy supercell
_PERPENDICULAR = math.radians(0.1)


@dataclass(frozen=True)
class Bulk:
    """Primitive cell of a bulk crystal, and the axes in which planes are named.

    Attributes
    ----------
    lattice
        (3, 3), rows are the primitive vectors, Å, in the orientation of the cell given.
    species
        Symbols of the N atoms of the primitive cell.
    positions
        (N, 3), fractional in the primitive cell.
    axes
        (3, 3), ``axes @ lattice`` are the reference axes (Å) that axes and planes refer to.
    """

    lattice: np.ndarray
    species: tuple[str, ...]
    positions: np.ndarray
    axes: np.ndarray


@dataclass(frozen=True)
class View:
    """A bulk lattice along a zone axis.

    Attributes
    ----------
    bulk
        The crystal.
    basis
        (3, 3) int, unimodular; rows A (the zone axis), P and Q in primitive vectors.
    period
        Length of A, Å.
    components
        (3, 3), Å: rows are A, P, Q along x (the axis, towards the viewer), y (to the right)
        and z (up).
    """

    bulk: Bulk
    basis: np.ndarray
    period: float
    components: np.ndarray


def primitive_bulk(structure: Structure) -> Bulk:
    """Primitive cell of a bulk crystal, orientation kept.

    Parameters
    ----------
    structure
        Ordered crystal in any setting or supercell. Planes and directions are named in
        ``properties["parent_axes"]`` where it has them (a superstructure), else in
        ``properties["axes"]``, else in its own cell.

    Returns
    -------
    Bulk

    Raises
    ------
    ValueError
        For partial occupancies and where no primitive cell is found.
    """
    if not structure.is_ordered:
        raise ValueError("The bulk has partial occupancies: make an ordered cell first.")
    dataset = space_group(structure, _SYMPREC)
    matrix = structure.lattice.matrix
    multiple = np.round(matrix @ np.linalg.inv(dataset.primitive_lattice))
    lattice = np.linalg.inv(multiple) @ matrix
    if np.linalg.det(lattice) < 0:
        lattice = -lattice
    _, first = np.unique(dataset.mapping_to_primitive, return_index=True)
    to_primitive = matrix @ np.linalg.inv(lattice)
    if len(first) * round(abs(float(np.linalg.det(to_primitive)))) != len(structure):
        raise ValueError("The primitive cell of the bulk cannot be told: symmetrise it first.")
    properties = structure.properties
    axes = np.array(properties.get("parent_axes", properties.get("axes", np.eye(3))), float)
    return Bulk(
        lattice=lattice,
        species=tuple(structure[int(i)].specie.symbol for i in first),
        positions=structure.frac_coords[first] @ to_primitive,
        axes=axes @ to_primitive,
    )


def view(
    bulk: Bulk,
    axis: IntVector,
    up: IntVector | None = None,
    up_plane: IntVector | None = None,
) -> View:
    """Look at a bulk lattice along a zone axis, with a direction that points up.

    Parameters
    ----------
    bulk
        The crystal.
    axis
        Zone axis [uvw], whole numbers in the reference axes; it points towards the viewer.
    up
        Lattice direction [uvw] that points up before the grains are turned.
    up_plane
        Instead of `up`: the plane (hkl) whose normal points up.

    Returns
    -------
    View

    Raises
    ------
    ValueError
        For an axis or an up direction that is not a lattice direction, for both or neither of
        `up` and `up_plane`, and where up is not perpendicular to the axis.
    """
    towards = bulk_direction(bulk, axis, "zone axis")
    if (up is None) == (up_plane is None):
        raise ValueError("Give either up (a direction [uvw]) or up_plane (a plane (hkl)).")
    if up is not None:
        upward, name = bulk_direction(bulk, up, "up direction") @ bulk.lattice, f"up {list(up)}"
    else:
        plane = whole(up_plane, "up plane")
        upward, name = np.linalg.inv(bulk.axes @ bulk.lattice) @ plane, f"up_plane {tuple(plane)}"
    along = towards @ bulk.lattice
    sine = float(along @ upward / np.linalg.norm(along) / np.linalg.norm(upward))
    if abs(sine) > math.sin(_PERPENDICULAR):
        raise ValueError(
            f"The {name} is not perpendicular to the zone axis {list(axis)}: the angle is "
            f"{math.degrees(math.acos(np.clip(sine, -1, 1))):.2f}°. Choose a perpendicular "
            "direction, or give up_plane, a plane (hkl) with hu + kv + lw = 0."
        )
    period = float(np.linalg.norm(along))
    x = along / period
    z = upward - (upward @ x) * x
    z /= np.linalg.norm(z)
    basis = complete_basis(towards)
    frame = np.array([x, np.cross(z, x), z])
    return View(bulk, basis, period, basis @ bulk.lattice @ frame.T)


def bulk_direction(bulk: Bulk, direction: IntVector, name: str) -> np.ndarray:
    """Shortest lattice vector (3,) int along a direction, in primitive vectors, sign kept."""
    return smallest_whole(whole(direction, name) @ bulk.axes)


def whole(values: object, name: str) -> np.ndarray:
    """Three whole numbers, not all zero; ValueError that names them otherwise."""
    try:
        array = np.array(values, float)
    except (TypeError, ValueError):
        array = np.array([np.nan])
    if array.shape != (3,) or not np.isfinite(array).all() or np.any(array != np.round(array)):
        raise ValueError(
            f"The {name} {values!r} is no lattice direction or plane: give three whole numbers, "
            "for example [1, 0, 0]."
        )
    if not array.any():
        raise ValueError(f"The {name} is [0, 0, 0]: give a direction.")
    return array.astype(int)


def smallest_whole(vector: np.ndarray) -> np.ndarray:
    """Smallest whole numbers (3,) int in the ratio of rational ones (denominators up to 144)."""
    parts = [Fraction(float(value)).limit_denominator(144) for value in vector]
    scale = math.lcm(*(part.denominator for part in parts))
    integers = [int(part * scale) for part in parts]
    return np.array(integers) // math.gcd(*integers)


def complete_basis(first: np.ndarray) -> np.ndarray:
    """Complete a primitive integer vector (3,) to a unimodular basis (3, 3), determinant +1."""
    a, b, c = (int(value) for value in first)
    g, s, t = extended_gcd(a, b)
    if g == 0:  # the vector is ±[0, 0, 1]
        return np.array([[0, 0, c], [1, 0, 0], [0, c, 0]])
    _, p, q = extended_gcd(g, c)  # p g + q c = 1
    second = [-t, s, 0]
    third = [-q * a // g, -q * b // g, p]
    return np.array([[a, b, c], second, third])


def extended_gcd(a: int, b: int) -> tuple[int, int, int]:
    """Return g, x, y with g = gcd(a, b) = x a + y b, g not negative."""
    x, next_x, y, next_y = 1, 0, 0, 1
    while b:
        quotient = a // b
        a, b = b, a - quotient * b
        x, next_x = next_x, x - quotient * next_x
        y, next_y = next_y, y - quotient * next_y
    return (a, x, y) if a >= 0 else (-a, -x, -y)


def plane_indices(bulk: Bulk, one: np.ndarray, other: np.ndarray) -> IntVector:
    """Miller indices, in the reference axes, of the lattice plane through two lattice vectors.

    Whole numbers; those of a centred cell keep their common factor, (003) of a rhombohedral
    lattice. A plane of a superstructure that has no whole indices in its parent is multiplied.
    """
    primitive = np.cross(one, other)
    primitive = primitive // math.gcd(*(int(v) for v in primitive))
    reference = bulk.axes @ primitive
    if np.allclose(reference, np.round(reference), atol=1e-6):
        h, k, m = (int(value) for value in np.round(reference))
    else:
        h, k, m = (int(value) for value in smallest_whole(reference))
    return (h, k, m)
