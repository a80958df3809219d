"""A family of rational lattice planes: repeats within, a step across."""

import math
from dataclasses import dataclass

import numpy as np

from vacancy_flows.structures.boundaries.frame import (
    Bulk,
    IntVector,
    bulk_direction,
    complete_basis,
    extended_gcd,
    smallest_whole,
    whole,
)


@dataclass(frozen=True)
class PlaneFrame:
    """A family of lattice planes: two repeats within, one step across.

    Attributes
    ----------
    bulk
        The crystal.
    indices
        (3,) int, in primitive reciprocal vectors.
    basis
        (3, 3) int, unimodular: two repeats within the plane, the shorter first, and a step.
    rows
        (3, 3), Å: the basis with x along the first repeat and z along the normal.
    """

    bulk: Bulk
    indices: np.ndarray
    basis: np.ndarray
    rows: np.ndarray

    @property
    def spacing(self) -> float:
        """Distance of the lattice planes, Å."""
        return float(self.rows[2, 2])


def plane_frame(bulk: Bulk, plane: IntVector, axis: IntVector | None = None) -> PlaneFrame:
    """Lattice basis of a rational plane.

    Parameters
    ----------
    bulk
        The crystal.
    plane
        (hkl) in its reference axes; whole numbers.
    axis
        Lattice direction within the plane for the first repeat; None for the shortest repeat.

    Returns
    -------
    PlaneFrame

    Raises
    ------
    ValueError
        For indices that are not whole or all zero, and an axis that is not in the plane.
    """
    indices = smallest_whole(np.linalg.inv(bulk.axes) @ whole(plane, "twin plane"))
    step, *pair = np.round(np.linalg.inv(complete_basis(indices)).T).astype(int)
    lattice = bulk.lattice
    u, v = _reduced(pair[0], pair[1], lattice)
    if axis is not None:
        chosen = bulk_direction(bulk, axis, "axis")
        if chosen @ indices != 0:
            raise ValueError(
                f"The axis {list(axis)} is not in the twin plane {tuple(plane)}: choose [uvw] with "
                "hu + kv + lw = 0."
            )
        m, n = np.round(np.linalg.lstsq(np.array([u, v]).T, chosen, rcond=None)[0]).astype(int)
        _, p, q = extended_gcd(int(m), int(n))
        u, v = chosen, p * v - q * u
        v = v - _projection(v @ lattice, u @ lattice) * u
    basis = np.array([u, v, step])
    if np.linalg.det(basis @ lattice) < 0:
        basis[1] *= -1
    vectors = basis @ lattice
    x = vectors[0] / np.linalg.norm(vectors[0])
    z = np.cross(vectors[0], vectors[1])
    z /= np.linalg.norm(z)
    return PlaneFrame(bulk, indices, basis, vectors @ np.array([x, np.cross(z, x), z]).T)


def _reduced(u: np.ndarray, v: np.ndarray, lattice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shortest two vectors of a plane lattice, by Gauss's reduction."""
    for _ in range(100):
        if np.linalg.norm(v @ lattice) < np.linalg.norm(u @ lattice) - 1e-9:
            u, v = v, u
        shift = _projection(v @ lattice, u @ lattice)
        if shift == 0:
            break
        v = v - shift * u
    return u, v


def _projection(vector: np.ndarray, along: np.ndarray) -> int:
    """Nearest whole multiple of `along` in a vector."""
    return math.floor(float(vector @ along / (along @ along)) + 0.5 - 1e-9)
