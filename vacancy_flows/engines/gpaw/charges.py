"""Bader net charges from GPAW's all-electron density."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.analysis.bader import bader_charges, net_charges
from vacancy_flows.engines.gpaw.calculator import GpawCalculator

_SPACING = 0.06  # Å, of the grid: charges of Li2MnO3 move by less than 0.01 e on a finer one


def bader(structure: Structure, calculator: GpawCalculator) -> tuple[list[float], str]:
    """Return the net charge of each atom, e, and how it was found.

    Cores are in the density, so the neutral atom brings all its electrons.

    Parameters
    ----------
    structure
        The cell whose density the calculator holds.
    calculator
        Converged.
    """
    density = calculator.density(_SPACING)
    found = bader_charges(density, structure, density, reference_name="all-electron density")
    charges = net_charges(found.electrons, list(structure.atomic_numbers))
    return np.round(charges, 4).tolist(), found.method
