"""Invented bands and density of states: flat levels with a gap of 1 eV, none in a metal."""

import numpy as np
from numpy.typing import NDArray

from standin_vasp.run import Run
from standin_vasp.toy import ANIONS

Array = NDArray[np.float64]
FERMI = 0.5  # eV; the highest level that is full is at zero
ROWS = 13  # of the density of states, from -9 to 3 eV
ORBITALS = ("s", "py", "pz", "px", "dxy", "dyz", "dz2", "dxz", "x2-y2")


def fillings(run: Run) -> list[float]:
    """Electrons of each spin; both together where ISPIN is 1."""
    if run.spins == 1:
        return [run.nelect / 2]
    total = float(run.moments.sum())
    return [(run.nelect + total) / 2, (run.nelect - total) / 2]


def levels(run: Run) -> list[Array]:
    """Energies and occupations (NBANDS, 2) of each spin, the same at all k-points."""
    gap = 1.0 if any(s in ANIONS for s in run.species) else 0.0
    found = []
    for electrons in fillings(run):
        occupied = np.clip(electrons - np.arange(run.nbands), 0.0, 1.0)
        full = int(np.count_nonzero(occupied > 1e-8))
        below = np.linspace(-8.0, 0.0, full) if full > 1 else np.zeros(full)
        above = gap + 0.1 * np.arange(run.nbands - full)
        found.append(np.column_stack([np.concatenate([below, above]), occupied]))
    return found


def total_dos(run: Run) -> list[Array]:
    """Energy, density and integral (ROWS, 3) of each spin."""
    energies = np.linspace(-9.0, 3.0, ROWS)
    found = []
    for electrons in fillings(run):
        density = np.where((energies >= -8.0) & (energies <= 0.0), electrons / 9.0, 0.0)
        density[energies > 1.0] = 0.5 * electrons / 9.0
        found.append(np.column_stack([energies, density, np.cumsum(density)]))
    return found


def projected_dos(run: Run) -> list[Array]:
    """Energy and nine orbitals (ROWS, 10) of each spin, the same for all atoms."""
    share = len(ORBITALS) * len(run.species)
    return [
        np.column_stack([dos[:, 0], np.repeat(dos[:, 1:2] / share, len(ORBITALS), axis=1)])
        for dos in total_dos(run)
    ]
