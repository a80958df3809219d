"""Energy of a boundary against the bulk of the same order."""

import math

from scipy.constants import elementary_charge

EV_A2_IN_J_M2: float = elementary_charge * 1e20
"""1 eV/Å² in J/m²: 16.0218 (the elementary charge in C, CODATA as of scipy)."""


def boundary_energy(
    e_boundary: float, e_bulk_per_unit: float, n_units: float, area: float, n_boundaries: int = 2
) -> float:
    """Energy of a boundary, J/m².

    γ = [E(cell) − N E(bulk)] / (n A): what it costs to have n boundaries of area A instead of
    as many formula units of bulk (the Gibbs excess of a stoichiometric cell; Sutton and
    Balluffi, Interfaces in Crystalline Materials, 1995). Positive where a boundary costs energy.

    Parameters
    ----------
    e_boundary
        Energy of the cell with boundaries, eV.
    e_bulk_per_unit
        Energy of the bulk of the same order, eV per formula unit.
    n_units
        Formula units in the cell with boundaries.
    area
        Of one boundary, Å².
    n_boundaries
        In the cell. Where two differ, the result is their mean: no energy of a cell tells them
        apart.

    Returns
    -------
    float
        J/m².

    Raises
    ------
    ValueError
        For numbers that are not finite, and an area or numbers of units that are not positive.
    """
    values = (e_boundary, e_bulk_per_unit, n_units, area)
    if not all(map(math.isfinite, values)) or min(n_units, area, n_boundaries) <= 0:
        raise ValueError(
            f"Energies {e_boundary}, {e_bulk_per_unit} eV, {n_units} formula units and an area of "
            f"{area} Å² must be finite numbers, the last two positive."
        )
    return (e_boundary - n_units * e_bulk_per_unit) / (n_boundaries * area) * EV_A2_IN_J_M2
