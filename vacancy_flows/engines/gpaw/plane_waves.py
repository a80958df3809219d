"""How many plane waves a cell has, and what a whole number of them does to its energy.

At a fixed cutoff the number of plane waves jumps with the lattice. The error of the basis jumps
with it, by tens of meV where the cutoff is low; between cells of equal lattice (a vacancy and
its pristine cell) the jump cancels, along E(V) it does not. Francis and Payne, J. Phys.: Condens.
Matter 2, 4395 (1990): an energy at N plane waves is brought to the number that the cutoff stands
for, N_c = V k³ / 6π², with dE/dln N. The latter follows from the analytic stress, which holds the
basis fixed: V dE/dV at fixed N is V dE/dV at fixed cutoff, less dE/dln N.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from ase.units import Bohr, Hartree
from numpy.typing import ArrayLike


def plane_wave_excess(matrix: ArrayLike, encut: float, mesh: tuple[int, int, int]) -> float:
    """Return ln(N / N_c) of a lattice on a Γ-centred mesh.

    Parameters
    ----------
    matrix
        (3, 3), rows a, b, c in Å.
    encut
        Cutoff, eV.
    mesh
        Number of k-points along each reciprocal vector; N is their mean.
    """
    rows = np.asarray(matrix, float) / Bohr
    radius = np.sqrt(2 * encut / Hartree)
    reciprocal = 2 * np.pi * np.linalg.inv(rows).T
    # A sphere of this radius reaches no farther along each reciprocal axis.
    reach = np.ceil(radius * np.linalg.norm(rows, axis=1) / (2 * np.pi)).astype(int) + 1
    axes = [np.arange(-n, n + 1) for n in reach]
    found = [_inside(axes, point, reciprocal, radius) for point in _points(mesh)]
    continuous = abs(np.linalg.det(rows)) * radius**3 / (6 * np.pi**2)
    return float(np.log(np.mean(found) / continuous))


def _points(mesh: tuple[int, int, int]) -> list[np.ndarray]:
    return [np.array(index) / np.array(mesh) for index in product(*map(range, mesh))]


def _inside(
    axes: list[np.ndarray], point: np.ndarray, reciprocal: np.ndarray, radius: float
) -> int:
    """Count reciprocal vectors G for which k + G is shorter than the radius."""
    first, second, third = (axis + shift for axis, shift in zip(axes, point, strict=True))
    plane = (
        second[:, None, None] * reciprocal[1] + third[None, :, None] * reciprocal[2]
    )  # (n, m, 3)
    return sum(
        int((np.square(plane + one * reciprocal[0]).sum(axis=-1) < radius**2).sum())
        for one in first
    )


def basis_slope(
    energies: tuple[float, float],
    pressures: tuple[float, float],
    excess: tuple[float, float],
    cutoffs: tuple[float, float],
) -> float:
    """Return dE/dln N at the first of two cutoffs from the energies of one cell at both, eV.

    Their difference is the mean slope between the cutoffs, and the slope falls fast: by a fifth
    over 3 % of cutoff. By how much it does is the difference of the stresses, because V dE/dV at
    a fixed cutoff is the same at both.

    Parameters
    ----------
    energies
        eV, at each cutoff.
    pressures
        V dE/dV at a fixed number of plane waves, eV, at each cutoff.
    excess
        `plane_wave_excess` at each cutoff.
    cutoffs
        eV. ln N differs by 3/2 ln of their ratio and by the difference of the excesses.
    """
    step = 1.5 * np.log(cutoffs[1] / cutoffs[0]) + excess[1] - excess[0]
    change = pressures[0] - pressures[1]
    return float((energies[1] - energies[0]) / step - change / 2)
